"""Conversations by the picture they ended in; every blob is stored once."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from desk import conversation, png
from image_router.core.errors import AssetError
from image_router.core.types import Conversation, Turn, TurnPart
from image_router.storage.conversations import ConversationStore

PRO = "gemini-3-pro-image"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def long_talk(turns: int, name: str = "x") -> Conversation:
    """A conversation whose every turn repeats one picture and one large signature."""
    part = TurnPart(data=png(), media_type="image/png", signature="s" * 100_000)
    words = Turn(role="user", parts=(TurnPart(text=name),))
    return Conversation(model=PRO, family=PRO, turns=(words, Turn(role="model", parts=(part,))) * turns)


def test_round_trip(tmp_path: Path) -> None:
    """A conversation comes back as it was: words, pictures, types, and each signature on its own part."""
    talk = conversation(PRO, pictures=3, words="ein Füchslein 狐")
    store = ConversationStore(tmp_path)
    store.save(digest(b"picture"), talk)
    assert ConversationStore(tmp_path).load(b"picture") == talk


def test_blobs_are_stored_once(tmp_path: Path) -> None:
    """However many turns and conversations repeat a picture or a signature, it takes its room once."""
    store = ConversationStore(tmp_path)
    for turns in (1, 5, 9):
        store.save(digest(bytes([turns])), long_talk(turns))
    assert len(list((tmp_path / "blobs").iterdir())) == 2


@pytest.mark.parametrize("data", [b"", b"another picture"])
def test_unknown_picture(tmp_path: Path, data: bytes) -> None:
    """Bytes that ended no known conversation are refused with the way out."""
    with pytest.raises(AssetError, match=r"no conversation is known .* edit it as a plain picture"):
        ConversationStore(tmp_path / "nowhere").load(data)


@pytest.mark.parametrize(
    "record",
    ["", "[]", "{}", "7", '{"turns": 3}', '{"turns": [], "model": "m"}', '{"turns": [{}], "model": "m"}',
     '{"turns": [{"role": "user", "parts": [{"text": 1}]}], "model": "m", "family": "f"}'],
)  # fmt: skip
def test_a_broken_record(tmp_path: Path, record: str) -> None:
    """A record that cannot be read is refused as such, with its path."""
    (tmp_path / f"{digest(b'p')}.json").write_text(record)
    with pytest.raises(AssetError, match=r"the conversation in .* cannot be read"):
        ConversationStore(tmp_path).load(b"p")


def test_a_missing_blob(tmp_path: Path) -> None:
    """A record whose picture is gone cannot be continued, and says that it cannot be read."""
    store = ConversationStore(tmp_path)
    store.save(digest(b"p"), conversation(PRO))
    for blob in (tmp_path / "blobs").iterdir():
        blob.unlink()
    with pytest.raises(AssetError, match="cannot be read"):
        store.load(b"p")


def test_the_oldest_go_first(tmp_path: Path) -> None:
    """Beyond the number kept, the oldest conversations go, with the settled blobs nobody else uses."""
    store = ConversationStore(tmp_path, keep=2)
    for place in range(4):
        store.save(digest(bytes([place])), long_talk(1, name=str(place)))
        os.utime(tmp_path / f"{digest(bytes([place]))}.json", (place, place))
    lonely = tmp_path / "blobs" / "lonely"
    fresh = tmp_path / "blobs" / "fresh"
    lonely.write_bytes(b"")
    fresh.write_bytes(b"")
    os.utime(lonely, (time.time() - 7200,) * 2)
    (tmp_path / "broken.json").write_text("no JSON")
    os.utime(tmp_path / "broken.json", (9, 9))
    store.save(digest(b"new"), long_talk(1))
    assert store.load(b"new") == long_talk(1)
    with pytest.raises(AssetError, match="no conversation is known"):
        store.load(bytes([0]))
    assert not lonely.exists()
    assert fresh.exists()


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    """A folder that cannot be made is an AssetError that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(AssetError, match="the conversation could not be kept in"):
        ConversationStore(tmp_path / "file").save("d", conversation(PRO))
