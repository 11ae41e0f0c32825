"""The character chain over a script: lineage, quote, failures, and a folder that is run again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from desk import ARTICLE, png, router
from image_router.core.errors import (
    AssetError,
    ChainError,
    ContentRefused,
    CostLimitExceeded,
    InvalidRequest,
    NoEligibleTier,
)
from image_router.core.events import Event, ImageMade
from image_router.core.reply import ApiError, Reply
from image_router.engine.chains import ChainFailure, ChainResult
from image_router.providers.base import Call
from image_router.storage import run_folder
from image_router.testing import Script, ScriptedProvider, refused

MIRA = "Mira, a courier"
POSES = ["on a bike", "at the sea", "asleep"]


class Refusing(ScriptedProvider):
    """Refuses prompts that hold a word, paints all others."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    async def generate(self, call: Call, *, timeout: float) -> Reply:
        reply = await super().generate(call, timeout=timeout)
        return refused() if self._word in call.request.prompt else reply


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


async def made(
    folder: Path, variants: list[str] = POSES, prompt: str = MIRA, **asked: Any
) -> tuple[ChainResult, int]:
    shop, provider, _ = router(day=ARTICLE)
    return await shop.chain(prompt, variants, folder=folder, **asked), len(provider.calls)


async def test_lineage() -> None:
    """One economical reference, then every variant on Pro conditioned on its very bytes."""
    shop, provider, _ = router(day=ARTICLE)
    result = await shop.chain(MIRA, POSES)
    first, *others = provider.calls
    assert first.model.id == "gemini-2.5-flash-image"
    assert {call.model.id for call in others} == {"gemini-3-pro-image-preview"}
    for call in others:
        (shown,) = call.request.references
        assert (shown.data, shown.media_type, shown.role) == (result.reference.data, "image/png", "character")
    assert len(result.images) == len(result.variants) == 3
    assert (result.failures, result.warnings, result.manifest, result.paid_before) == ((), (), None, 0)
    assert result.cost == sum(image.cost.total for image in (result.reference, *result.images))


async def test_the_quote_is_known_before() -> None:
    """The quote up front is that of the result, and spends nothing."""
    shop, provider, _ = router(day=ARTICLE)
    quote = await shop.quote_chain(MIRA, POSES)
    assert provider.calls == []
    assert (await shop.chain(MIRA, POSES)).quote == quote
    assert quote.images == 4


async def test_failed_variants_are_reported() -> None:
    """A refused variant is a failure with its key, prompt and error; the others are made; its cost counts."""
    provider = Refusing("sea")
    shop, _, _ = router(day=ARTICLE, provider=lambda: provider)
    result = await shop.chain(MIRA, POSES)
    (failure,) = result.failures
    assert (failure.key, failure.prompt, type(failure.error)) == ("variant-002", "at the sea", ContentRefused)
    assert isinstance(result.variants[1], ChainFailure)
    assert len(result.images) == 2
    assert len(result.attempts) == len(provider.calls)


async def test_a_failed_reference() -> None:
    """Without its reference there is no chain: one typed error, and no variant was paid."""
    provider = Refusing("courier")
    shop, _, _ = router(day=ARTICLE, provider=lambda: provider)
    with pytest.raises(ChainError, match="reference was not made") as caught:
        await shop.chain(MIRA, POSES)
    assert isinstance(caught.value.__cause__, ContentRefused)
    assert {call.request.prompt for call in provider.calls} == {MIRA}


@pytest.mark.parametrize(
    ("variants", "asked", "error", "words"),
    [
        ([], {}, InvalidRequest, "at least one variant"),
        (["a", " "], {}, InvalidRequest, "no variant's prompt may be empty"),
        (POSES, {"n": 2}, InvalidRequest, "n is 2; a chain makes one picture of each variant"),
        (POSES, {"purpose": "hero"}, InvalidRequest, "purpose hero has no place in a chain"),
        (POSES, {"concurrency": 0}, InvalidRequest, "concurrency is 0"),
        (POSES, {"max_total": "0.44"}, CostLimitExceeded, "the chain of 4 images costs $0.4579272"),
        (POSES, {"max_cost": "0.03"}, CostLimitExceeded, "limit is $0.03"),
        (POSES, {"tier": "imagen_4_fast"}, NoEligibleTier, "reference images"),
    ],
)
async def test_refused_before_spending(
    variants: list[str], asked: dict[str, Any], error: type[Exception], words: str
) -> None:
    """A chain that cannot be made as asked is refused before its reference is paid."""
    shop, provider, _ = router(day=ARTICLE)
    with pytest.raises(error) as caught:
        await shop.chain(MIRA, variants, **asked)
    assert words in str(caught.value)
    assert provider.calls == []


