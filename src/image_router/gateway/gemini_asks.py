"""Google's request fields → what the router is asked for, where it is the router that chooses the model.

Every field is served, refused with a 400 that says why, or listed as ignored with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pybase64

from image_router.core.types import Grounding, Turn, TurnPart
from image_router.gateway import refusals
from image_router.gateway.gemini_bodies import DEFAULT_SAMPLES, Json, items, number, value, word

_TOP: Final = ("contents", "systemInstruction", "generationConfig", "safetySettings", "tools", "model")
_CONFIG: Final = ("candidateCount", "imageConfig", "responseModalities", "seed", "thinkingConfig")
_IMAGE: Final = ("aspectRatio", "imageSize", "personGeneration")
_PARAMETERS: Final = (
    "sampleCount",
    "aspectRatio",
    "imageSize",
    "sampleImageSize",
    "personGeneration",
    "seed",
    "language",
    "safetySetting",
    "includeRaiReason",
)
_SAMPLING: Final = "the models draw with their own sampling; only seed is passed on"
_IGNORED: Final[Mapping[str, str]] = {
    "temperature": _SAMPLING,
    "topP": _SAMPLING,
    "topK": _SAMPLING,
    "presencePenalty": _SAMPLING,
    "frequencyPenalty": _SAMPLING,
    "stopSequences": "a picture has no words to stop at",
    "maxOutputTokens": "the limit follows from the picture's size",
    "mediaResolution": "input pictures go as they are",
    "labels": "labels are billing data of the enterprise service",
    "includeThoughts": "thoughts are not handed on",
    "includeSafetyAttributes": "no model here tells them",
}
_PLAIN: Final = str.maketrans("-_", "+/")
_HARMS: Final = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for pictures."""

    prompt: str
    fields: Mapping[str, Any]
    """Keyword arguments of the router."""
    references: tuple[Any, ...] = ()
    """Bytes, or addresses to fetch."""
    turns: tuple[Turn, ...] = ()
    """Those before this one, if the model has drawn in one of them."""
    ignored: Mapping[str, str] = field(default_factory=dict)


def asked_of(message: Json) -> Asked:
    """Read a generateContent body. Raises Refusal naming the field."""
    config = value(message, "generationConfig") or {}
    thinking = value(config, "thinkingConfig") or {}
    image = value(config, "imageConfig") or {}
    ignored = [
        *_checked(message, _TOP),
        *_checked(config, _CONFIG, "generationConfig."),
        *_checked(image, _IMAGE, "generationConfig.imageConfig."),
        *_checked(thinking, ("thinkingLevel",), "generationConfig.thinkingConfig."),
    ]
    _check_one_picture(config)
    fields = {
        "aspect": word(image, "aspectRatio"),
        "size": word(image, "imageSize"),
        "person_generation": _lower(word(image, "personGeneration")),
        "seed": number(config, "seed"),
        "thinking": _lower(word(thinking, "thinkingLevel")),
        "safety": [_setting(setting) for setting in items(message, "safetySettings")] or None,
        "system_instruction": _said(value(message, "systemInstruction")) or None,
        "grounding": list(_grounding(items(message, "tools"))) or None,
    }
    return _with_turns(items(message, "contents"), fields, dict(ignored))


def asked_of_predict(message: Json) -> Asked:
    """Read a :predict body. Raises Refusal naming the field."""
    instances, asked = items(message, "instances"), value(message, "parameters") or {}
    if len(instances) != 1:
        raise refusals.malformed(f"{len(instances)} instances; send one", param="instances")
    for one in instances:
        list(_checked(one, ("prompt",), "instances[0]."))
    ignored = dict(_checked(asked, _PARAMETERS, "parameters."))
    samples = number(asked, "sampleCount")
    safety = word(asked, "safetySetting")
    fields = {
        "n": DEFAULT_SAMPLES if samples is None else samples,
        "aspect": word(asked, "aspectRatio"),
        "size": word(asked, "sampleImageSize") or word(asked, "imageSize"),
        "person_generation": _lower(word(asked, "personGeneration")),
        "seed": number(asked, "seed"),
        "language": word(asked, "language"),
        "safety": [(f"HARM_CATEGORY_{harm}", safety.upper()) for harm in _HARMS] if safety else None,
    }
    return Asked(prompt=word(instances[0], "prompt") or "", fields=_given(fields), ignored=ignored)


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said for name, said in fields.items() if said is not None}


