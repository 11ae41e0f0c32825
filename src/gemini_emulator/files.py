"""Uploaded and generated files: kept on disk, owned by a key, gone after 48 hours."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Literal

import pybase64

from gemini_emulator.clock import Clock, stamp
from gemini_emulator.errors import ApiError, Json, file_forbidden, invalid
from gemini_emulator.ids import Ids

LIFE = timedelta(hours=48)  # https://ai.google.dev/gemini-api/docs/files
CHUNK_GRANULARITY = 8_388_608


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One File resource; `id` is what follows `files/`."""

    id: str
    owner: str
    path: Path
    media_type: str
    size: int
    digest: str
    created: datetime
    source: Literal["UPLOADED", "GENERATED"]
    display_name: str | None = None

    def to_wire(self, base_url: str, version: str) -> Json:
        wire: Json = {"name": f"files/{self.id}"}
        if self.display_name is not None:
            wire["displayName"] = self.display_name
        uri = f"{base_url}/{version}/files/{self.id}"
        wire |= {
            "mimeType": self.media_type,
            "sizeBytes": str(self.size),
            "createTime": stamp(self.created),
            "updateTime": stamp(self.created),
            "expirationTime": stamp(self.created + LIFE),
            # recorded: base64 of the hex digest, not of the digest
            "sha256Hash": pybase64.b64encode(self.digest.encode()).decode(),
            "uri": uri,
            "state": "ACTIVE",
            "source": self.source,
        }
        return wire | {"downloadUri": f"{uri}:download?alt=media"} if self.source == "GENERATED" else wire


@dataclass(slots=True, kw_only=True)
class Upload:
    """A resumable upload under way."""

    id: str
    file_id: str
    owner: str
    path: Path
    media_type: str
    display_name: str | None
    received: int = 0

    def append(self, chunk: bytes) -> None:
        with self.path.open("ab") as out:
            out.write(chunk)
        self.received += len(chunk)


class FileStore:
    """Files by id in a temporary folder that goes with the emulator."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._files: dict[str, StoredFile] = {}
        self._uploads: dict[str, Upload] = {}

    def begin(self, owner: str, media_type: str, *, wanted: Json) -> Upload:
        """Open an upload. `wanted`: the File the caller described (name, displayName, mimeType)."""
        name = wanted.get("name", "").removeprefix("files/")
        if name and name in self._files:
            raise ApiError(409, f"Requested entity already exists: files/{name}", status="ALREADY_EXISTS")
        file_id, upload_id = name or self._ids.file(), self._ids.upload()
        upload = Upload(
            id=upload_id,
            file_id=file_id,
            owner=owner,
            path=self._folder / upload_id,
            media_type=wanted.get("mimeType") or media_type or "application/octet-stream",
            display_name=wanted.get("displayName"),
        )
        upload.path.touch()
        self._uploads[upload_id] = upload
        return upload

    def upload(self, upload_id: str) -> Upload:
        if upload_id not in self._uploads:
            raise invalid(f"Upload {upload_id} is unknown or already finalized.")
        return self._uploads[upload_id]

    def finalize(self, upload: Upload) -> StoredFile:
        del self._uploads[upload.id]
        return self._keep(upload.file_id, upload.owner, upload.path, upload.media_type, upload.display_name)

    def result_path(self, file_id: str) -> Path:
        """Where a result file is to be written before `publish`."""
        return self._folder / f"generated-{file_id}"

    def publish(self, file_id: str, owner: str, *, path: Path, media_type: str) -> StoredFile:
        """Make a written result file available for download."""
        return self._keep(file_id, owner, path, media_type, None, source="GENERATED")

    def get(self, file_id: str, owner: str) -> StoredFile:
        """The file, or 403 when it expired, was deleted, never was, or is another key's."""
        stored = self._files.get(file_id)
        if stored is not None and self._clock.now() >= stored.created + LIFE:
            self._forget(stored)
            stored = None
        if stored is None or stored.owner != owner:
            raise file_forbidden(file_id)
        return stored

    def mine(self, owner: str) -> list[StoredFile]:
        """The caller's uploaded files, newest first."""
        alive = self._clock.now() - LIFE
        found = [
            f
            for f in self._files.values()
            if f.owner == owner and f.source == "UPLOADED" and f.created > alive
        ]
        return sorted(found, key=lambda stored: (stored.created, stored.id), reverse=True)

    def delete(self, file_id: str, owner: str) -> None:
        self._forget(self.get(file_id, owner))

    def reset(self) -> None:
        for stored in list(self._files.values()):
            self._forget(stored)
        self._uploads.clear()

    def close(self) -> None:
        if "_folder" in self.__dict__:
            shutil.rmtree(self._folder, ignore_errors=True)

    @cached_property
    def _folder(self) -> Path:
        """Made with the first file."""
        return Path(tempfile.mkdtemp(prefix="gemini-emulator-"))

    def _forget(self, stored: StoredFile) -> None:
        self._files.pop(stored.id, None)
        stored.path.unlink(missing_ok=True)

    def _keep(
        self,
        file_id: str,
        owner: str,
        path: Path,
        media_type: str,
        display_name: str | None,
        source: Literal["UPLOADED", "GENERATED"] = "UPLOADED",
    ) -> StoredFile:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        stored = StoredFile(
            id=file_id,
            owner=owner,
            path=path,
            media_type=media_type,
            size=path.stat().st_size,
            digest=digest,
            created=self._clock.now(),
            source=source,
            display_name=display_name,
        )
        self._files[file_id] = stored
        return stored
