"""Conversations by the digest of the picture they ended in, so that a later process can continue one.

Pictures and thought signatures (1–3 MB each) are stored once, by digest, however many turns repeat them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from image_router.core.errors import AssetError
from image_router.core.types import Conversation, Turn, TurnPart
from image_router.storage.files import write_whole

KEEP = 200
"""Conversations kept; the oldest go first, with the blobs nobody else uses."""
_SETTLED = 3600
"""Seconds."""


class ConversationStore:
    """A folder: one small JSON file for each conversation, one blob for each picture or signature."""

    def __init__(self, folder: Path, *, keep: int = KEEP) -> None:
        self._folder = folder
        self._blobs = folder / "blobs"
        self._keep = keep

    def save(self, digest: str, talk: Conversation) -> None:
        """Raises AssetError when the disk does not take it."""
        try:
            self._blobs.mkdir(parents=True, exist_ok=True)
            turns = [
                {"role": turn.role, "parts": [self._packed(p) for p in turn.parts]} for turn in talk.turns
            ]
            record = {"model": talk.model, "family": talk.family, "turns": turns}
            write_whole(self._folder / f"{digest}.json", json.dumps(record).encode())
            self._prune()
        except OSError as problem:
            raise AssetError(f"the conversation could not be kept in {self._folder}: {problem}") from problem

    def load(self, image: bytes) -> Conversation:
        """The conversation that ended in exactly these bytes. Raises AssetError when none is known."""
        digest = hashlib.sha256(image).hexdigest()
        path = self._folder / f"{digest}.json"
        if not path.exists():
            raise AssetError(
                f"no conversation is known for this picture (sha256 {digest[:12]}…): it was not made here, "
                f"or was changed since; edit it as a plain picture instead"
            )
        try:
            record = json.loads(path.read_bytes())
            turns = tuple(
                Turn(role=turn["role"], parts=tuple(self._unpacked(part) for part in turn["parts"]))
                for turn in record["turns"]
            )
            return Conversation(model=record["model"], family=record["family"], turns=turns)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise AssetError(
                f"the conversation in {path} cannot be read ({type(problem).__name__}: {problem}); "
                f"edit the picture without it"
            ) from problem

    def _packed(self, part: TurnPart) -> dict[str, Any]:
        return {
            "text": part.text,
            "media_type": part.media_type,
            "data": self._put(part.data) if part.data is not None else None,
            "signature": self._put(part.signature.encode()) if part.signature is not None else None,
        }

    def _unpacked(self, packed: dict[str, Any]) -> TurnPart:
        signature = self._get(packed["signature"])
        return TurnPart(
            text=packed["text"],
            media_type=packed["media_type"],
            data=self._get(packed["data"]),
            signature=signature.decode() if signature is not None else None,
        )

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self._blobs / digest
        if path.exists():
            os.utime(path)
        else:
            write_whole(path, data)
        return digest

    def _get(self, digest: str | None) -> bytes | None:
        return (self._blobs / digest).read_bytes() if digest is not None else None

    def _prune(self) -> None:
        records = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        if len(records) <= self._keep:
            return
        for path in records[self._keep :]:
            path.unlink(missing_ok=True)
        used = {digest for path in records[: self._keep] for digest in _blobs_of(path)}
        # A blob so young may belong to a conversation that another process is about to write.
        old = time.time() - _SETTLED
        for blob in self._blobs.iterdir():
            if blob.name not in used and blob.stat().st_mtime < old:
                blob.unlink(missing_ok=True)


def _blobs_of(path: Path) -> set[str]:
    """Digests a record names; a record nobody can read names none."""
    try:
        parts = [part for turn in json.loads(path.read_bytes())["turns"] for part in turn["parts"]]
        return {part[name] for part in parts for name in ("data", "signature") if part[name] is not None}
    except (ValueError, KeyError, TypeError):
        return set()
