"""The books over HTTP: statements, usage, and the caps of scopes. Everybody sees their own; admins change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from starlette.responses import Response

from image_router.core.budget import Budget
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd
from image_router.core.scopes import scope_path
from image_router.core.statement import By, Line, Period, period_of
from image_router.engine.budget_views import CAPS, budget_view, change_view
from image_router.engine.statement_views import (
    csv_text,
    line_sums,
    spending_view,
    statement_view,
    sum_names,
)
from image_router.gateway import bodies, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import day, one_of, text
from image_router.gateway.router_asks import check_names
from image_router.gateway.router_reading import answer, query
from image_router.gateway.router_scopes import bound_by, owns, seen_scope, who
from image_router.gateway.surfaces import ROUTER, Refusal

_PERIOD: Final = ("scope", "from", "to", "zone", "format")
_FIELDS: Final = tuple(field.name for field in fields(Budget) if field.name != "scope")
_NAMES: Final = {f"{name}_usd" if name in CAPS else name: name for name in _FIELDS}
"""What a budget's fields are called in JSON → in the library."""
_UNSET: Final = {field.name: field.default for field in fields(Budget) if field.name != "scope"}


async def statement(visit: Visit) -> Response:
    """GET /router/v1/statement: lines that add up, by one or several columns."""
    given = query(visit, *_PERIOD, many=("by",))
    by, (period, zone) = _columns(visit), await _period(visit, given)
    lines = await visit.parts.books.statement(by, period, zone=zone)
    if _as_csv(visit, given):
        return _csv(by, lines)
    return answer(statement_view(by, lines))


async def usage(visit: Visit) -> Response:
    """GET /router/v1/usage: mix, days, savings and the cost of failures. CSV has the days."""
    given = query(visit, *_PERIOD)
    period, zone = await _period(visit, given)
    report = await visit.parts.books.usage(period, zone=zone)
    if _as_csv(visit, given):
        return _csv(("day",), report.days)
    return answer(spending_view(report))


def _columns(visit: Visit) -> tuple[By, ...]:
    asked = visit.request.query_params.getlist("by")
    names = [name for words in asked for name in words.split(",") if name] or [By.TIER]
    if len(set(names)) < len(names):
        raise refusals.malformed(f"by names a column twice: {', '.join(names)}", param="by")
    for name in names:
        one_of({"by": name}, "by", words=tuple(By))
    return tuple(By(name) for name in names)


async def _period(visit: Visit, given: Mapping[str, str]) -> tuple[Period, str]:
    zone, scope = given.get("zone", "UTC"), seen_scope(visit, given.get("scope"))
    if visit.caller.admin:
        # The refusal of a misspelt scope names all scopes there are: that is for admins.
        await visit.parts.books.scope(scope)
    return period_of(day(given, "from"), day(given, "to"), zone=zone, scope=scope), zone


def _as_csv(visit: Visit, given: Mapping[str, str]) -> bool:
    """?format says it, else the Accept header."""
    asked = one_of(given, "format", words=("json", "csv"))
    if asked is not None:
        return asked == "csv"
    accept = visit.request.headers.get("accept", "")
    return "text/csv" in accept and "application/json" not in accept


def _csv(head: Sequence[str], lines: Sequence[Line]) -> Response:
    rows = [(*line.of, *line_sums(line)) for line in lines]
    return Response(csv_text([*head, *sum_names()], rows), media_type="text/csv; charset=utf-8")


async def list_budgets(visit: Visit) -> Response:
    """GET /router/v1/budgets: every budget that binds the caller or what is below it."""
    given = query(visit, "scope")
    scope = seen_scope(visit, given.get("scope"))
    found = await visit.parts.books.budgets.all()
    shown = [one for one in found if bound_by(visit, one.scope) and _near(one.scope, scope)]
    return answer({"budgets": [budget_view(one) for one in shown]})


def _near(scope: str, asked: str | None) -> bool:
    """Whether a budget binds the scope that was asked for, or something below it."""
    return asked is None or scope in scope_path(asked) or asked in scope_path(scope)


async def show_budget(visit: Visit) -> Response:
    """GET /router/v1/budgets/{scope}: how every cap stands that binds it, those above it included."""
    scope = _scope(visit)
    if not bound_by(visit, scope):
        raise _no_budget(scope)
    books = visit.parts.books.budgets
    found, standing = await books.path(scope), await books.standing(scope)
    if not found:
        raise _no_budget(scope)
    return answer({"scope": scope, "budgets": [budget_view(one, standing) for one in found]})


async def put_budget(visit: Visit) -> Response:
    """PUT /router/v1/budgets/{scope}: these caps and no others."""
    changes = {**_UNSET, **_changes(await _body(visit))}
    return await _set(visit, changes)