async def test_events_name_their_item() -> None:
    """Each picture is announced with the key of its item."""
    events: list[Event] = []
    shop, _, _ = router(day=ARTICLE)
    await shop.chain(MIRA, POSES, on_event=events.append)
    keys = [event.key for event in events if isinstance(event, ImageMade)]
    assert keys[0] == "reference"
    assert sorted(keys[1:]) == ["variant-001", "variant-002", "variant-003"]


async def test_concurrency_is_kept() -> None:
    """No more variants are made at a time than asked for."""
    running: list[int] = []

    class Counting(ScriptedProvider):
        now = 0

        async def generate(self, call: Call, *, timeout: float) -> Reply:
            self.now += 1
            running.append(self.now)
            await asyncio.sleep(0)
            self.now -= 1
            return await super().generate(call, timeout=timeout)

    provider = Counting()
    shop, _, _ = router(day=ARTICLE, provider=lambda: provider)
    await shop.chain(MIRA, ["pose"] * 6, concurrency=2)
    assert max(running) <= 2


async def test_running_again_is_free(tmp_path: Path) -> None:
    """A finished folder costs nothing the second time, byte for byte the same, and says what it had cost."""
    first, calls = await made(tmp_path)
    before = bytes_of(tmp_path)
    again, more = await made(tmp_path)
    assert (calls, more) == (4, 0)
    assert bytes_of(tmp_path) == before
    assert sorted(before) == ["manifest.json", "reference.png", *(f"variant-00{i}.png" for i in (1, 2, 3))]
    assert [image.data for image in again.images] == [image.data for image in first.images]
    assert all(image.cached for image in (again.reference, *again.images))
    assert (again.cost, again.paid_before) == (0, first.cost)
    assert again.manifest == tmp_path / "manifest.json"


async def test_the_manifest_tells_the_lineage(tmp_path: Path) -> None:
    """The manifest says which picture came from which, by whom, and what it cost."""
    result, _ = await made(tmp_path)
    items = json.loads((tmp_path / "manifest.json").read_text())["items"]
    assert items["reference"]["parent"] is None
    for key in ("variant-001", "variant-002", "variant-003"):
        assert items[key]["parent"] == "reference"
        assert items[key]["made_from"] == [result.reference.digest]
        assert items[key]["model"] == "gemini-3-pro-image-preview"
    assert items["variant-001"]["prompt"] == "on a bike"


async def test_a_missing_picture_is_made_again(tmp_path: Path) -> None:
    """Only what is missing is made, from the reference that is there."""
    await made(tmp_path)
    (tmp_path / "variant-002.png").unlink()
    again, calls = await made(tmp_path)
    assert calls == 1
    assert [image.cached for image in again.images] == [True, False, True]
    assert (tmp_path / "variant-002.png").exists()


async def test_variants_may_be_added(tmp_path: Path) -> None:
    """A longer list makes only what is new."""
    await made(tmp_path)
    _, calls = await made(tmp_path, [*POSES, "in the rain"])
    assert calls == 1


async def test_a_failed_variant_is_tried_again(tmp_path: Path) -> None:
    """What failed in one run is missing in the next, and made."""
    provider = Refusing("sea")
    shop, _, _ = router(day=ARTICLE, provider=lambda: provider)
    await shop.chain(MIRA, POSES, folder=tmp_path)
    again, calls = await made(tmp_path)
    assert (calls, again.failures) == (1, ())


