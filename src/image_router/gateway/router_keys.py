"""Router keys over HTTP, for admins; and for everybody what the key in use may do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from starlette.responses import Response

from image_router.core.budget import Micros, to_micros
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd
from image_router.core.router_keys import DollarLimit, KeyRules, RouterKey, tiers_of
from image_router.core.types import RetiredPolicy, Size
from image_router.engine.key_views import change_view, key_view, use_view
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import flag, one_of, text, whole
from image_router.gateway.router_asks import check_names
from image_router.gateway.router_reading import answer, query
from image_router.gateway.router_scopes import who
from image_router.gateway.surfaces import ROUTER
from image_router.storage.router_keys import LONGEST_GRACE, NewKey

_RULES: Final = tuple(field.name for field in fields(KeyRules))
_COUNTS: Final = ("requests_per_minute", "images_per_minute", "in_flight")
_MOST: Final = 1_000_000
_NO_STORE: Final = {"cache-control": "no-store"}


async def create(visit: Visit) -> Response:
    """POST /router/v1/keys: a new key; its secret is in this answer alone."""
    rules = rules_of(await _body(visit))
    for name in ("name", "scope"):
        if rules.get(name) is None:
            raise refusals.malformed(f"{name} is missing; a key needs a name and a scope", param=name)
    return await _secret(visit, await visit.parts.books.keys.create(KeyRules(**rules), who=who(visit)), 201)


async def list_keys(visit: Visit) -> Response:
    """GET /router/v1/keys: never their secrets; with revoked=true those that ended too."""
    given = query(visit, "scope", "revoked")
    found = await visit.parts.books.keys.all(scope=given.get("scope"))
    revoked = flag(given, "revoked")
    shown = [key_view(key, now=_now()) for key in found if revoked or key.revoked_at is None]
    return answer({"keys": shown})


async def show(visit: Visit) -> Response:
    """GET /router/v1/keys/{id}: rules, and use of its limits now."""
    return await _shown(visit, await _known(visit))


async def own(visit: Visit) -> Response:
    """GET /router/v1/key: the key in use, what it may do, and what its limits stand at."""
    if visit.caller.key is None:
        raise refusals.absent("this gateway is open: no key is in use")
    return await _shown(visit, visit.caller.key)


async def patch(visit: Visit) -> Response:
    """PATCH /router/v1/keys/{id}: some rules; what is not named stays, null takes a rule away."""
    key, rules = await _known(visit), rules_of(await _body(visit))
    if not rules:
        raise refusals.malformed(f"nothing to set; there are {', '.join(_RULES)}")
    new = await visit.parts.books.keys.set(key.id, who=who(visit), **rules)
    await visit.parts.ring.refresh()
    return answer(key_view(new, now=_now()))


async def rotate(visit: Visit) -> Response:
    """POST /router/v1/keys/{id}/rotate: another secret; the old one works for `grace_seconds` more."""
    key, body = await _known(visit), await _body(visit)
    check_names(body, ("grace_seconds",))
    grace = whole(body, "grace_seconds", default=0, low=0, high=int(LONGEST_GRACE))
    return await _secret(visit, await visit.parts.books.keys.rotate(key.id, who=who(visit), grace=grace), 200)


async def revoke(visit: Visit) -> Response:
    """POST /router/v1/keys/{id}/revoke: the end of it, for ever."""
    key = await _known(visit)
    ended = await visit.parts.books.keys.revoke(key.id, who=who(visit))
    await visit.parts.ring.refresh()
    return answer(key_view(ended, now=_now()))


async def history(visit: Visit) -> Response:
    """GET /router/v1/keys/{id}/history: every change, oldest first."""
    key = await _known(visit)
    found = await visit.parts.books.keys.history(key.id)
    return answer({"changes": [change_view(one) for one in found]})


async def _secret(visit: Visit, new: NewKey, status: int) -> Response:
    await visit.parts.ring.refresh()
    shown = answer({"secret": new.secret.text, "key": key_view(new.key, now=_now())}, status)
    shown.headers.update(_NO_STORE)
    return shown


async def _shown(visit: Visit, key: RouterKey) -> Response:
    use = await visit.parts.books.keys.use(key.id)
    return answer({**key_view(key, now=_now()), "use": use_view(use)})


async def _known(visit: Visit) -> RouterKey:
    try:
        return await visit.parts.books.keys.get(visit.request.path_params["id"])
    except InvalidRequest as error:
        raise refusals.absent(str(error)) from None


async def _body(visit: Visit) -> dict[str, Any]:
    return await bodies.read_json(visit.request, limit=visit.parts.limits.small_body)


def rules_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The rules that a body names, as KeyRules has them; null takes one away. Raises Refusal."""
    check_names(body, _RULES)
    return {name: _rule(body, name) for name in body}


def _rule(body: Mapping[str, Any], name: str) -> Any:
    if body[name] is None:
        return _UNSET.get(name)
    if name in _COUNTS:
        return whole(body, name, default=None, low=1, high=_MOST)
    match name:
        case "tiers" | "models":
            names = _names(body[name], name)
            return tiers_of(names) if name == "tiers" else frozenset(names)
        case "max_size":
            return Size(one_of(body, name, words=tuple(Size)) or "")
        case "retired":
            return RetiredPolicy(one_of(body, name, words=tuple(RetiredPolicy)) or "")
        case "dollars":
            return _dollars(body[name])
        case "expires":
            return _moment(body, name)
        case "admin":
            return flag(body, name)
    return text(body, name)


_UNSET: Final = {"admin": False, "retired": RetiredPolicy.REFUSE}


def _names(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise refusals.malformed(f"{name} {value!r} is no list of names", param=name)
    return value


def _dollars(value: Any) -> DollarLimit:
    match value:
        case {"amount_usd": str() | int() as amount, "seconds": int() as seconds} if len(value) == 2:
            return DollarLimit(amount=parse_usd(amount, name="dollars.amount_usd"), seconds=seconds)
    words = f"dollars {value!r} is no limit; write it like {{'amount_usd': '20', 'seconds': 86400}}"
    raise refusals.malformed(words, param="dollars")


def _moment(body: Mapping[str, Any], name: str) -> Micros:
    words = text(body, name) or ""
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refusals.malformed(
            f"{name} {words!r} is no moment with its offset; write it like 2027-01-31T00:00:00Z", param=name
        )
    micros = to_micros(moment)
    if micros <= _now():
        raise refusals.malformed(f"{name} {words!r} has passed; to end a key now, revoke it", param=name)
    return micros


def _now() -> Micros:
    return time.time_ns() // 1_000


_KEY: Final = "/router/v1/keys/{id}"

ENTRIES: Final = (
    Entry(method="GET", path="/router/v1/key", endpoint=own, surface=ROUTER),
    Entry(method="GET", path="/router/v1/keys", endpoint=list_keys, surface=ROUTER, admin=True),
    Entry(method="POST", path="/router/v1/keys", endpoint=create, surface=ROUTER, admin=True),
    Entry(method="GET", path=_KEY, endpoint=show, surface=ROUTER, admin=True),
    Entry(method="PATCH", path=_KEY, endpoint=patch, surface=ROUTER, admin=True),
    Entry(method="POST", path=f"{_KEY}/rotate", endpoint=rotate, surface=ROUTER, admin=True),
    Entry(method="POST", path=f"{_KEY}/revoke", endpoint=revoke, surface=ROUTER, admin=True),
    Entry(method="GET", path=f"{_KEY}/history", endpoint=history, surface=ROUTER, admin=True),
)