def _checked(message: Json, known: Iterable[str], where: str = "") -> Iterator[tuple[str, str]]:
    """What of it has no effect, and why. Refuses names that mean nothing here."""
    if not isinstance(message, dict):
        field = where.removesuffix(".")
        raise refusals.malformed(f"{field} is no object", param=field)
    names = {form: name for name in (*known, *_IGNORED) for form in (name, _snake(name))}
    for given, said in message.items():
        name = names.get(given)
        if said is None:
            continue
        if name is None:
            words = f"{where}{given} is not served where the router chooses the model; name one or leave it"
            raise refusals.malformed(words, param=f"{where}{given}")
        if name in _IGNORED and name not in known:
            yield f"{where}{name}", _IGNORED[name]


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _lower(said: str | None) -> str | None:
    return said.lower() if said else None


def _check_one_picture(config: Json) -> None:
    if (number(config, "candidateCount") or 1) > 1:
        words = "Multiple candidates is not enabled for this model; send the request once for each picture"
        raise refusals.malformed(words, param="generationConfig.candidateCount")
    wanted = {str(one).upper() for one in value(config, "responseModalities") or ()}
    if wanted and not wanted & {"IMAGE", "MODALITY_UNSPECIFIED"}:
        words = f"responseModalities {', '.join(sorted(wanted))}: pictures are made here; add IMAGE"
        raise refusals.malformed(words, param="generationConfig.responseModalities")


def _setting(setting: Any) -> tuple[str, str]:
    return word(setting, "category") or "", word(setting, "threshold") or ""


def _grounding(tools: list[Any]) -> Iterator[str]:
    for tool in tools:
        search = value(tool, "googleSearch")
        if search is None or set(tool) - {"googleSearch", "google_search"}:
            names = ", ".join(tool) if isinstance(tool, dict) else str(tool)
            raise refusals.malformed(f"tools: {names}: only googleSearch is served", param="tools")
        kinds = value(search, "searchTypes") or {}
        if not kinds or value(kinds, "webSearch") is not None:
            yield Grounding.WEB.value
        if value(kinds, "imageSearch") is not None:
            yield Grounding.IMAGE.value


def _said(content: Any) -> str:
    return "\n".join(filter(None, (word(part, "text") for part in items(content, "parts"))))


def _with_turns(contents: list[Any], fields: Json, ignored: dict[str, str]) -> Asked:
    """The last turn is the request. Where the model has drawn before, the others are its conversation; else
    all words and pictures together say what is wanted."""
    if not contents or (word(contents[-1], "role") or "user") != "user":
        raise refusals.malformed("contents must end with a turn of the user", param="contents")
    turns = tuple(Turn(role=word(one, "role") or "user", parts=tuple(_parts(one))) for one in contents[:-1])
    drawn = any(part.data is not None for turn in turns if turn.role == "model" for part in turn.parts)
    here = contents[-1:] if drawn else contents
    prompt = "\n\n".join(filter(None, (_said(content) for content in here)))
    if not prompt.strip():
        words = "the last turn says nothing; write what the picture shall show"
        raise refusals.malformed(words, param="contents")
    sources = tuple(source for content in here for source in _sources(content))
    return Asked(
        prompt=prompt,
        fields=_given(fields),
        references=sources,
        turns=turns if drawn else (),
        ignored=ignored,
    )


def _parts(content: Any) -> Iterator[TurnPart]:
    """The parts of an earlier turn as they were, without thoughts."""
    for part in items(content, "parts"):
        if value(part, "thought") is True:
            continue
        signature, blob = word(part, "thoughtSignature"), value(part, "inlineData")
        if blob is not None:
            data, kind = _decoded(blob), word(blob, "mimeType")
            yield TurnPart(data=data, media_type=kind, signature=signature)
        elif (said := word(part, "text")) is not None:
            yield TurnPart(text=said, signature=signature)


def _sources(content: Any) -> Iterator[bytes | str]:
    for part in items(content, "parts"):
        if (blob := value(part, "inlineData")) is not None:
            yield _decoded(blob)
        elif (file := value(part, "fileData")) is not None:
            yield _address(word(file, "fileUri") or "")
        elif word(part, "text") is None:
            names = ", ".join(part) if isinstance(part, dict) else str(part)
            words = f"a part with {names or 'nothing'}: text, inlineData and fileData are taken"
            raise refusals.malformed(words, param="contents.parts")


def _address(uri: str) -> str:
    if uri.lower().startswith(("https://", "http://")) and "/files/" not in uri:
        return uri
    words = (
        f"fileUri {uri[:60]!r}: Google alone can read an uploaded file; name a model to use it, or send the "
        f"picture as inlineData"
    )
    raise refusals.malformed(words, param="fileData.fileUri")


def _decoded(blob: Any) -> bytes:
    """Both alphabets, as protobuf's JSON reads them: google-genai writes the one for URLs."""
    said = (word(blob, "data") or "").rstrip("=")
    plain = said.translate(_PLAIN) if "-" in said or "_" in said else said
    try:
        return pybase64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as problem:
        raise refusals.malformed(f"inlineData is no base64: {problem}", param="inlineData.data") from None