@pytest.mark.parametrize(
    ("variants", "prompt", "asked"),
    [
        (POSES, "Otto, a baker", {}),
        ([*POSES[:2], "dancing", "new"], MIRA, {}),
        (POSES, MIRA, {"aspect": "16:9"}),
        (POSES, MIRA, {"seed": 7}),
        (POSES, MIRA, {"size": "2K"}),
    ],
)
async def test_another_chain_in_the_folder(
    tmp_path: Path, variants: list[str], prompt: str, asked: dict[str, Any]
) -> None:
    """A folder that holds another prompt or shape is refused before anything is spent, and stays as it is."""
    await made(tmp_path)
    before = bytes_of(tmp_path)
    shop, provider, _ = router(day=ARTICLE)
    with pytest.raises(ChainError, match="holds another chain"):
        await shop.chain(prompt, variants, folder=tmp_path, **asked)
    assert provider.calls == []
    assert bytes_of(tmp_path) == before


async def test_a_changed_picture(tmp_path: Path) -> None:
    """A picture that was changed is refused with the way out, before anything is spent."""
    await made(tmp_path)
    (tmp_path / "variant-002.png").write_bytes(png())
    (tmp_path / "variant-003.png").unlink()
    shop, provider, _ = router(day=ARTICLE)
    with pytest.raises(AssetError, match=r"variant-002\.png was changed .* move it away"):
        await shop.chain(MIRA, POSES, folder=tmp_path)
    assert provider.calls == []


async def test_a_missing_reference(tmp_path: Path) -> None:
    """Variants whose reference is gone fit no new one: refused before a new reference is paid."""
    await made(tmp_path)
    (tmp_path / "reference.png").unlink()
    shop, provider, _ = router(day=ARTICLE)
    with pytest.raises(ChainError, match=r"reference .* is missing, and 3 variants came from it"):
        await shop.chain(MIRA, POSES, folder=tmp_path)
    assert provider.calls == []


async def test_somebody_elses_picture(tmp_path: Path) -> None:
    """A picture that no manifest knows is never written over, and nothing is spent beside it."""
    (tmp_path / "reference.png").write_bytes(b"precious")
    shop, provider, _ = router(day=ARTICLE)
    with pytest.raises(ChainError, match=r"reference\.png is there, but manifest\.json does not know it"):
        await shop.chain(MIRA, POSES, folder=tmp_path)
    assert provider.calls == []
    assert (tmp_path / "reference.png").read_bytes() == b"precious"


