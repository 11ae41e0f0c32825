"""The Files API: upload in pieces, read, list, delete, expire."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx2
import pybase64
import pytest

from gemini_emulator import serve

PRO = "gemini-3-pro-image"
_START = {
    "x-goog-upload-protocol": "resumable",
    "x-goog-upload-command": "start",
    "x-goog-upload-header-content-type": "image/png",
}


def _begin(caller: Any, **wanted: str) -> str:
    answer = caller.http.post("/upload/v1beta/files", json={"file": wanted}, headers=_START)
    assert answer.headers["x-goog-upload-status"] == "active"
    url: str = answer.headers["x-goog-upload-url"]
    return url


def _send(caller: Any, url: str, data: bytes, offset: int, command: str) -> httpx2.Response:
    headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
    answer: httpx2.Response = caller.http.post(url, content=data, headers=headers)
    return answer


def _upload(caller: Any, data: bytes, **wanted: str) -> dict[str, Any]:
    stored: dict[str, Any] = _send(caller, _begin(caller, **wanted), data, 0, "upload, finalize").json()[
        "file"
    ]
    return stored


def test_a_file_may_come_in_pieces(now: Any) -> None:
    """Two chunks and a finalize give one file with the digest of the whole."""
    url = _begin(now, display_name="two pieces")
    first = _send(now, url, b"a" * 1000, 0, "upload")
    assert first.headers["x-goog-upload-size-received"] == "1000"
    stored = _send(now, url, b"b" * 500, 1000, "upload, finalize").json()["file"]
    digest = hashlib.sha256(b"a" * 1000 + b"b" * 500).hexdigest()
    assert pybase64.b64decode(stored["sha256Hash"]).decode() == digest
    assert (stored["sizeBytes"], stored["displayName"], stored["state"]) == ("1500", "two pieces", "ACTIVE")


def test_a_piece_at_the_wrong_offset_is_refused(now: Any) -> None:
    """400 with both numbers; the upload can go on."""
    url = _begin(now)
    _send(now, url, b"a" * 10, 0, "upload")
    answer = _send(now, url, b"b" * 10, 99, "upload")
    assert answer.status_code == 400
    assert "offset 99 does not match the 10 bytes" in answer.json()["error"]["message"]
    assert _send(now, url, b"b", 10, "upload, finalize").json()["file"]["sizeBytes"] == "11"


def test_files_are_read_listed_and_deleted(now: Any) -> None:
    """Newest first, page by page; a deleted one is forbidden, not missing."""
    names = [_upload(now, b"x")["name"] for _ in range(3)]
    page = now.get("/v1beta/files", pageSize=2).json()
    rest = now.get("/v1beta/files", pageSize=2, pageToken=page["nextPageToken"]).json()
    assert [one["name"] for one in page["files"] + rest["files"]] == names[::-1]
    assert now.get(f"/v1beta/{names[0]}").json()["name"] == names[0]
    assert now.http.delete(f"/v1beta/{names[0]}").json() == {}
    assert now.get(f"/v1beta/{names[0]}").status_code == 403


def test_a_file_belongs_to_its_key(now: Any) -> None:
    """Another key gets the 403 of a file that may not exist."""
    stored = _upload(now, b"x")
    answer = now.http.get(f"/v1beta/{stored['name']}", headers={"x-goog-api-key": "another"})
    assert answer.status_code == 403
    file_id = stored["name"].removeprefix("files/")
    assert answer.json()["error"]["message"] == (
        f"You do not have permission to access the File {file_id} or it may not exist."
    )


def test_an_uploaded_picture_serves_as_input(now: Any, picture: Callable[..., bytes]) -> None:
    """fileData with the file's uri counts as one input picture and shapes the answer."""
    stored = _upload(now, picture((300, 170)))
    part = {"fileData": {"fileUri": stored["uri"], "mimeType": "image/png"}}
    body = {"contents": [{"role": "user", "parts": [part, {"text": "make it blue"}]}]}
    usage = now.post(f"/v1beta/models/{PRO}:generateContent", body).json()["usageMetadata"]
    assert usage["promptTokensDetails"][1] == {"modality": "IMAGE", "tokenCount": 258}


def test_an_uploaded_file_cannot_be_downloaded(now: Any) -> None:
    """Only generated files can."""
    stored = _upload(now, b"x")
    assert now.get(f"/v1beta/{stored['name']}:download", alt="media").status_code == 400


@pytest.mark.parametrize(("hours", "status"), [(47, 200), (49, 403)])
def test_a_file_lives_for_48_hours(hours: int, status: int) -> None:
    """Afterwards it is forbidden, and its expirationTime had said so."""
    with (
        serve(as_of="2026-11-22", pictures="flat") as emulator,
        httpx2.Client(base_url=emulator.url, headers={"x-goog-api-key": "k"}) as http,
    ):
        begun = http.post("/upload/v1beta/files", json={}, headers=_START)
        headers = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        url = begun.headers["x-goog-upload-url"]
        stored = http.post(url, content=b"x", headers=headers).json()["file"]
        assert stored["expirationTime"].startswith("2026-11-24T12:00")
        emulator.advance(hours * 3600)
        assert http.get(f"/v1beta/{stored['name']}").status_code == status
