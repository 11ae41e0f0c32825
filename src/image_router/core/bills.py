"""Bills as charges: the emulator's JSON and a CSV of a provider's usage, as text.

The CSV's columns, by name in any order and case: `model` and `amount_usd` (also `cost_usd`, `cost`), and
where the provider tells them `response_id` (also `id`) and `time` (also `date`; ISO 8601, UTC unless it says
so; a day alone is its noon). Other columns are not looked at. Several rows of one response are added up.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from image_router.core.budget import Micros, check_amount, to_micros
from image_router.core.errors import InvalidRequest
from image_router.core.money import parse_usd
from image_router.core.reconcile import Charge

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("model",),
    "amount": ("amount_usd", "cost_usd", "cost"),
    "id": ("response_id", "id"),
    "at": ("time", "date"),
}
"""What a charge needs → the columns it is read from, the first that is there."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_NEEDED: Final = ("model", "amount")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in which bill, for errors."""

    name: str
    line: int

    def error(self, what: str) -> InvalidRequest:
        return InvalidRequest(f"{self.name} {self.line}: {what}")


def read_bill(text: str, *, name: str) -> list[Charge]:
    """The charges of a bill, JSON or CSV by its first character. Raises InvalidRequest with the line."""
    return read_json(text, name=name) if text.lstrip().startswith("{") else read_csv(text, name=name)


def read_json(text: str, *, name: str) -> list[Charge]:
    """A bill as GET /emulator/bill gives it. Raises InvalidRequest for another document, or a torn one."""
    try:
        bill = json.loads(text)
        currency, unit, entries, total = bill["currency"], bill["unit"], bill["entries"], bill["total"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(
            f"{name} is no bill: it needs currency, unit, entries and total ({type(error).__name__}: {error})"
        ) from None
    if (currency, unit) != ("USD", "nano") or not isinstance(entries, list):
        raise InvalidRequest(f"{name} counts in {unit} {currency}; a list of entries in nano USD is needed")
    charges = [_entry(entry, _Place(f"{name}, entry", n)) for n, entry in enumerate(entries, 1)]
    added = sum(charge.amount for charge in charges)
    if added != total:
        raise InvalidRequest(f"{name} says its total is {total} nano-dollars, and its entries are {added}")
    return charges


def read_csv(text: str, *, name: str) -> list[Charge]:
    """A table of charges in the columns above. Raises InvalidRequest with the line."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        columns = _columns([title.strip().lower() for title in rows.fieldnames or ()], name)
        rows.fieldnames = [title.strip().lower() for title in rows.fieldnames or ()]
        return [_row(row, columns, _Place(f"{name}, line", rows.line_num)) for row in rows]
    except csv.Error as error:
        raise InvalidRequest(f"{name}, line {rows.line_num}: this is no CSV ({error})") from None


def _columns(titles: list[str], name: str) -> dict[str, str]:
    found = {
        what: next(title for title in known if title in titles)
        for what, known in COLUMNS.items()
        if set(known) & set(titles)
    }
    missing = [COLUMNS[what][0] for what in _NEEDED if what not in found]
    if missing:
        raise InvalidRequest(
            f"{name} has no column {' and no '.join(missing)}; its first line names {', '.join(titles)}"
        )
    return found


def _row(row: Mapping[str, str | None], columns: Mapping[str, str], place: _Place) -> Charge:
    said = {what: (row[title] or "").strip() for what, title in columns.items()}
    if not said["model"]:
        raise place.error("the model is empty")
    try:
        amount = parse_usd(said["amount"], name=columns["amount"])
    except InvalidRequest as error:
        raise place.error(str(error)) from None
    at = _moment(said["at"], place) if said.get("at") else None
    return Charge(model=_model(said["model"]), amount=amount, id=said.get("id") or None, at=at)


def _entry(entry: Any, place: _Place) -> Charge:
    try:
        model, amount, name, at = entry["model"], entry["total"], entry["id"], entry["time"]
    except (KeyError, TypeError) as error:
        raise place.error(f"it needs id, time, model and total ({type(error).__name__}: {error})") from None
    if not isinstance(model, str) or not isinstance(name, str) or not isinstance(at, str):
        raise place.error("its id, time and model must be texts")
    try:
        check_amount(amount, "its total", least=0)
    except InvalidRequest as error:
        raise place.error(str(error)) from None
    return Charge(model=_model(model), amount=amount, id=name, at=_moment(at, place))


def _moment(text: str, place: _Place) -> Micros:
    try:
        # A day without a time is the same day in every zone only around noon.
        moment = datetime.fromisoformat(f"{text}T12:00" if _DAY.fullmatch(text) else text)
    except ValueError:
        raise place.error(f"{text!r} is no time; write it like 2026-11-22T12:00:00Z") from None
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _model(name: str) -> str:
    return name.rpartition("/")[2]
