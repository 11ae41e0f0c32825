"""Spend: where the money went, beside the target mix, and how the budgets stand."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from image_router.core.key_permits import allow_admin
from image_router.core.money import Nanos, parse_usd
from image_router.core.pressure import Standing
from image_router.core.statement import By, Period, period_of
from image_router.engine.budget_views import CAPS, change_view
from image_router.gateway.app import Entry, Visit
from image_router.gateway.dashboard.charts import day_bars
from image_router.gateway.dashboard.doors import form, shown
from image_router.gateway.dashboard.rendering import HEADERS, PAGES, page
from image_router.gateway.fields import day, one_of, text, whole
from image_router.gateway.refusals import malformed
from image_router.gateway.router_scopes import bound_by, owns, seen_scope, who

PATH: Final = "/dashboard/spend"
_CHANGES: Final = 12
_BY: Final = (By.PURPOSE, By.TIER, By.MODEL, By.SCOPE, By.SIZE, By.LANE, By.OUTCOME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One cap, and from where on the guard acts for its scope."""

    standing: Standing
    guard_percent: int
    prepaid: bool

    @property
    def acts(self) -> bool:
        return self.standing.percent >= self.guard_percent


async def spend(visit: Visit) -> Response:
    """GET /dashboard/spend: this month, or the days that are asked for."""
    given = {name: value for name, value in visit.request.query_params.items() if value}
    stamps = await visit.parts.live.now()
    today = datetime.now(UTC).date()
    first, last = day(given, "from") or today.replace(day=1), day(given, "to") or today
    period = period_of(first, last, scope=seen_scope(visit, given.get("scope")))
    by = By(one_of(given, "by", words=_BY) or By.PURPOSE)
    read = await _read(visit, period, by)
    return page(
        visit,
        "spend.html",
        given=given,
        first=first,
        last=last,
        by=by,
        columns=_BY,
        **read,
        forecast=month_end(read["report"].total.spent, first=first, last=last),
        days=day_bars(read["report"].days, first=first, last=last),
        **await _budgets(visit),
        cache=await visit.parts.books.cache.stats(period.scope),
        changes=await _changes(visit),
        guard=visit.router.world().policy.guard,
        stamps=stamps,
    )


async def _read(visit: Visit, period: Period, by: By) -> dict[str, Any]:
    report = await visit.parts.books.usage(period)
    return {
        "report": report,
        "lines": sorted(
            await visit.parts.books.statement([by], period), key=lambda line: line.spent, reverse=True
        ),
    }


async def _budgets(visit: Visit) -> dict[str, Any]:
    """Every cap that is the viewer's concern, each once; the ones of a picture apart."""
    budgets, policy = visit.parts.books.budgets, visit.router.world().policy
    concern = [budget for budget in await budgets.all() if bound_by(visit, budget.scope)]
    gauges = [
        Gauge(
            standing=one,
            guard_percent=budget.guard_percent or policy.guard.at_percent,
            prepaid=budget.prepaid,
        )
        for budget in concern
        for one in await budgets.standing(budget.scope)
        if one.scope == budget.scope
    ]
    of_a_picture = [budget for budget in concern if budget.per_request is not None]
    prepaid = [budget.scope for budget in concern if budget.prepaid]
    return {"gauges": gauges, "of_a_picture": of_a_picture, "prepaid": prepaid}


async def _changes(visit: Visit) -> list[dict[str, Any]]:
    """The latest changes of caps that are the viewer's concern."""
    found = await visit.parts.books.budgets.history(seen_scope(visit, None))
    return [change_view(one) for one in reversed(found) if owns(visit, one.scope)][:_CHANGES]


async def set_caps(visit: Visit) -> Response:
    """POST /dashboard/spend: caps of a scope, by an admin; empty ones stay, `none` takes a cap away."""
    fields = await form(visit)
    if visit.caller.key is not None:
        allow_admin(visit.caller.key)
    scope, caps = text(fields, "budget_scope") or "", {name: text(fields, name) for name in CAPS}
    changes: dict[str, Any] = {
        name: None if cap == "none" else parse_usd(cap, name=name) for name, cap in caps.items() if cap
    }
    if (percent := text(fields, "guard_percent") or "") == "none":
        changes["guard_percent"] = None
    elif percent:
        changes["guard_percent"] = whole(fields, "guard_percent", default=None, low=1, high=100)
    if not scope or not changes:
        raise malformed("name a scope and at least one cap in dollars, such as 5, or none to take it away")
    await visit.parts.books.budgets.set(scope, who=who(visit), **changes)
    return RedirectResponse(f"{PATH}#budgets-title", 303, headers=HEADERS)


async def top_up(visit: Visit) -> Response:
    """POST /dashboard/spend/top-up: more money for a prepaid budget, by an admin."""
    fields = await form(visit)
    if visit.caller.key is not None:
        allow_admin(visit.caller.key)
    scope, amount = text(fields, "topped_scope") or "", text(fields, "amount") or ""
    await visit.parts.books.budgets.top_up(scope, parse_usd(amount, name="amount"), who=who(visit))
    return RedirectResponse(f"{PATH}#budgets-title", 303, headers=HEADERS)


def month_end(spent: Nanos, *, first: date, last: date) -> Nanos | None:
    """What the month comes to at the pace of its days so far; None for a period that is no month begun."""
    whole = monthrange(first.year, first.month)[1]
    if first.day != 1 or (first.year, first.month) != (last.year, last.month) or last.day == whole:
        return None
    return spent * whole // last.day


ENTRIES: Final = (
    Entry(method="GET", path=PATH, endpoint=shown(spend), surface=PAGES, public=True),
    Entry(method="POST", path=PATH, endpoint=shown(set_caps), surface=PAGES, public=True),
    Entry(method="POST", path=f"{PATH}/top-up", endpoint=shown(top_up), surface=PAGES, public=True),
)
