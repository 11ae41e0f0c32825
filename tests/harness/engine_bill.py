"""The verdict of the kill harness: the ledger, the store and the emulator's bill side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select

from harness.engine_work import CAP, Kind, Piece, Site
from harness.money import account
from harness.upstream import Billed, Upstream
from image_router.books import Books, open_books
from image_router.core.errors import AssetError
from image_router.core.holds import SendState
from image_router.core.reconcile import Call
from image_router.storage.asset_tables import asset_blobs, assets
from image_router.storage.blobs import BLOBS, LANDING
from image_router.storage.database import Transaction

_PICTURES = (b"\x89PNG", b"\xff\xd8\xff")


@dataclass
class Verdict:
    """Counts, and every fault that was found."""

    kills: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    pieces: int = 0
    unfinished: int = 0
    entries: int = 0
    charged: int = 0
    twice: int = 0
    sent_again: int = 0
    unknown: int = 0
    lost: int = 0
    pictures: int = 0
    holds_left: int = 0
    overspent: int = 0
    uncovered: int = 0
    sound: bool = False
    equal: bool = False
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        wrong = self.unfinished + self.twice + self.lost + self.holds_left + self.overspent + self.uncovered
        return not wrong and self.sound and self.equal and not self.faults and self.charged > 0

    def __str__(self) -> str:
        fates = ", ".join(f"{count} {point}" for point, count in sorted(self.fates.items()))
        rows = [
            ("kills", f"{self.kills} ({fates})"),
            ("pieces of work", f"{self.pieces}, unfinished {self.unfinished}"),
            ("charges on the bill", f"{self.entries} of {self.charged:,} nano-dollars"),
            ("pictures kept", f"{self.pictures}"),
            ("charged twice", f"{self.twice}"),
            (
                "sent again as the policy allows",
                f"{self.sent_again}, of {self.unknown} calls of unknown outcome",
            ),
            ("lost paid pictures", f"{self.lost}"),
            ("holds left", f"{self.holds_left}"),
            ("overspend", f"{self.overspent}"),
            ("charged and not covered", f"{self.uncovered}"),
            ("ledger verify", "passes" if self.sound else "FAILS"),
            ("ledger after reconciliation", "equals the bill" if self.equal else "DIFFERS from the bill"),
            *(("fault", fault) for fault in self.faults[:10]),
        ]
        return "\n".join(f"  {name:32} {said}" for name, said in rows)


async def judged(site: Site, emulator: Upstream) -> Verdict:
    """Everything that can be told when all work is done and nobody is at it any more."""
    verdict, bill = Verdict(pieces=site.pieces), emulator.bill()
    verdict.entries, verdict.charged = len(bill), sum(entry.amount for entry in bill)
    done, begun = site.done(), {int(line) for line in site.lines("begun")}
    verdict.unfinished = sum(n not in done and n not in begun for n in range(site.pieces))
    async with open_books(site.settings) as books:
        await books.ledger.expire()
        calls = await books.ledger.calls()
        _judge_charges(verdict, bill, calls)
        await _judge_pictures(verdict, books, site, calls)
        await _judge_books(verdict, books, site, emulator)
    return verdict


def _judge_charges(verdict: Verdict, bill: Iterable[Billed], calls: Iterable[Call]) -> None:
    """Piece by piece: nobody paid twice but for a call of unknown outcome, and all of it is accounted for."""
    pictures, charged = Counter[str](), Counter[str]()
    for entry in bill:
        pictures[entry.account] += entry.amount > 0
        charged[entry.account] += entry.amount
    counted, unknown = Counter[str](), Counter[str]()
    for call in calls:
        name = call.scope.rpartition("/")[2]
        counted[name] += call.amount
        unknown[name] += call.state is SendState.UNKNOWN
        if call.state is SendState.SENT:
            verdict.faults.append(f"a call of {call.request_id} is still under way")
    for name, count in pictures.items():
        piece = Piece(int(name))
        more = max(0, count - piece.pictures)
        allowed = min(more, unknown[name])
        verdict.sent_again += allowed
        verdict.twice += more - allowed
        if counted[name] < charged[name]:
            verdict.uncovered += charged[name] - counted[name]
            verdict.faults.append(f"{name} counts {counted[name]} and was charged {charged[name]}")
    verdict.unknown = unknown.total()


async def _judge_pictures(verdict: Verdict, books: Books, site: Site, calls: Iterable[Call]) -> None:
    """Every picture that was whole on disk, or settled, is kept and can be read."""
    rows = await books.db.read(_rows)
    verdict.pictures = len(rows)
    written = set(site.lines("written"))
    settled = {call.response_id for call in calls if call.state is SendState.KNOWN and call.amount}
    for response_id in (written | settled) - rows.keys():
        verdict.lost += 1
        verdict.faults.append(f"the picture of response {response_id} was paid and is in no row")
    for digest in set(rows.values()):
        try:
            await books.assets.blobs.read(digest)
        except AssetError as problem:
            verdict.lost += 1
            verdict.faults.append(str(problem))
    handed_out = {d for digests in site.done().values() for d in digests.split(",")}
    verdict.faults += [
        f"{digest} was handed out and is in no row" for digest in handed_out - {*rows.values()}
    ]
    await _judge_strays(verdict, books, site)


async def _judge_strays(verdict: Verdict, books: Books, site: Site) -> None:
    """A whole picture in the store that no row refers to would be lost; so would a note that nobody took."""
    known = await books.db.read(lambda tx: set(tx.connection.execute(select(asset_blobs.c.digest)).scalars()))
    blobs = books.assets.blobs
    given = {Piece(n).reference for n in range(site.pieces) if Piece(n).kind is Kind.REFERENCED}
    async for digest, _ in blobs.list(BLOBS):
        if digest in known:
            continue
        data = await blobs.read(digest)
        if data.startswith(_PICTURES) and data not in given:
            verdict.lost += 1
            verdict.faults.append(f"the picture {digest} is in the store and in no row")
    async for note in blobs.store.list(LANDING):
        verdict.faults.append(f"the note {note.name} was taken in by nobody")


def _rows(tx: Transaction) -> dict[str | None, str]:
    """Response id → digest of every picture that is known."""
    found = tx.connection.execute(select(assets.c.response_id, assets.c.digest))
    return {row.response_id: row.digest for row in found}


async def _judge_books(verdict: Verdict, books: Books, site: Site, emulator: Upstream) -> None:
    """No hold is left, nothing was above the cap; with the unknown resolved the ledger is the bill."""
    before = await books.ledger.verify()
    told = account(site.address)
    verdict.holds_left = before.open_holds + (told.held != 0)
    verdict.overspent = max(0, told.highest - CAP)
    found = await books.reconcile(emulator.charges(), complete=True)
    left = await books.adopt(found, who="harness", bill="the emulator's bill")
    verdict.faults += [
        f"{one.kind}: {one.model} {one.ours} {one.theirs} {one.detail}" for one in left.differences
    ]
    verdict.equal = account(site.address).settled == verdict.charged == left.ours
    report = await books.ledger.verify()
    verdict.sound = before.sound and report.sound
    verdict.faults += [str(one) for one in (*before.discrepancies, *report.discrepancies)]
