"""The emulator's own endpoints, under /emulator. They need no key and are no part of the Gemini API."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gemini_emulator.faults import catalogue
from gemini_emulator.state import State


def _state(request: Request) -> State:
    state: State = request.app.state.emulator
    return state


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), status, media_type="application/json")


async def on_bill(request: Request) -> Response:
    """GET: every charge so far, in nano-dollars."""
    return _json(_state(request).account.bill().to_json())


async def on_requests(request: Request) -> Response:
    """GET: the last requests, pictures elided."""
    return _json({"requests": _state(request).journal.rows()})


async def on_faults(request: Request) -> Response:
    """GET: the catalogue and the rules in force. POST: one rule or a list. DELETE: no rules."""
    state = _state(request)
    if request.method == "DELETE":
        state.faults.clear()
    elif request.method == "POST":
        try:
            wish = orjson.loads(await request.body())
            state.faults.load(wish if isinstance(wish, list) else [wish])
        except (ValueError, TypeError, AttributeError) as error:
            return _json({"error": f"no such rule: {error}"}, 400)
        return _json({"rules": state.faults.rules()})
    return _json({"faults": catalogue(), "rules": state.faults.rules()})


async def on_clock(request: Request) -> Response:
    """GET: the emulated time. POST {"advance_seconds": n}: push it ahead."""
    state = _state(request)
    if request.method == "POST":
        try:
            state.clock.advance(float(orjson.loads(await request.body())["advance_seconds"]))
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": f'send {{"advance_seconds": n}}, n not negative: {error}'}, 400)
    return _json({"now": state.clock.now().isoformat()})


async def on_reset(request: Request) -> Response:
    """POST: forget the bill, the faults, the jobs, the files and the requests."""
    await _state(request).reset()
    return _json({})


async def on_health(request: Request) -> Response:
    """GET: what this emulator is set to."""
    settings = _state(request).settings
    return _json(
        {
            "ok": True,
            "as_of": _state(request).clock.today().isoformat(),
            "latency": settings.latency,
            "pictures": settings.pictures,
            "signature_bytes": settings.signature_bytes,
        }
    )
