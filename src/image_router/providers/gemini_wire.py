"""The JSON of generateContent and models.list → values. Pure: no network, no clock, no judgement.

What is sent is written by gemini_body.

Format: https://ai.google.dev/api/generate-content and https://ai.google.dev/gemini-api/docs/image-generation,
read 2026-10-08, and recorded traffic. Field names are camelCase, as both the Gemini API and Vertex take them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pybase64

from image_router.core.reply import FaultKind, Reply, ReplyImage, ReplyText, TransportFault
from image_router.core.types import Conversation, Turn, TurnPart, Usage
from image_router.providers import json_text
from image_router.providers.base import Call, ListedModel
from image_router.providers.error_wire import error_of, find_error, parse_error
from image_router.providers.gemini_body import user_turn
from image_router.providers.lenient import JsonObject, count, obj, objs, some_text, text

_KNOWN_FIELDS = frozenset(
    {"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "modelStatus"}
)


def parse_reply(http_status: int, headers: Mapping[str, str], *, body: bytes) -> Reply:
    """Make a Reply of one whole answer, whatever it is. Never raises."""
    if http_status != 200:
        return Reply(http_status=http_status, error=parse_error(http_status, headers, body=body))
    if body.lstrip()[:5] == b"data:":
        return parse_stream(body)
    try:
        answer = json_text.loads(body)
    except ValueError as error:
        return Reply(http_status=http_status, fault=broken_body(body, str(error)))
    if isinstance(answer, list):
        return _merged(objs(answer))
    return reply_of(obj(answer))


def parse_stream(body: bytes) -> Reply:
    """Make a Reply of a whole stream read to its end: SSE lines, or the JSON array sent without alt=sse.

    Parts of all events count, the last value of each usage field wins (thoughtsTokenCount is corrected
    mid-stream), and an error is found both as a data line and as a bare block.
    """
    if body.lstrip()[:1] in (b"[", b"{"):
        return parse_reply(200, {}, body=body)
    events: list[JsonObject] = []
    for line in body.splitlines():
        payload = line[5:].strip() if line.startswith(b"data:") else b""
        if not payload or payload == b"[DONE]":
            continue
        try:
            events.append(obj(json_text.loads(payload)))
        except ValueError as error:
            return Reply(http_status=200, fault=broken_body(payload, str(error)))
    bare_error = find_error(body)
    if bare_error is not None and not any("error" in event for event in events):
        events.append({"error": bare_error})
    return _merged(events)


def broken_body(body: bytes, why: str) -> TransportFault:
    """Say whether a body that is no JSON was cut off or never was JSON."""
    stripped = body.strip()
    begun, ended = stripped[:1] in (b"{", b"["), stripped[-1:] in (b"}", b"]")
    cut = not stripped or (begun and not ended)
    kind = FaultKind.TRUNCATED if cut else FaultKind.MALFORMED
    return TransportFault(kind=kind, sent=True, detail=f"{len(body)} bytes are no complete JSON: {why}")


def _merged(events: list[JsonObject]) -> Reply:
    candidate: JsonObject = {}
    parts: list[JsonObject] = []
    answer: JsonObject = {}
    usage: JsonObject = {}
    for event in events:
        first = next(iter(objs(event.get("candidates"))), {})
        parts += objs(obj(first.get("content")).get("parts"))
        candidate |= {key: value for key, value in first.items() if value}
        usage |= obj(event.get("usageMetadata"))
        answer |= {key: value for key, value in event.items() if value}
    if candidate:
        answer["candidates"] = [candidate | {"content": {"parts": parts}}]
    if usage:
        answer["usageMetadata"] = usage
    if any("inlineData" in part for part in parts):
        answer.pop("error", None)
    return reply_of(answer)


def reply_of(answer: JsonObject) -> Reply:
    """Make a Reply of a response already parsed, such as a batch row's. Never raises."""
    if "error" in answer:
        error = answer["error"]
        problem = error_of(error if isinstance(error, dict) else {"message": text(error)})
        return Reply(http_status=200, error=problem, usage=_usage(answer, {}))
    if answer and not _KNOWN_FIELDS & answer.keys():
        detail = f"a JSON object with none of the reply's fields: {', '.join(sorted(answer))[:200]}"
        return Reply(
            http_status=200, fault=TransportFault(kind=FaultKind.MALFORMED, sent=True, detail=detail)
        )
    candidates = objs(answer.get("candidates"))
    candidate = candidates[0] if candidates else {}
    feedback = obj(answer.get("promptFeedback"))
    return Reply(
        http_status=200,
        parts=tuple(_parts(candidate)),
        has_candidates=bool(candidates),
        finish_reason=some_text(candidate.get("finishReason")),
        finish_message=some_text(candidate.get("finishMessage")),
        block_reason=some_text(feedback.get("blockReason")),
        block_message=some_text(feedback.get("blockReasonMessage")),
        usage=_usage(answer, candidate),
        response_id=some_text(answer.get("responseId")),
        model_version=some_text(answer.get("modelVersion")),
    )


