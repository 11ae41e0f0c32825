"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from image_router.storage.files import write_whole


def test_a_file_is_written(tmp_path: Path) -> None:
    """The bytes are there under the name, and nothing else is."""
    write_whole(tmp_path / "a.json", b"one")
    write_whole(tmp_path / "a.json", b"two")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.json": b"two"}


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """When the disk refuses, the old file is untouched and no half of the new one stays."""
    path = tmp_path / "a.json"
    write_whole(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.json": b"old"}


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle leaves no part behind."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.json", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_others_may_read_what_the_umask_allows(tmp_path: Path) -> None:
    """A file has the permissions of any new file, not those of a temporary one."""
    (tmp_path / "usual").write_bytes(b"")
    write_whole(tmp_path / "ours", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours")}
    assert len(modes) == 1
