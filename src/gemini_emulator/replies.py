"""A draft painted and put into the provider's JSON, whole or as stream events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

import pybase64

from gemini_emulator.clock import stamp
from gemini_emulator.drafts import Draft, Frame
from gemini_emulator.errors import Json
from gemini_emulator.ids import sign
from gemini_emulator.studio import Studio

_OTHER_TYPE = {"image/jpeg": "image/png", "image/png": "image/jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What surrounds an answer: its id, the moment, how large signatures are."""

    response_id: str
    now: datetime
    signature_bytes: int


async def compose(draft: Draft, envelope: Envelope, *, studio: Studio) -> Json:
    """The GenerateContentResponse of a draft; paints its pictures."""
    parts = await _parts(draft, envelope, studio)
    body: Json = {}
    if draft.shape == "no_candidates":
        body["promptFeedback"] = {"blockReason": draft.block}
        if draft.message is not None:
            body["promptFeedback"]["blockReasonMessage"] = draft.message
    elif draft.shape == "empty_candidates":
        body["candidates"] = []
    else:
        body["candidates"] = [_candidate(draft, parts)]
    body["usageMetadata"] = draft.usage.to_wire(vertex=draft.ask.vertex)
    body["modelVersion"] = draft.ask.model.canonical
    if draft.ask.vertex:
        body["createTime"] = stamp(envelope.now)
    body["responseId"] = envelope.response_id
    return body


def events(body: Json) -> list[Json]:
    """The same answer as a stream: words, then each picture whole, then STOP with an empty text."""
    candidates = body.get("candidates") or [{}]
    parts = candidates[0].get("content", {}).get("parts") or []
    if not parts:
        return [body]
    ending = {name: value for name, value in candidates[0].items() if name != "content"}
    running = {name: value for name, value in ending.items() if name == "index"}
    under_way = {**body, "usageMetadata": _early(body["usageMetadata"])}
    shown = [_event(under_way, running, [part]) for part in parts]
    return [*shown, _event(body, ending, [{"text": ""}])]


def _early(usage: Json) -> Json:
    """Usage before the end: recorded thinking counts shrank from event to event; the last one counts."""
    if "thoughtsTokenCount" not in usage:
        return usage
    more = usage["thoughtsTokenCount"] // 2
    early = {name: usage[name] + more for name in ("thoughtsTokenCount", "totalTokenCount")}
    return {**usage, **early}


def _event(body: Json, rest: Json, parts: list[Json]) -> Json:
    return {**body, "candidates": [{"content": {"parts": parts, "role": "model"}, **rest}]}


def _candidate(draft: Draft, parts: Sequence[Json]) -> Json:
    contents: dict[str, Json] = {
        "full": {"parts": list(parts), "role": "model"},
        "role_only": {"role": "model"},
        "bare": {},
        "null_parts": {"parts": None},
    }
    candidate: Json = {"content": contents[draft.shape]} if draft.shape in contents else {}
    if draft.finish is not None:
        candidate["finishReason"] = draft.finish
    if draft.message is not None:
        candidate["finishMessage"] = draft.message
    if not draft.ask.vertex:
        candidate["index"] = 0
    if draft.queries and draft.shape == "full":
        candidate["groundingMetadata"] = _grounding(draft.queries)
    return candidate


async def _parts(draft: Draft, envelope: Envelope, studio: Studio) -> list[Json]:
    parts: list[Json] = []
    if draft.thought_text:
        parts.append({"text": draft.thought_text, "thought": True})
    interim = [frame for frame in draft.frames if frame.thought]
    final = [frame for frame in draft.frames if not frame.thought]
    for index, frame in enumerate(interim):
        parts.append(await _picture(draft, frame, index, envelope, studio))
    if draft.text:
        parts.append(_signed({"text": draft.text}, draft, envelope, len(parts)))
    for index, frame in enumerate(final):
        parts.append(await _picture(draft, frame, index, envelope, studio))
    return parts


async def _picture(draft: Draft, frame: Frame, index: int, envelope: Envelope, studio: Studio) -> Json:
    data = await studio.paint(draft.ask, frame.size, index=index, draft=frame.thought)
    media_type = draft.ask.media_type
    encoded = pybase64.b64encode(_spoilt_bytes(data, draft)).decode()
    if draft.spoil == "data_uri":
        return {"text": f"![image](data:{media_type};base64,{encoded[:20_000]})"}
    if draft.spoil == "wrong_mime":
        media_type = _OTHER_TYPE[media_type]  # type: ignore[assignment]  # one of the two it is not
    part: Json = {"inlineData": {"mimeType": media_type, "data": _spoilt_text(encoded, draft)}}
    if frame.thought:
        return part | {"thought": True}
    return _signed(part, draft, envelope, index) if frame.signed else part


def _signed(part: Json, draft: Draft, envelope: Envelope, index: int) -> Json:
    if not draft.ask.model.signed:
        return part
    content = f"{envelope.response_id}|{index}|{'text' in part}".encode()
    return part | {"thoughtSignature": sign(content, envelope.signature_bytes)}


def _spoilt_bytes(data: bytes, draft: Draft) -> bytes:
    if draft.spoil == "corrupt_bytes":
        return b"<html>" + data[6:]
    if draft.spoil == "cut_bytes":
        return data[: len(data) // 2]
    return data


def _spoilt_text(encoded: str, draft: Draft) -> str:
    if draft.spoil == "corrupt_base64":
        return encoded[:100] + "\u0000*&" + encoded[101:]
    if draft.spoil == "double_base64":
        return pybase64.b64encode(encoded.encode()).decode()
    return encoded


def _grounding(queries: Sequence[str]) -> Json:
    searched = [query for query in queries if query]
    chips = "".join(
        f'<a class="chip" href="https://www.google.com/search?q={quote_plus(q)}">{q}</a>' for q in searched
    )
    chunks = [
        {"web": {"title": "example.com", "uri": f"https://example.com/?q={quote_plus(q)}"}} for q in searched
    ]
    return {
        "groundingChunks": chunks,
        "searchEntryPoint": {
            "renderedContent": f'<style>\n.container {{}}\n</style>\n<div class="container">{chips}</div>'
        },
        "webSearchQueries": list(queries),
    }
