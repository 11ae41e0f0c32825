"""What the studio repeats and what it varies."""

from __future__ import annotations

from dataclasses import replace

from gemini_emulator.asks import Ask
from gemini_emulator.studio import Studio
from gemini_emulator.world import world

FRAME = (64, 64)


def ask(seed: int | None = None) -> Ask:
    model = world().find("gemini-3-pro-image")
    assert model is not None
    return Ask(model=model, prompt="a red mug", prompt_tokens=3, media_type="image/png", seed=seed)


async def test_takes_without_a_seed_differ() -> None:
    """The same wish twice gives two pictures, as the real models do."""
    studio = Studio("drawn")
    assert await studio.paint(ask(), FRAME) != await studio.paint(ask(), FRAME)


async def test_a_seed_repeats_itself() -> None:
    """With a seed every take is the same picture."""
    studio = Studio("drawn")
    assert await studio.paint(ask(7), FRAME) == await studio.paint(ask(7), FRAME)


async def test_a_fresh_studio_repeats_the_first_take() -> None:
    """After a reset, and in another emulator, the first take is the same picture again."""
    studio = Studio("flat")
    first = await studio.paint(ask(), FRAME)
    await studio.paint(ask(), FRAME)
    studio.reset()
    assert first == await studio.paint(ask(), FRAME) == await Studio("flat").paint(ask(), FRAME)


async def test_flat_pictures_are_never_equal() -> None:
    """Flat pictures of one wish differ too, so that digests stay unique in load tests."""
    studio = Studio("flat")
    assert len({await studio.paint(replace(ask(), prompt="p"), FRAME) for _ in range(50)}) == 50