def other_process(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


async def test_two_runs_at_once(tmp_path: Path) -> None:
    """While one process uses the folder, another is refused before it spends."""
    process = other_process(f"""
        import sys
        from pathlib import Path
        from image_router.storage.run_folder import RunFolder
        with RunFolder(Path({str(tmp_path)!r})):
            print("held", flush=True)
            sys.stdin.read()
    """)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        shop, provider, _ = router(day=ARTICLE)
        with pytest.raises(ChainError, match="another run is using"):
            await shop.chain(MIRA, POSES, folder=tmp_path)
        assert provider.calls == []
        process.communicate()
    assert (await made(tmp_path))[1] == 4


async def test_a_full_disk_loses_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that cannot be kept are handed over all the same, with the trouble reported beside them."""
    real = run_folder.write_whole

    def full(path: Path, data: bytes) -> None:
        if "variant-002" in path.name:
            raise OSError(28, "No space left on device", str(path))
        real(path, data)

    monkeypatch.setattr(run_folder, "write_whole", full)
    result, _ = await made(tmp_path)
    assert len(result.images) == 3
    (warning,) = result.warnings
    assert "variant-002.png could not be written (the picture is paid)" in warning
    assert result.images[1].warnings == (warning,)
    monkeypatch.undo()
    again, calls = await made(tmp_path)
    assert (calls, len(again.images)) == (1, 3)


def test_a_real_limit_on_file_sizes(tmp_path: Path) -> None:
    """When the system itself refuses the writes, the run ends with every picture and a warning for each."""
    process = other_process(f"""
        import asyncio, resource, signal, sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from pathlib import Path
        from desk import ARTICLE, router
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        async def main():
            shop, _, _ = router(day=ARTICLE)
            await shop.generate("warm up")
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
            return await shop.chain("Mira", ["a", "b"], folder=Path({str(tmp_path)!r}))
        result = asyncio.run(main())
        print(len(result.images), len(result.warnings))
    """)
    out, errors = process.communicate()
    assert out == "2 3\n", errors


async def test_a_locked_identity_that_moves_is_told() -> None:
    """A limit that keeps Pro out leaves its mark on every variant that another tier made."""
    shop, _, _ = router(day=ARTICLE)
    result = await shop.chain(MIRA, ["a"], max_cost="0.10")
    assert result.images[0].tier == "gemini_31_flash_image"
    words = "the identity is locked, and gemini-3.1-flash-image-preview (gemini_31_flash_image) serves"
    assert words in result.images[0].warnings[0]


async def test_a_chain_tells_once_that_its_identity_moved() -> None:
    """However many variants leave the specialist, the chain's own warnings say it once, with both models."""
    shop, _, _ = router(day=ARTICLE)
    result = await shop.chain(MIRA, POSES, max_cost="0.10")
    (warning,) = result.warnings
    assert "gemini-3.1-flash-image-preview (gemini_31_flash_image) serves, not" in warning
    assert "gemini-3-pro-image-preview (nano_banana_pro)" in warning


async def test_a_chain_tells_of_a_failover() -> None:
    """A variant that another model made after the specialist failed is named in the chain's warnings."""

    class ProIsDown(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            if call.model.id == "gemini-3-pro-image-preview":
                return Reply(http_status=404, error=ApiError(http_status=404, status="NOT_FOUND"))
            return await super().generate(call, timeout=timeout)

    provider = ProIsDown()
    shop, _, _ = router(day=ARTICLE, provider=lambda: provider)
    result = await shop.chain(MIRA, ["a"])
    (warning,) = result.warnings
    assert warning == (
        "variant-001: the identity is locked, and gemini-3.1-flash-image-preview (gemini_31_flash_image) "
        "made it after gemini-3-pro-image-preview (nano_banana_pro) failed: compare the looks"
    )


@pytest.mark.parametrize("variants", [["a", None], ["a", 3], ["\udc80"]])
async def test_variants_are_words(variants: list[Any]) -> None:
    """A variant that is no text, or none that can be sent, is refused before anything is spent."""
    shop, provider, _ = router(day=ARTICLE)
    with pytest.raises(InvalidRequest):
        await shop.chain(MIRA, variants)
    assert provider.calls == []


async def test_cancelling_keeps_what_is_finished(tmp_path: Path) -> None:
    """A cancelled chain leaves no task, frees its folder, and the next run makes only the rest."""
    hanging = asyncio.Event()

    class Stuck(ScriptedProvider):
        async def generate(self, call: Call, *, timeout: float) -> Reply:
            if call.request.prompt == "asleep":
                hanging.set()
                await asyncio.Event().wait()
            return await super().generate(call, timeout=timeout)

    provider = Stuck()
    shop, _, _ = router(day=ARTICLE, provider=lambda: provider)
    before = asyncio.all_tasks()
    task = asyncio.create_task(shop.chain(MIRA, POSES, folder=tmp_path, concurrency=1))
    await hanging.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
    again, calls = await made(tmp_path)
    assert (calls, len(again.images)) == (1, 3)


async def test_another_model_in_between(tmp_path: Path) -> None:
    """Pictures found in the folder are those of their own day: a later day makes only what is missing."""
    await made(tmp_path)
    (tmp_path / "variant-003.png").unlink()
    shop, provider, _ = router()
    result = await shop.chain(MIRA, POSES, folder=tmp_path)
    assert [call.model.id for call in provider.calls] == ["gemini-3-pro-image"]
    models = [image.model for image in result.images]
    assert models == ["gemini-3-pro-image-preview", "gemini-3-pro-image-preview", "gemini-3-pro-image"]


async def test_references_of_the_callers_own() -> None:
    """The caller's own references go with the reference and with every variant, after the character's."""
    shop, provider, _ = router(Script(), day=ARTICLE)
    result = await shop.chain(MIRA, ["a"], references=[png()])
    assert [ref.data for ref in provider.calls[0].request.references] == [png()]
    assert [ref.data for ref in provider.calls[1].request.references] == [result.reference.data, png()]
