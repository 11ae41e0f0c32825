"""Keys: made, looked at, changed, rotated and ended, by admins. A secret is on one answer, nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from image_router.core.budget import from_micros
from image_router.core.errors import InvalidRequest
from image_router.core.key_permits import allow_admin
from image_router.core.money import usd_text
from image_router.core.router_keys import KeyRules, RouterKey
from image_router.core.types import RetiredPolicy, Size, Tier
from image_router.engine.key_views import change_view, state_of
from image_router.gateway import refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.doors import Fields, form, shown
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.fields import text, whole
from image_router.gateway.router_keys import rules_of
from image_router.gateway.router_scopes import who
from image_router.storage.objects import now_micros
from image_router.storage.router_keys import NewKey

PATH: Final = "/dashboard/keys"
_KEY: Final = f"{PATH}/{{id}}"
COUNTS: Final = ("requests_per_minute", "images_per_minute", "in_flight")
WINDOWS: Final = {"an hour": 3_600, "a day": 86_400, "a week": 604_800, "30 days": 2_592_000}
GRACES: Final = {"at once": 0, "after an hour": 3_600, "after a day": 86_400, "after a week": 604_800}


async def keys(visit: Visit) -> Response:
    """GET /dashboard/keys: all of them, the living first; those that ended with ?ended."""
    _admins(visit)
    found = await visit.parts.books.keys.all()
    now = now_micros()
    states = {key.id: state_of(key, now=now) for key in found}
    living = [key for key in found if states[key.id] == "living"]
    ended = [key for key in found if states[key.id] != "living"]
    return page(visit, "keys.html", living=living, ended=ended, states=states, **_choices(None))


async def create(visit: Visit) -> Response:
    """POST /dashboard/keys: a new key, and its secret for the one time it is shown."""
    fields = await form(visit)
    _admins(visit)
    rules = _rules(fields)
    for name in ("name", "scope"):
        if not rules.get(name):
            raise refusals.malformed(f"{name} is missing; a key needs a name and a scope", param=name)
    made = await visit.parts.books.keys.create(KeyRules(**rules), who=who(visit))
    return await _secret(visit, made, what="made")


async def key(visit: Visit) -> Response:
    """GET /dashboard/keys/{id}: its rules, their use now, and every change of it."""
    _admins(visit)
    found = await _known(visit)
    stored = visit.parts.books.keys
    use = await stored.use(found.id)
    history = [change_view(one) for one in reversed(await stored.history(found.id))]
    state = state_of(found, now=now_micros())
    return page(visit, "key.html", key=found, standing=state, use=use, history=history, **_choices(found))


async def change(visit: Visit) -> Response:
    """POST /dashboard/keys/{id}: these rules and no others."""
    fields = await form(visit)
    _admins(visit)
    found = await _known(visit)
    changed = {name: value for name, value in _rules(fields).items() if value != getattr(found.rules, name)}
    if changed:
        await visit.parts.books.keys.set(found.id, who=who(visit), **changed)
        await visit.parts.ring.refresh()
    return RedirectResponse(f"{PATH}/{found.id}", 303, headers=HEADERS)


async def rotate(visit: Visit) -> Response:
    """POST /dashboard/keys/{id}/rotate: another secret, shown once; the old one works for `grace` seconds."""
    fields = await form(visit)
    _admins(visit)
    found = await _known(visit)
    grace = whole(fields, "grace", default=0, low=0, high=max(GRACES.values()))
    made = await visit.parts.books.keys.rotate(found.id, who=who(visit), grace=grace)
    return await _secret(visit, made, what="rotated")


async def ask(visit: Visit) -> Response:
    """GET /dashboard/keys/{id}/revoke: the question before it."""
    _admins(visit)
    return page(visit, "revoke.html", key=await _known(visit))


async def revoke(visit: Visit) -> Response:
    """POST /dashboard/keys/{id}/revoke: the end of it, for ever."""
    await form(visit)
    _admins(visit)
    found = await _known(visit)
    await visit.parts.books.keys.revoke(found.id, who=who(visit))
    await visit.parts.ring.refresh()
    return RedirectResponse(f"{PATH}/{found.id}", 303, headers=HEADERS)


async def _secret(visit: Visit, made: NewKey, *, what: str) -> Response:
    await visit.parts.ring.refresh()
    return page(
        visit, "secret.html", key=made.key, secret=made.secret.text, what=what, base=visit.address("")
    )


def _admins(visit: Visit) -> None:
    if visit.caller.key is not None:
        allow_admin(visit.caller.key)


async def _known(visit: Visit) -> RouterKey:
    try:
        return await visit.parts.books.keys.get(visit.request.path_params["id"])
    except InvalidRequest as error:
        raise refusals.absent(str(error)) from None


def _rules(fields: Fields) -> Mapping[str, Any]:
    """A form's fields as KeyRules has them; what is left empty is no limit."""
    told = {name: value.strip() or None for name in ("name", "scope") if (value := text(fields, name))}
    tiers = [str(tier) for tier in Tier if fields.get(f"tier-{tier}")]
    models = [model for word in (text(fields, "models") or "").split(",") if (model := word.strip())]
    amount = (text(fields, "dollars") or "").strip()
    seconds = whole(fields, "window", default=86_400, low=1, high=2_592_000)
    return rules_of(
        {
            **told,
            "tiers": tiers if 0 < len(tiers) < len(Tier) else None,
            "models": models or None,
            "max_size": text(fields, "max_size") or None,
            **{name: text(fields, name) or None for name in COUNTS},
            "dollars": {"amount_usd": amount, "seconds": seconds} if amount else None,
            "expires": _end_of(text(fields, "expires") or ""),
            "admin": "true" if fields.get("admin") else "false",
            "retired": text(fields, "retired") or str(RetiredPolicy.REFUSE),
        }
    )


def _end_of(day: str) -> str | None:
    """The first moment after a day in UTC."""
    if not day:
        return None
    try:
        last = date.fromisoformat(day)
    except ValueError:
        raise refusals.malformed(
            f"expires {day!r} is no day; write it like 2027-01-31", param="expires"
        ) from None
    return datetime.combine(last, time(23, 59, 59), UTC).isoformat()


def _choices(found: RouterKey | None) -> dict[str, Any]:
    """What the form offers, and begins with."""
    rules = found.rules if found else None
    dollars = rules.dollars if rules else None
    expires = rules.expires if rules else None
    return {
        "rules": rules,
        "tiers": tuple(Tier),
        "sizes": tuple(Size),
        "windows": WINDOWS,
        "graces": GRACES,
        "retirements": tuple(RetiredPolicy),
        "dollars": usd_text(dollars.amount) if dollars else "",
        "window": dollars.seconds if dollars else 86_400,
        "expires": f"{from_micros(expires):%Y-%m-%d}" if expires else "",
    }


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(keys), surface=PAGES, public=True),
    Entry(method="POST", path=PATH, endpoint=shown(create), surface=PAGES, public=True),
    Entry(method="GET", path=_KEY, endpoint=shown(key), surface=PAGES, public=True),
    Entry(method="POST", path=_KEY, endpoint=shown(change), surface=PAGES, public=True),
    Entry(method="POST", path=f"{_KEY}/rotate", endpoint=shown(rotate), surface=PAGES, public=True),
    Entry(method="GET", path=f"{_KEY}/revoke", endpoint=shown(ask), surface=PAGES, public=True),
    Entry(method="POST", path=f"{_KEY}/revoke", endpoint=shown(revoke), surface=PAGES, public=True),
)