def _parts(candidate: JsonObject) -> Iterator[ReplyText | ReplyImage]:
    for part in objs(obj(candidate.get("content")).get("parts")):
        thought, signature = part.get("thought") is True, some_text(part.get("thoughtSignature"))
        blob = obj(part.get("inlineData"))
        if blob:
            yield image_of(
                text(blob.get("data")), text(blob.get("mimeType")), thought=thought, signature=signature
            )
        elif isinstance(part.get("text"), str):
            yield ReplyText(text=part["text"], thought=thought, signature=signature)


def image_of(
    encoded: str, declared_type: str, *, thought: bool = False, signature: str | None = None
) -> ReplyImage:
    """Decode an image once, strictly; damaged base64 becomes the image's defect."""
    data, defect = b"", None
    try:
        data = pybase64.b64decode(encoded, validate=True)
    except ValueError as error:
        defect = f"{len(encoded)} characters are no valid base64: {error}"
    return ReplyImage(
        data=data, declared_type=declared_type, thought=thought, signature=signature, defect=defect
    )


def _usage(answer: JsonObject, candidate: JsonObject) -> Usage | None:
    usage = obj(answer.get("usageMetadata"))
    if not usage:
        return None
    return Usage(
        prompt_tokens=count(usage.get("promptTokenCount")),
        candidates_tokens=count(usage.get("candidatesTokenCount")),
        image_tokens=_image_detail(usage.get("candidatesTokensDetails")),
        thoughts_tokens=count(usage.get("thoughtsTokenCount")),
        total_tokens=count(usage.get("totalTokenCount")),
        prompt_image_tokens=_image_detail(usage.get("promptTokensDetails")),
        searches=_searches(obj(candidate.get("groundingMetadata"))),
    )


def _image_detail(details: Any) -> int:
    return sum(count(d.get("tokenCount")) for d in objs(details) if d.get("modality") == "IMAGE")


def _searches(grounding: JsonObject) -> int:
    """Queries that were run; the API also lists empty ones, which search for nothing."""
    lists = (grounding.get("webSearchQueries"), grounding.get("imageSearchQueries"))
    return sum(1 for queries in lists if isinstance(queries, list) for query in queries if query)


def parse_models(body: bytes) -> tuple[tuple[ListedModel, ...], str | None]:
    """One page of models.list and the token of the next. Raises ValueError for any other body."""
    page = json_text.loads(body)
    if not isinstance(page, dict) or not ("models" in page or not page):
        raise ValueError("the answer is no page of models")
    return tuple(_listed(model) for model in objs(page.get("models"))), some_text(page.get("nextPageToken"))


def _listed(model: JsonObject) -> ListedModel:
    methods = model.get("supportedGenerationMethods")
    return ListedModel(
        id=text(model.get("name")).removeprefix("models/"),
        methods=tuple(text(m) for m in methods) if isinstance(methods, list) else (),
        input_tokens=count(model.get("inputTokenLimit")) or None,
        output_tokens=count(model.get("outputTokenLimit")) or None,
    )


def conversation_after(call: Call, reply: Reply, *, image: ReplyImage) -> Conversation:
    """The history to continue from: earlier turns, what was sent now, and what the model answered.

    The model's parts stay as they came, each with its own signature: a signature moved to another part is
    a 400. Drafts marked as thoughts are left out, unless one of them is the result.
    """
    history = call.request.conversation.turns if call.request.conversation else ()
    answer = tuple(_turn_part(part) for part in reply.parts if not part.thought or part is image)
    return Conversation(
        model=call.model.id,
        family=call.model.family,
        turns=(*history, user_turn(call.request), Turn(role="model", parts=answer)),
    )


def _turn_part(part: ReplyText | ReplyImage) -> TurnPart:
    if isinstance(part, ReplyText):
        return TurnPart(text=part.text, signature=part.signature)
    media_type = part.facts.media_type if part.facts else part.declared_type
    return TurnPart(data=part.data, media_type=media_type, signature=part.signature)
