"""Google's request bodies, read as far as money and rights need it; both spellings of a name count.

Format: https://ai.google.dev/api/generate-content and https://ai.google.dev/gemini-api/docs/imagen, both read
2026-11-22.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from image_router.core.catalog import Model
from image_router.core.relaying import Written
from image_router.gateway import refusals

Json: TypeAlias = dict[str, Any]

DEFAULT_SAMPLES: Final = 4
"""Pictures of one :predict that does not say how many."""
_SIGNATURES: Final = frozenset({"thoughtSignature", "thought_signature"})
_BLOBS: Final = frozenset({"inlineData", "inline_data"})
_FILE: Final = re.compile(r"(?:^|/)(files/[a-z0-9-]{1,64})(?::|\?|$)")
_URIS: Final = ("fileUri", "file_uri", "fileName", "file_name")
_SEARCHES: Final = ("googleSearch", "googleSearchRetrieval")
_PLAIN_TIERS: Final = frozenset({"", "standard", "unspecified"})


def value(message: Any, name: str) -> Any:
    """A field by its camelCase name, as Google reads it: also in snake_case. Refuses one given twice."""
    if not isinstance(message, dict):
        return None
    other = re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
    if other != name and message.get(name) is not None and message.get(other) is not None:
        raise refusals.malformed(f"{name} is given twice, also as {other}; give it once", param=name)
    found = message.get(name)
    return message.get(other) if found is None else found


def items(message: Any, name: str) -> list[Any]:
    """The messages of a repeated field; one that stands alone counts as a list of itself."""
    found = value(message, name)
    if isinstance(found, dict):
        return [found]
    return found if isinstance(found, list) else []


def word(message: Any, name: str) -> str | None:
    """A text field; anything else is for the provider to refuse."""
    found = value(message, name)
    return found if isinstance(found, str) else None


def number(message: Any, name: str) -> int | None:
    """A whole number, which JSON may also write as text or with a point."""
    found = value(message, name)
    try:
        return None if found is None or isinstance(found, bool) else int(found)
    except (TypeError, ValueError, OverflowError):
        return None


def written(message: Json, model: Model) -> Written:
    """What a generateContent body can cost. Raises Refusal for what would be paid by rules unknown here."""
    return Written(model=model, **measured(message))


def measured(message: Json) -> dict[str, Any]:
    """The same, whichever model it is for: the other fields of Written. Raises Refusal likewise."""
    _check_priced(message)
    config = value(message, "generationConfig")
    thinking = value(config, "thinkingConfig")
    inputs = list(_inputs(message))
    tools = items(message, "tools")
    return {
        "words": _words(message),
        "pictures": sum(kind.startswith("image/") for kind in inputs),
        "opaque": not all(kind.startswith("image/") for kind in inputs) or any(map(_opens, tools)),
        "size": _size(config),
        "aspect": word(value(config, "imageConfig"), "aspectRatio"),
        "thinking": word(thinking, "thinkingLevel"),
        "thinking_tokens": number(thinking, "thinkingBudget") or 0,
        "most_output": number(config, "maxOutputTokens"),
        "searches": any(value(tool, name) is not None for tool in tools for name in _SEARCHES),
    }


def written_predict(message: Json, model: Model) -> Written:
    """What a :predict body can cost."""
    asked = value(message, "parameters")
    samples = number(asked, "sampleCount")
    count = DEFAULT_SAMPLES if samples is None else max(1, samples)
    return Written(
        model=model,
        words=_words(message),
        size=word(asked, "sampleImageSize") or word(asked, "imageSize"),
        aspect=word(asked, "aspectRatio"),
        images=count * max(1, len(items(message, "instances"))),
    )


def _check_priced(message: Json) -> None:
    if value(message, "cachedContent") is not None:
        words = "cachedContent: cached contents are not kept here; send the contents themselves"
        raise refusals.malformed(words, param="cachedContent")
    tier = str(value(message, "serviceTier") or "").lower().removeprefix("service_tier_")
    if tier not in _PLAIN_TIERS:
        words = f"serviceTier {tier!r} has no price in the rate card; leave it out or send standard"
        raise refusals.malformed(words, param="serviceTier")


def _size(config: Any) -> str | None:
    """As it is asked for. Two that differ are no known size, which counts as the model's largest."""
    places = (value(config, "imageConfig"), value(value(config, "responseFormat"), "image"))
    said = [value(place, "imageSize") for place in places]
    sizes = {str(size) for size in said if size is not None}
    return "+".join(sorted(sizes)) or None


def parts(message: Json) -> Iterator[Json]:
    """All parts of all turns, the system instruction's first."""
    for content in (value(message, "systemInstruction"), *items(message, "contents")):
        yield from (part for part in items(content, "parts") if isinstance(part, dict))


def _inputs(message: Json) -> Iterator[str]:
    """Media type of everything that is no text."""
    for part in parts(message):
        for name in ("inlineData", "fileData"):
            if (blob := value(part, name)) is not None:
                yield (word(blob, "mimeType") or "").lower()


def _opens(tool: Any) -> bool:
    """Whether a tool reads what nobody has seen: its tokens are input too."""
    return value(tool, "urlContext") is not None


def _words(found: Any) -> int:
    """UTF-8 bytes of every text and name in the message, pictures and signatures left out."""
    if isinstance(found, str):
        return len(found.encode())
    if isinstance(found, list):
        return sum(_words(item) for item in found)
    if isinstance(found, dict):
        return sum(_words(item) for name, item in found.items() if name not in _SIGNATURES | _BLOBS)
    return 0


def files(message: Json) -> tuple[str, ...]:
    """Names of the provider's files that the message uses anywhere, such as files/abc."""
    named = (_FILE.search(uri) for uri in _uris(message))
    return tuple(dict.fromkeys(match[1] for match in named if match))


def _uris(found: Any) -> Iterator[str]:
    if isinstance(found, list):
        for item in found:
            yield from _uris(item)
    elif isinstance(found, dict):
        yield from (uri for name in _URIS if isinstance(uri := found.get(name), str))
        for item in found.values():
            yield from _uris(item)


def last_words(message: Json) -> str:
    """What the user said last, for the books and the log."""
    for content in reversed(items(message, "contents")):
        if (word(content, "role") or "user") == "user":
            said = [word(part, "text") or "" for part in items(content, "parts")]
            if any(said):
                return "\n".join(filter(None, said))
    instances = items(message, "instances")
    return next(filter(None, (word(one, "prompt") for one in instances)), "") or "(no words)"
