"""generateContent, streamGenerateContent and countTokens of the text models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from starlette.responses import Response

from gemini_emulator import errors
from gemini_emulator.bill import Entry
from gemini_emulator.calls import Call, Handler
from gemini_emulator.checks import check_text_request
from gemini_emulator.clock import stamp
from gemini_emulator.errors import Json
from gemini_emulator.fault_texts import TWISTS, Words
from gemini_emulator.replies import events
from gemini_emulator.shortening import limit_of, shortened
from gemini_emulator.text_models import TextModel
from gemini_emulator.usage import Usage, pick, prompt_tokens, text_tokens


async def _generate(call: Call) -> Response:
    return call.answer(await _answered(call), tier=True)


async def _stream(call: Call) -> Response:
    return call.stream(events(await _answered(call)))


async def _answered(call: Call) -> Json:
    model = _model(call)
    body = call.message("GenerateContentRequest")
    check_text_request(body, model, vertex=call.vertex)
    call.state.limits.admit(model, call.where({}), now=call.state.clock.now())
    read = Usage(prompt_text=prompt_tokens(list(_texts(body))))
    if read.prompt > model.input_limit:
        raise errors.invalid(
            f"The input token count ({read.prompt}) exceeds the maximum number of tokens allowed "
            f"({model.input_limit})."
        )
    words = _written(call, body)
    await call.take(pick(model.latency_ms, words.asked, model.id))
    answer = _charged(call, model, words, read)
    await call.ripen()
    return answer


async def _count_tokens(call: Call) -> Response:
    _model(call)
    body = call.message("CountTokensRequest")
    body = body.get("generateContentRequest", body)
    if not body.get("contents"):
        raise errors.invalid("* CountTokensRequest.contents: contents is not specified\n")
    usage = Usage(prompt_text=prompt_tokens(list(_texts(body))))
    return call.answer({"totalTokens": usage.prompt, "promptTokensDetails": usage.prompt_details()})


TEXT_METHODS: Mapping[str, Handler] = {
    "generateContent": _generate,
    "streamGenerateContent": _stream,
    "countTokens": _count_tokens,
}


def _model(call: Call) -> TextModel:
    found = call.state.world.find_text(call.model_id)
    if found is None or not found.lives(call.day):
        raise call.no_such_model()
    if found.id in call.state.settings.unentitled:
        raise errors.closed_to_new_users(found.id)
    return found


def _written(call: Call, body: Json) -> Words:
    """What the model says: a text cut to the words it is allowed, else the text itself."""
    instruction = " ".join(_parts(body.get("systemInstruction", {})))
    asked = "\n".join(_parts(body["contents"][-1]))
    most = limit_of(instruction)
    text = shortened(asked, most) if most is not None else asked
    room = body.get("generationConfig", {}).get("maxOutputTokens")
    words = Words(asked=asked, text=text)
    if room is not None and text_tokens(text) > room:
        words = Words(asked=asked, text=_fitting(text, room), finish="MAX_TOKENS", outcome="max_tokens")
    fault = call.option("text")
    return words if fault is None else TWISTS[fault.name](words, fault.options)


def _fitting(text: str, room: int) -> str:
    words = text.split(" ")
    while words and text_tokens(" ".join(words)) > room:
        words = words[: len(words) * 9 // 10]
    return " ".join(words)


def _charged(call: Call, model: TextModel, words: Words, read: Usage) -> Json:
    now = call.state.clock.now()
    said = text_tokens(words.text) if words.text is not None else None
    usage = Usage(prompt_text=read.prompt_text, candidates=said)
    entry = Entry(
        id=call.state.ids.response(now),
        time=now,
        model=model.id,
        method=call.method,
        lane="interactive",
        key=call.key[-4:],
        outcome=words.outcome,
        fault=call.fault.name if call.fault is not None else None,
    )
    call.state.limits.spend(call.state.account.tokens(entry, model, usage=usage, queries=()), now)
    body: Json = {}
    if words.block is not None:
        body["promptFeedback"] = {"blockReason": words.block}
    else:
        parts = {"parts": [{"text": words.text}]} if words.text is not None else {}
        body["candidates"] = [
            {"content": {**parts, "role": "model"}, "finishReason": words.finish, "index": 0}
        ]
    body |= {"usageMetadata": usage.to_wire(vertex=call.vertex), "modelVersion": model.id}
    if call.vertex:
        body["createTime"] = stamp(now)
    body["responseId"] = entry.id
    return body


def _texts(body: Json) -> Iterator[str]:
    for content in [body.get("systemInstruction", {}), *body["contents"]]:
        yield from _parts(content)


def _parts(content: Json) -> Iterator[str]:
    return (part["text"] for part in content.get("parts", ()) if part.get("text"))
