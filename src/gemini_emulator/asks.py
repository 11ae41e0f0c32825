"""What one generateContent or predict call asks for, read from its JSON and checked against the model."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from PIL import Image, UnidentifiedImageError

from gemini_emulator import checks
from gemini_emulator.errors import Json, invalid, invalid_argument
from gemini_emulator.fields import read_bytes
from gemini_emulator.ids import is_signature
from gemini_emulator.usage import Usage, pick, prompt_tokens
from gemini_emulator.world import Model, Span

MediaType = Literal["image/png", "image/jpeg"]
# reads the bytes behind a fileUri: (media type, bytes)
FileReader = Callable[[str], tuple[str, bytes]]

_QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”')
_WANTS_WORDS = re.compile(r"\b(story|poem|describe|explain|tell me|recipe|step by step)\b", re.IGNORECASE)
_READABLE = frozenset({"PNG", "JPEG", "WEBP", "MPO"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis", b"hevc"})
_UNREADABLE = (
    "Unable to process input image. Please retry or report in "
    "https://developers.generativeai.google/guide/troubleshooting"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An input picture; its size is None where it cannot be decoded here (HEIC)."""

    data: bytes
    size: Span | None
    answered: bool = False
    """The model's own, from an earlier turn of the conversation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A valid request for pictures, the model's defaults filled in."""

    model: Model
    prompt: str
    prompt_tokens: int
    references: tuple[Reference, ...] = ()
    ratio: str | None = None
    size: str = "1K"
    level: str = "none"
    seed: int | None = None
    count: int = 1
    include_thoughts: bool = False
    wants_text: bool = False
    search: bool = False
    max_output_tokens: int | None = None
    media_type: MediaType
    vertex: bool = False

    @property
    def letters(self) -> tuple[str, ...]:
        """What the prompt puts in double quotes, straight or typographic."""
        return tuple(straight or curly for straight, curly in _QUOTED.findall(self.prompt))

    @property
    def drawn_after(self) -> tuple[bytes, ...]:
        """What the picture is drawn after: the conversation's last answer, then what the user gave."""
        answers = [reference.data for reference in self.references if reference.answered]
        given = [reference.data for reference in self.references if not reference.answered]
        return (*answers[-1:], *given)

    @property
    def frame(self) -> Span:
        """Width and height of the answer: the ratio asked for, else that of the last input picture."""
        ratio = self.ratio
        shapes = [reference.size for reference in self.references if reference.size]
        if ratio is None and shapes:
            ratio = self.model.nearest_ratio(*shapes[-1])
        return self.model.frame(ratio, self.size)

    @property
    def prompt_usage(self) -> Usage:
        """Usage of the prompt alone."""
        each = self.model.vertex_image_tokens if self.vertex else None
        each = each if each is not None else self.model.input_image_tokens
        return Usage(prompt_text=self.prompt_tokens, prompt_image=each * len(self.references))

    def pick(self, span: Span, what: str) -> int:
        """A number of the span, the same for the same question to the same model."""
        return pick(span, self.prompt, self.model.canonical, self.seed, self.level, what)


def read_ask(body: Json, model: Model, *, read_file: FileReader, vertex: bool = False) -> Ask:
    """The request as a value. Raises ApiError 400 (or 403 for a file) as the provider would."""
    checks.check_request(body, model, vertex=vertex)
    config: Json = body.get("generationConfig", {})
    image = checks.image_config(config)
    level = config.get("thinkingConfig", {}).get("thinkingLevel", "").lower()
    texts = list(_texts(body))
    ask = Ask(
        model=model,
        prompt=_spoken_last(body),
        prompt_tokens=prompt_tokens(texts),
        references=tuple(_references(body, model, read_file)),
        ratio=image.get("aspectRatio"),
        size=checks.size_name(image.get("imageSize", "1K")),
        level=level or model.thinking,
        seed=config.get("seed"),
        include_thoughts=bool(config.get("thinkingConfig", {}).get("includeThoughts")),
        wants_text=_wants_text(config, texts),
        search=any("googleSearch" in tool for tool in body.get("tools", ())),
        max_output_tokens=config.get("maxOutputTokens"),
        media_type=image.get("imageOutputOptions", {}).get("mimeType", model.media_type),
        vertex=vertex,
    )
    _check_amounts(ask)
    return ask


def _check_amounts(ask: Ask) -> None:
    most, limit = ask.model.max_references, ask.model.input_limit
    if most is not None and len(ask.references) > most:
        # wording assumed: no recorded body
        raise invalid(
            f"The request has {len(ask.references)} input images; this model accepts at most {most}."
        )
    count = ask.prompt_usage.prompt
    if count > limit:
        raise invalid(
            f"The input token count ({count}) exceeds the maximum number of tokens allowed ({limit})."
        )


def _texts(body: Json) -> Iterator[str]:
    for content in [body.get("systemInstruction", {}), *body["contents"]]:
        for part in content.get("parts", ()):
            if "text" in part and not part.get("thought"):
                yield part["text"]


def _spoken_last(body: Json) -> str:
    """The text of the last user turn that has any: what a picture is made from."""
    for content in reversed(body["contents"]):
        said = " ".join(part["text"] for part in content.get("parts", ()) if part.get("text"))
        if content.get("role", "user") == "user" and said:
            return said
    return ""


def _wants_text(config: Json, texts: list[str]) -> bool:
    modalities = {name.upper() for name in config.get("responseModalities", ())}
    return (not modalities or "TEXT" in modalities) and any(_WANTS_WORDS.search(text) for text in texts)


def _references(body: Json, model: Model, read_file: FileReader) -> Iterator[Reference]:
    for position, content in enumerate(body["contents"]):
        for index, part in enumerate(content.get("parts", ())):
            if part.get("thought"):
                continue
            path = f"contents[{position}].parts[{index}]"
            if content.get("role") == "model" and "inlineData" in part and model.signed:
                _check_signature(part, position + 1, index + 1, path)
            found = _picture_of(part, path, read_file)
            if found is not None:
                answered = content.get("role") == "model"
                yield Reference(data=found, size=_decoded_size(found), answered=answered)


def _picture_of(part: Json, path: str, read_file: FileReader) -> bytes | None:
    if "inlineData" in part:
        media_type, data = (
            part["inlineData"].get("mimeType", ""),
            read_bytes(part["inlineData"].get("data", ""), f"{path}.inline_data.data"),
        )
    elif "fileData" in part:
        media_type, data = read_file(part["fileData"].get("fileUri", ""))
    else:
        return None
    return data if media_type.startswith("image/") else None


def _check_signature(part: Json, position: int, index: int, path: str) -> None:
    if "thoughtSignature" not in part:
        raise invalid(
            f"Image part is missing a thought_signature in content position {position}, part position "
            f"{index}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more "
            "details."
        )
    if not is_signature(read_bytes(part["thoughtSignature"], f"{path}.thought_signature")):
        raise invalid("Corrupted thought signature.")


def _decoded_size(data: bytes) -> Span | None:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            kind, size = picture.format, picture.size
            picture.draft("RGB", (64, 64))
            picture.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise invalid(_UNREADABLE) from error
    if kind not in _READABLE:
        # recorded for BMP: no reason given
        raise invalid_argument()
    return size
