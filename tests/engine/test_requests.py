"""Loose arguments become one request, or a typed refusal that says what would do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desk import conversation, png, reference
from image_router.core.errors import InvalidRequest
from image_router.core.rates import Cost
from image_router.core.results import GeneratedImage
from image_router.core.types import (
    Adaptation,
    AspectRatio,
    Grounding,
    ImageRequest,
    Lane,
    PersonGeneration,
    Pixels,
    Purpose,
    Quality,
    ReferenceRole,
    RetiredPolicy,
    SafetySetting,
    Size,
    ThinkingLevel,
    Tier,
)
from image_router.engine.requests import build_request, load_references

BULLYING = SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("purpose", "hero", Purpose.HERO),
        ("size", "4K", Size.K4),
        ("aspect", "16:9", AspectRatio.R16_9),
        ("lane", "batch", Lane.BATCH),
        ("tier", "nano_banana", Tier.NANO_BANANA),
        ("retired", "substitute", RetiredPolicy.SUBSTITUTE),
        ("quality_floor", "print", Quality.PRINT),
        ("thinking", "high", ThinkingLevel.HIGH),
        ("person_generation", "allow_all", PersonGeneration.ALLOW_ALL),
        ("grounding", "web", (Grounding.WEB,)),
        ("grounding", ["web", "image"], (Grounding.WEB, Grounding.IMAGE)),
        ("allow", "smaller_size", frozenset({Adaptation.SMALLER_SIZE})),
        (
            "allow",
            ["smaller_size", "image_prefix"],
            frozenset({Adaptation.SMALLER_SIZE, Adaptation.IMAGE_PREFIX}),
        ),
        ("safety", {"HARM_CATEGORY_HARASSMENT": "BLOCK_NONE"}, (BULLYING,)),
        ("safety", [("HARM_CATEGORY_HARASSMENT", "BLOCK_NONE")], (BULLYING,)),
        ("safety", [BULLYING], (BULLYING,)),
        ("max_cost", "$0.134", 134_000_000),
        ("max_cost", Decimal("0.0387"), 38_700_000),
        ("max_total", 2, 2_000_000_000),
        ("n", 3, 3),
        ("seed", 0, 0),
        ("deadline", 30, 30.0),
        ("text", "SALE", "SALE"),
        ("text_heavy", True, True),
        ("key", "k", "k"),
    ],
)
async def test_fields(name: str, given: Any, value: object) -> None:
    """Names become members, dollars nano-dollars, single values lists where lists are meant."""
    request = await build_request("a fox", {name: given})
    assert getattr(request, name) == value
    assert type(getattr(request, name)) is type(value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": " \n"}, "the prompt is empty"),
        ({"prompt": None}, "prompt None is no text"),
        ({"prompt": b"a fox"}, "prompt b'a fox' is no text"),
        ({"purpose": "poster"}, "purpose 'poster' is not one of economy, draft"),
        ({"size": "8K"}, "size '8K' is not one of 512, 1K, 2K, 4K"),
        ({"size": 1024}, "size 1024 is not one of"),
        ({"aspect": "7:3"}, "aspect '7:3' is not one of 1:1"),
        ({"tier": "dalle"}, "tier 'dalle' is not one of nano_banana_pro"),
        ({"grounding": ["maps"]}, "grounding 'maps' is not one of web, image"),
        ({"grounding": 7}, "grounding 7 is no list"),
        ({"allow": ["shorten"]}, "allow 'shorten' is not one of"),
        ({"n": 0}, "n is 0; ask for 1 to 100"),
        ({"n": 101}, "n is 101; ask for 1 to 100"),
        ({"n": "3"}, "n '3' is not a whole number"),
        ({"n": True}, "n True is not a whole number"),
        ({"seed": 1.5}, "seed 1.5 is not a whole number"),
        ({"seed": 2**31}, "does not fit 32 bits"),
        ({"max_cost": 0.1}, "max_cost must be exact"),
        ({"max_cost": "nan"}, "max_cost nan must be between"),
        ({"max_cost": "-1"}, "max_cost -1 must be between"),
        ({"max_total": "lots"}, "max_total 'lots' is not an amount"),
        ({"deadline": 0}, "must be above 0"),
        ({"deadline": float("nan")}, "must be above 0"),
        ({"deadline": "soon"}, "deadline 'soon' is no number of seconds"),
        ({"text": " "}, "text to render is empty"),
        ({"text": 7}, "text 7 is no text"),
        ({"text_heavy": "no"}, "text_heavy 'no' is neither True nor False"),
        ({"safety": ["HARM"]}, "'HARM' is no category with its threshold"),
        ({"safety": {"HATE": "BLOCK_NONE"}}, "'HATE' is none of the API's; write it like HARM_CATEGORY"),
        (
            {"safety": {"HARM_CATEGORY_HARASSMENT": "BLOCK_SOME"}},
            "'BLOCK_SOME' of HARM_CATEGORY_HARASSMENT is not one of BLOCK_NONE, OFF, BLOCK_ONLY_HIGH",
        ),
        ({"text": "a\udc80"}, r"text holds '\udc80' as character 2, which is no Unicode text"),
        ({"system_instruction": "\ud83d"}, r"system_instruction holds '\ud83d' as character 1"),
        ({"references": ["ftp://me:secret@host/a.png"]}, "'ftp://host/a.png' is no http or https URL; downl"),
        ({"safety": [("HARM_CATEGORY_HARASSMENT",)]}, "is no category with its threshold"),
        ({"conversation": "earlier"}, "conversation is str; pass the .conversation of a made image"),
        ({"tier": "nano_banana", "model": "m"}, "both tier nano_banana and model m are pinned"),
        ({"colour": "red"}, "unknown field colour; known are allow, aspect"),
        ({"references": ["nowhere.png"]}, "reference nowhere.png cannot be read"),
        ({"references": [b""]}, "is empty"),
        ({"references": [b"%PDF-1.7"]}, "8 bytes are a PDF, not a PNG"),
        ({"references": [7]}, "cannot be made of int"),
        ({"references": [(png(), "villain")]}, "reference role 'villain' is not one of object"),
        ({"references": [(png(), "style", 3)]}, "is a pair, such as ('a.png', 'style'), not 3"),
        ({"references": "http://127.0.0.1/a.png"}, "127.0.0.1"),
    ],
)
async def test_refusals(fields: dict[str, Any], words: str) -> None:
    """Whatever is wrong is refused as InvalidRequest, naming the field, the value and what would do."""
    given = {"prompt": "a fox", **fields}
    with pytest.raises(InvalidRequest, match=re.escape(words)):
        await build_request(given.pop("prompt"), given)


async def test_none_means_not_given() -> None:
    """An argument of None takes the default, or the router's own setting."""
    request = await build_request("a fox", {"size": None, "deadline": None}, defaults={"deadline": 9.0})
    assert (request.size, request.deadline) == (Size.K1, 9.0)
    assert (await build_request("a fox", {"deadline": 3}, defaults={"deadline": 9.0})).deadline == 3.0