async def patch_budget(visit: Visit) -> Response:
    """PATCH /router/v1/budgets/{scope}: what is not named stays."""
    changes = _changes(await _body(visit))
    if not changes:
        raise refusals.malformed(f"nothing to set; there are {', '.join(_NAMES)}")
    return await _set(visit, changes)


async def _set(visit: Visit, changes: Mapping[str, Any]) -> Response:
    budgets = visit.parts.books.budgets
    new = await budgets.set(_scope(visit), who=who(visit), **changes)
    return answer(budget_view(new, await budgets.standing(new.scope)))


async def remove_budget(visit: Visit) -> Response:
    """DELETE /router/v1/budgets/{scope}: its caps; its history stays."""
    scope = _scope(visit)
    if await visit.parts.books.budgets.get(scope) is None:
        raise _no_budget(scope)
    await visit.parts.books.budgets.remove(scope, who=who(visit))
    return answer({"removed": scope})


async def top_up(visit: Visit) -> Response:
    """POST /router/v1/budget-top-ups: more for a prepaid budget."""
    body = await _body(visit)
    check_names(body, ("scope", "amount_usd"))
    scope = text(body, "scope")
    if scope is None:
        raise refusals.malformed("scope is missing; say whose budget", param="scope")
    budgets = visit.parts.books.budgets
    new = await budgets.top_up(scope, _amount(body, "amount_usd"), who=who(visit))
    return answer(budget_view(new, await budgets.standing(new.scope)))


async def changes(visit: Visit) -> Response:
    """GET /router/v1/budget-changes: when, by whom, from what to what."""
    given = query(visit, "scope")
    found = await visit.parts.books.budgets.history(seen_scope(visit, given.get("scope")))
    shown = [change_view(one) for one in found if owns(visit, one.scope)]
    return answer({"changes": shown})


def _scope(visit: Visit) -> str:
    scope: str = visit.request.path_params["scope"]
    try:
        scope_path(scope)
    except InvalidRequest as error:
        raise refusals.malformed(str(error), param="scope") from None
    return scope


async def _body(visit: Visit) -> dict[str, Any]:
    return await bodies.read_json(visit.request, limit=visit.parts.limits.small_body)


def _changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Budget that a body names; null takes one away."""
    check_names(body, _NAMES)
    return {_NAMES[name]: _value(body, name) for name in body}


def _value(body: Mapping[str, Any], name: str) -> Any:
    value, field = body[name], _NAMES[name]
    if value is None:
        return _UNSET[field]
    if field in CAPS:
        return _amount(body, name)
    if field == "alerts":
        if not isinstance(value, list) or not all(map(_whole, value)):
            raise refusals.malformed(f"alerts {value!r} is no list of whole percents", param=name)
        return tuple(value)
    wanted = {"zone": str, "prepaid": bool, "guard_percent": int}[field]
    if not isinstance(value, wanted) or (wanted is int and not _whole(value)):
        kind = {str: "text", bool: "true or false", int: "whole number"}[wanted]
        raise refusals.malformed(f"{name} {value!r} is no {kind}", param=name)
    return value


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _amount(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        words = f"{name} {value!r} is no amount of dollars; write it as text, like '5.00'"
        raise refusals.malformed(words, param=name)
    try:
        return parse_usd(repr(value) if isinstance(value, float) else value, name=name)
    except InvalidRequest as error:
        raise refusals.malformed(str(error), param=name) from None


def _no_budget(scope: str) -> Refusal:
    words = f"no budget of yours binds {scope!r}: its spending is unlimited, and accounted all the same"
    return refusals.absent(words)


_BUDGET: Final = "/router/v1/budgets/{scope:path}"

ENTRIES: Final = (
    Entry(method="GET", path="/router/v1/statement", endpoint=statement, surface=ROUTER),
    Entry(method="GET", path="/router/v1/usage", endpoint=usage, surface=ROUTER),
    Entry(method="GET", path="/router/v1/budgets", endpoint=list_budgets, surface=ROUTER),
    Entry(method="GET", path=_BUDGET, endpoint=show_budget, surface=ROUTER),
    Entry(method="PUT", path=_BUDGET, endpoint=put_budget, surface=ROUTER, admin=True),
    Entry(method="PATCH", path=_BUDGET, endpoint=patch_budget, surface=ROUTER, admin=True),
    Entry(method="DELETE", path=_BUDGET, endpoint=remove_budget, surface=ROUTER, admin=True),
    Entry(method="POST", path="/router/v1/budget-top-ups", endpoint=top_up, surface=ROUTER, admin=True),
    Entry(method="GET", path="/router/v1/budget-changes", endpoint=changes, surface=ROUTER),
)
