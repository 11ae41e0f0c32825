"""A run's folder at every instant it may be left in; the chain's tests show whole runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from desk import png
from image_router.core.chain import ChainItem
from image_router.core.errors import AssetError, ChainError
from image_router.core.rates import Cost, CostLine, LineKind
from image_router.core.results import GeneratedImage
from image_router.core.types import ImageRequest, Pixels, Tier
from image_router.storage import files
from image_router.storage.run_folder import RunFolder

ITEM = ChainItem(key="reference", request=ImageRequest(prompt="Mira"))
FILE = "reference.png"


def image(data: bytes = b"") -> GeneratedImage:
    data = data or png()
    line = CostLine(kind=LineKind.IMAGE_OUTPUT, unit="token", rate=30_000, units=1290)
    return GeneratedImage(
        data=data, media_type="image/png", pixels=Pixels(32, 32), digest=hashlib.sha256(data).hexdigest(),
        tier=Tier.NANO_BANANA, model="m", cost=Cost(lines=(line,)), usage=None, request_id="req",
        response_id="r", warnings=("w",),
    )  # fmt: skip


def found(folder: Path) -> GeneratedImage | None:
    with RunFolder(folder) as kept:
        return kept.finished([ITEM]).get(ITEM.key)


def kept(folder: Path, data: bytes = b"") -> None:
    with RunFolder(folder) as run:
        run.keep(ITEM, image(data))


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    """A kept picture comes back with all it was, free, and the folder knows what it had cost."""
    kept(tmp_path)
    again = found(tmp_path)
    assert again is not None
    assert (again.data, again.digest, again.model, again.tier) == (png(), image().digest, "m", "nano_banana")
    assert (again.cached, again.cost.total, again.warnings) == (True, 0, ("w",))
    with RunFolder(tmp_path) as run:
        assert run.paid == 38_700_000


def test_every_picture_has_a_key(tmp_path: Path) -> None:
    """A picture's key outlives the process, names this folder alone, and is another once it is taken away."""
    keys = []
    for _ in range(2):
        with RunFolder(tmp_path / "a") as run:
            run.finished([ITEM])
            keys.append(run.key_of(ITEM))
    with RunFolder(tmp_path / "b") as run:
        run.finished([ITEM])
        assert run.key_of(ITEM) != keys[0] == keys[1]
    kept(tmp_path / "a")
    (tmp_path / "a" / FILE).unlink()
    with RunFolder(tmp_path / "a") as run:
        assert run.finished([ITEM]) == {}
        assert run.key_of(ITEM) != keys[0]


def test_a_refused_picture_gets_another_key(tmp_path: Path) -> None:
    """Each refusal changes the picture's key for good, and no other picture's."""
    other = ChainItem(key="variant-001", request=ITEM.request)
    keys = []
    for _ in range(3):
        with RunFolder(tmp_path) as run:
            run.finished([ITEM])
            keys.append((run.key_of(ITEM), run.key_of(other)))
            run.refused(ITEM)
    assert (len({key for key, _ in keys}), len({key for _, key in keys})) == (3, 1)


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("instant", range(1, 12))
def test_killed_at_any_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instant: int) -> None:
    """Whatever a run dies at, the next one goes on: the picture is found whole or made again."""
    calls = 0
    real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in ("fsync", "replace", "open")}

    def counted(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == instant:
                raise Killed
            return real[name](*args, **kwargs)

        return call

    with RunFolder(tmp_path) as run:
        for name in real:
            monkeypatch.setattr(os, name, counted(name))
        with suppress(Killed):
            run.keep(ITEM, image())
        monkeypatch.undo()
    again = found(tmp_path)
    assert again is None or again.data == png()
    if again is None:
        kept(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".png") == [FILE]
    assert found(tmp_path) is not None


def test_killed_before_the_rename(tmp_path: Path) -> None:
    """A picture written beside but not yet named is adopted, since it is paid."""
    kept(tmp_path)
    (tmp_path / FILE).rename(tmp_path / f".{FILE}.part")
    again = found(tmp_path)
    assert again is not None
    assert again.data == png()
    assert (tmp_path / FILE).exists()
    assert not (tmp_path / f".{FILE}.part").exists()


def test_half_a_picture_is_not_adopted(tmp_path: Path) -> None:
    """A part that is not whole is no picture; it is made again."""
    kept(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / f".{FILE}.part").write_bytes(png()[:40])
    assert found(tmp_path) is None


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    """What the manifest knows and the folder lacks is to be made."""
    kept(tmp_path)
    (tmp_path / FILE).unlink()
    assert found(tmp_path) is None


def test_a_changed_file(tmp_path: Path) -> None:
    """A picture that is not the one made is refused."""
    kept(tmp_path)
    (tmp_path / FILE).write_bytes(png(colour=1))
    with pytest.raises(AssetError, match=r"reference\.png was changed since it was made; move it away"):
        found(tmp_path)


def test_something_else_in_its_place(tmp_path: Path) -> None:
    """A folder where the picture should be is reported, not stumbled over."""
    kept(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(AssetError, match=r"reference\.png cannot be read"):
        found(tmp_path)


BROKEN: list[Callable[[dict[str, Any]], Any]] = [
    lambda record: "no JSON at all",
    lambda record: [],
    lambda record: {},
    lambda record: {**record, "format": 2},
    lambda record: {**record, "items": []},
    lambda record: {**record, "items": {"reference": 3}},
    lambda record: {**record, "items": {"reference": {}}},
    lambda record: {**record, "items": {"reference": {**record["items"]["reference"], "cost_usd": "much"}}},
    lambda record: {**record, "items": {"reference": {**record["items"]["reference"], "tier": "x"}}},
    lambda record: {**record, "items": {"reference": {**record["items"]["reference"], "file": "../a.png"}}},
    lambda record: {**record, "items": {"reference": {**record["items"]["reference"], "fingerprint": None}}},
]


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_manifest(tmp_path: Path, damage: Callable[[dict[str, Any]], Any]) -> None:
    """A manifest that cannot be read is refused with its path, and the folder is free again afterwards."""
    kept(tmp_path)
    manifest = tmp_path / "manifest.json"
    whole = manifest.read_text()
    broken = damage(json.loads(whole))
    manifest.write_text(broken if isinstance(broken, str) else json.dumps(broken))
    with pytest.raises(
        ChainError, match=r"manifest\.json (cannot be read|has format 2; this program reads 1)"
    ):
        found(tmp_path)
    manifest.write_text(whole)
    assert found(tmp_path) is not None


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A folder in use is refused, and free again afterwards."""
    with RunFolder(tmp_path), pytest.raises(ChainError, match="another run is using"):
        found(tmp_path)
    assert found(tmp_path) is None


def test_a_place_that_is_no_folder(tmp_path: Path) -> None:
    """A path that cannot be a folder is an AssetError that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(AssetError, match=r"the run folder .*file.* cannot be used"):
        found(tmp_path / "file")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc, a folder that takes no files")
def test_a_folder_that_takes_no_files() -> None:
    """A folder in which no lock can be made is not said to be in use by another run."""
    with pytest.raises(AssetError, match="the run folder /proc takes no files"):
        found(Path("/proc"))


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not take the picture is an AssetError that says it is paid."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with RunFolder(tmp_path) as run:
        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(AssetError, match=r"reference\.png could not be written \(the picture is paid\)"):
            run.keep(ITEM, image())