async def test_a_ready_request() -> None:
    """A ready request passes as it is, and takes no fields beside it."""
    ready = ImageRequest(prompt="a fox")
    assert await build_request(ready, {}) is ready
    with pytest.raises(InvalidRequest, match="takes no further fields: n, size"):
        await build_request(ready, {"size": "2K", "n": 2})


def test_a_request_made_by_hand_reads_names_too() -> None:
    """Plain text for an enum is made its member, so that no comparison by identity is fooled."""
    request = ImageRequest(prompt="a fox", purpose="character_lock", size="2K")  # type: ignore[arg-type]
    assert request.purpose is Purpose.CHARACTER_LOCK
    assert request.locks_identity
    with pytest.raises(InvalidRequest, match="purpose 'poster' is not one of economy"):
        ImageRequest(prompt="a fox", purpose="poster")  # type: ignore[arg-type]


@dataclass
class Blob:
    data: bytes


@dataclass
class Part:
    """What a google.genai Part looks like: a model that iterates over its fields."""

    inline_data: Blob

    def __iter__(self) -> Iterator[tuple[str, Blob]]:
        yield "inline_data", self.inline_data


def made(data: bytes) -> GeneratedImage:
    return GeneratedImage(
        data=data, media_type="image/png", pixels=Pixels(32, 32), digest="d", tier=None, model="m",
        cost=Cost(), usage=None, request_id="req_1", response_id=None, index=2,
    )  # fmt: skip


async def test_sources(tmp_path: Path) -> None:
    """Bytes, paths, SDK parts, made pictures and ready references are all read, and typed by their bytes."""
    path = tmp_path / "photo.png"
    path.write_bytes(png(kind="JPEG"))
    sources = [png(), str(path), path, Part(Blob(png())), made(png()), reference(), (png(), "style")]
    references = await load_references(sources)
    assert [ref.media_type for ref in references] == [
        "image/png", "image/jpeg", "image/jpeg", "image/png", "image/png", "image/png", "image/png",
    ]  # fmt: skip
    assert references[1].name == str(path)
    assert [ref.role for ref in references[:-1]] == [ReferenceRole.OBJECT] * 6
    assert references[-1].role is ReferenceRole.STYLE


@pytest.mark.parametrize("source", [png(), Part(Blob(png())), made(png()), reference()])
async def test_a_single_source(source: Any) -> None:
    """One source may stand without a list around it, also where it could be iterated over."""
    assert len(await load_references(source)) == 1


async def test_a_single_path(tmp_path: Path) -> None:
    """A path as text is one reference, not one for each letter."""
    path = tmp_path / "a.png"
    path.write_bytes(png())
    assert len((await build_request("a fox", {"references": str(path)})).references) == 1


async def test_a_made_picture_in_a_role() -> None:
    """A made picture takes the role it is given, and is named by its request."""
    (shown,) = await load_references([(made(png()), "character")])
    assert (shown.role, shown.name) == (ReferenceRole.CHARACTER, "req_1 image 3")


async def test_all_references_together() -> None:
    """References that together exceed one request are refused with both figures."""
    big = reference("x" * 30_000_000)
    with pytest.raises(InvalidRequest, match="120,000,000 bytes as base64, one request holds 100,000,000"):
        await load_references([big] * 3)


async def test_offline_fetches_nothing() -> None:
    """Offline no URL is fetched; the refusal names the URL and the way out."""
    with pytest.raises(
        InvalidRequest, match=r"https://example\.com/a\.png is not fetched offline; give a file"
    ):
        await build_request("a fox", {"references": ["https://example.com/a.png"]}, fetch_urls=False)


async def test_a_conversation_passes() -> None:
    """The conversation of a made image goes in as it is."""
    talk = conversation("gemini-3-pro-image")
    assert (await build_request("now at night", {"conversation": talk})).conversation is talk
