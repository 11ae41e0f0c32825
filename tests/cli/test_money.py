"""budget, statement, usage, ledger and reconcile, on the books that offline commands write."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from cli.conftest import Run
from gemini_emulator import Emulator
from image_router.books import open_books
from image_router.checkup import accounts as books_check


@pytest.fixture
def billed(emulator: Emulator) -> Emulator:
    """The emulator with an empty bill."""
    emulator.reset()
    return emulator


@pytest.fixture
def spent(run: Run, billed: Emulator) -> Emulator:
    """Traffic of two scopes, one reply lost after it was paid."""
    billed.faults.script("ok", "drop_after")
    assert run("generate", "a fox", "--scope", "acme/a", "-n", "2").status == 0
    assert run("generate", "a hero", "--scope", "acme/b", "--purpose", "hero").status == 0
    return billed


def usd(nanos: int) -> Decimal:
    return Decimal(nanos) / 10**9


def test_a_budget_is_set_shown_and_kept(run: Run) -> None:
    """Every property is set and shown; what is not named stays; who did it is in the history."""
    flags = ["--day", "5", "--month", "$100", "--per-request", "0.30", "--zone", "Europe/Berlin"]
    assert (
        run("budget", "set", "acme", *flags, "--guard-percent", "80", "--alert", "50", "--who", "ann").status
        == 0
    )
    view = run("budget", "set", "acme", "--day", "none", "--alert", "none", "--json").json
    assert (view["day_usd"], view["month_usd"], view["per_request_usd"]) == (None, "100", "0.3")
    assert (view["zone"], view["guard_percent"], view["alerts"]) == ("Europe/Berlin", 80, [])
    assert [each["window"] for each in view["windows"]] == ["month"]
    changes = run("budget", "history", "acme", "--json").json["changes"]
    by_ann = {each["field"]: each["new"] for each in changes if each["who"] == "ann"}
    assert (by_ann["day_usd"], by_ann["alerts"], by_ann["zone"]) == ("5", [50], "Europe/Berlin")
    assert "@" in changes[-1]["who"]
    assert "$100.00" in run("budget", "list").out
    assert run("budget", "list", "--json").json["budgets"][0]["scope"] == "acme"
    assert run("budget", "remove", "acme").status == 0
    assert run("budget", "list").out.startswith("no budget is set")
    assert len(run("budget", "history", "acme", "--json").json["changes"]) > len(changes)


def test_gauges_show_spent_and_left(run: Run, spent: Emulator) -> None:
    """Bars for every window of every scope above: spent, percent, left and when it resets."""
    run("budget", "set", "acme", "--total", "1")
    run("budget", "set", "acme/a", "--day", "0.10", "--zone", "Asia/Tokyo")
    out = run("budget", "show", "acme/a").out
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["acme", "total", "acme/a", "day"]
    assert "█" in lines[1]
    assert "for ever" in lines[1]
    assert lines[3].endswith("T00:00:00+09:00")
    assert "%" in lines[3]
    view = run("budget", "show", "acme/a", "--json").json["budgets"]
    (total,), (day,) = view[0]["windows"], view[1]["windows"]
    assert Decimal(total["spent_usd"]) + Decimal(total["left_usd"]) == 1
    assert Decimal(total["spent_usd"]) >= usd(spent.bill().total)
    assert Decimal(day["spent_usd"]) < Decimal(total["spent_usd"])


def test_a_prepaid_budget_is_topped_up(run: Run) -> None:
    """Top-ups raise the total of a prepaid budget, and of no other."""
    run("budget", "set", "acme", "--total", "5", "--prepaid")
    assert run("budget", "top-up", "acme", "2.50", "--json").json["total_usd"] == "7.5"
    run("budget", "set", "other", "--total", "5")
    refused = run("budget", "top-up", "other", "2")
    assert (refused.status, "is not prepaid" in refused.err) == (2, True)


def test_a_cap_below_what_is_spent_says_so(run: Run, spent: Emulator) -> None:
    """Lowering is allowed; the note says by how much it is passed, and the next request is refused."""
    ran = run("budget", "set", "acme", "--total", "0.01")
    assert ran.status == 0
    assert "more than the total cap is already spent" in ran.err
    refused = run("generate", "a fox", "--scope", "acme/a", "--json")
    assert (refused.status, refused.json["error"]["code"]) == (10, "budget_exceeded")


def test_money_is_waited_for(run: Run, billed: Emulator) -> None:
    """--wait-for-budget does not wait for what cannot come; odd numbers are refused."""
    run("budget", "set", "acme", "--total", "0.001")
    assert run("generate", "a fox", "--scope", "acme", "--wait-for-budget", "600").status == 10
    for seconds in ("-1", "nan", "inf"):
        assert run("generate", "a fox", "--wait-for-budget", seconds).status == 2
    assert billed.bill().entries == ()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["set", "acme", "--day", "-5"], "--day -5 must be between $0"),
        (["set", "acme", "--day", "NaN"], "--day NaN must be between $0"),
        (["set", "acme", "--day", "0"], "it must be $0.000000001 to $1,000,000,000.00"),
        (["set", "acme", "--total", "1e12"], "must be between $0 and $1,000,000,000"),
        (["set", "acme", "--month", "0.0000000001"], "finer than a nano-dollar"),
        (["set", "acme", "--month", "many"], "is not an amount in dollars"),
        (["set", "acme", "--day", "1", "--zone", "Mars/Base"], "time zone 'Mars/Base' is unknown"),
        (["set", "acme//x", "--day", "1"], "is not a path like"),
        (["set", "acme"], "nothing to set"),
        (["set", "acme", "--alert", "101"], "different percents from 1 to 100"),
        (["set", "acme", "--alert", "-3"], "--alert '-3' is no whole percent"),
        (["set", "acme", "--guard-percent", "0"], "guard_percent is 0"),
        (["set", "acme", "--day", "1", "--prepaid"], "set total alone"),
        (["set", "acme", "--day", "1", "--who", " "], "--who is empty"),
        (["show", "nobody"], "no budget binds 'nobody'"),
        (["remove", "nobody"], "has no budget to remove"),
        (["top-up", "nobody", "5"], "is not prepaid"),
    ],
)
def test_odd_budgets_are_refused(run: Run, flags: list[str], said: str) -> None:
    """What makes no sense is a usage error with the numbers, as text and as JSON, and sets nothing."""
    ran = run("budget", *flags)
    assert (ran.status, said in ran.err) == (2, True), ran.err
    assert run("budget", *flags, "--json").json["error"]["exit_status"] == 2
    assert run("budget", "history", "--json").json["changes"] == []


def test_a_statement_adds_up_in_every_format(run: Run, spent: Emulator) -> None:
    """Table, JSON and CSV hold the same lines; their sum is the total."""
    view = run("statement", "--by", "scope", "--by", "tier", "--format", "json").json
    rows = list(
        csv.DictReader(io.StringIO(run("statement", "--by", "scope", "--by", "tier", "--format", "csv").out))
    )
    for name in ("calls", "images", "spent_usd", "unconfirmed_usd", "for_nothing_usd"):
        whole = Decimal(view["total"][name])
        assert sum(Decimal(line[name]) for line in view["lines"]) == whole
        assert sum(Decimal(row[name]) for row in rows) == whole
    assert {row["scope"] for row in rows} == {"acme/a", "acme/b"}
    assert Decimal(view["total"]["unconfirmed_usd"]) > 0
    table = run("statement").out.splitlines()
    assert table[0].split()[:3] == ["tier", "calls", "images"]
    assert table[-1].split()[:3] == ["total", str(view["total"]["calls"]), str(view["total"]["images"])]
    assert run("statement", "--scope", "acme/a", "--json").json["total"]["images"] == 2


@pytest.mark.parametrize("command", ["statement", "usage"])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--scope", "nobody"], "known are acme/a, acme/b"),
        (["--from", "yesterday"], "--from 'yesterday' is no day"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "swap the days"),
        (["--zone", "Mars"], "time zone 'Mars' is unknown"),
        (["--json", "--format", "csv"], "choose one"),
    ],
)
def test_odd_periods_are_refused(
    run: Run, spent: Emulator, command: str, flags: list[str], said: str
) -> None:
    """A misspelt scope, day or zone is never an empty statement."""
    ran = run(command, *flags)
    assert ran.status == 2
    assert said in ran.err + ran.out


def test_a_column_stands_once(run: Run) -> None:
    """The same column twice is refused."""
    assert run("statement", "--by", "day", "--by", "day").status == 2


def test_usage_compares_with_the_blend_and_with_pro(run: Run, spent: Emulator) -> None:
    """Shares sum to the whole, days to the total; savings and failures are told."""
    view = run("usage", "--json").json
    assert sum(Decimal(one["share_percent"]) for one in view["mix"]) == pytest.approx(
        100, abs=Decimal("0.001")
    )
    assert sum(Decimal(one["target_percent"]) for one in view["mix"]) == 100
    assert sum(Decimal(day["spent_usd"]) for day in view["days"]) == Decimal(view["total"]["spent_usd"])
    saved = Decimal(view["all_pro"]["cost_usd"]) - Decimal(view["total"]["spent_usd"])
    assert Decimal(view["all_pro"]["saved_usd"]) == saved
    assert [one["outcome"] for one in view["failures"]] == ["connection_lost"]
    out = run("usage").out
    for words in ("Mix", "Days", "All on nano_banana_pro", "Failures", "unconfirmed", "█"):
        assert words in out
    assert run("usage", "--format", "csv").out.startswith("day,calls,images,spent_usd")


def test_empty_books_are_no_error(run: Run) -> None:
    """Before anything is spent every command answers with zeros."""
    assert run("statement", "--json").json["total"]["spent_usd"] == "0"
    assert run("usage").out.startswith("0 images in 0 calls for $0.00")
    assert run("ledger", "entries").out == "the ledger has no entries yet\n"
    assert run("ledger", "unknowns").out == "0 calls of unknown outcome, $0.00 at risk\n"
    assert run("ledger", "verify").out.startswith("sound: 0 entries")


def test_entries_are_found_by_request_and_hold(run: Run, spent: Emulator) -> None:
    """The newest first, or all about one request or hold in order; CSV has a row for each."""
    newest = run("ledger", "entries", "--json").json["entries"]
    assert [one["id"] for one in newest] == list(range(len(newest), 0, -1))
    of_request = run("ledger", "entries", "--request", newest[-1]["request"], "--json").json["entries"]
    of_hold = run("ledger", "entries", "--hold", newest[-1]["hold"], "--json").json["entries"]
    assert of_request == of_hold
    assert of_hold[0]["kind"] == "hold"
    assert sum(Decimal(one["held_usd"]) for one in of_hold) == 0
    assert len(run("ledger", "entries", "--limit", "2", "--json").json["entries"]) == 2
    assert len(run("ledger", "entries", "--format", "csv").out.splitlines()) == len(newest) + 1
    assert {
        one["scope"] for one in run("ledger", "entries", "--scope", "acme/a", "--json").json["entries"]
    } == {"acme/a"}
    for flags in (["--hold", "hold_none"], ["--request", "req_none"], ["--scope", "nobody"]):
        assert run("ledger", "entries", *flags).status == 2
    assert run("ledger", "entries", "--hold", "a", "--request", "b").status == 2


def test_an_unknown_call_is_listed_and_resolved(run: Run, spent: Emulator) -> None:
    """What is at risk is shown, resolved with who and why, and then gone."""
    view = run("ledger", "unknowns", "--json").json
    (one,) = view["unknowns"]
    assert view["at_risk_usd"] == one["at_risk_usd"]
    assert one["call"] in run("ledger", "unknowns").out
    for flags in ([], ["--cost", "0.01", "--not-billed"], ["--cost", "-1"]):
        assert run("ledger", "resolve", one["call"], "--reason", "bill", *flags).status == 2
    assert run("ledger", "resolve", "hold_none", "--not-billed", "--reason", "bill").status == 2
    assert run("ledger", "resolve", one["call"], "--not-billed").status == 2
    ran = run("ledger", "resolve", one["call"], "--cost", "0.01", "--reason", "invoice 12", "--who", "ann")
    assert ran.status == 0
    assert run("ledger", "unknowns", "--json").json["unknowns"] == []
    assert run("ledger", "entries", "--limit", "1", "--json").json["entries"][0]["note"] == "ann: invoice 12"
    assert run("ledger", "verify").status == 0


def test_a_tampered_ledger_is_reported_with_the_entry(run: Run, spent: Emulator, here: Path) -> None:
    """A changed amount is found, with exit code 1 and the entry's id, by verify and by the doctor."""
    assert {one["name"]: one["health"] for one in run("doctor", "--json").json["findings"]}["ledger"] == "ok"
    books = sqlite3.connect(here.parent / "home" / "offline.db")
    entry = books.execute("SELECT id FROM entries WHERE kind = 'settle' LIMIT 1").fetchone()[0]
    books.execute("UPDATE entries SET spent = spent - 1 WHERE id = ?", (entry,))
    books.commit()
    books.close()
    ran = run("ledger", "verify", "--json")
    assert (ran.status, ran.json["sound"]) == (1, False)
    assert entry in [one["entry"] for one in ran.json["discrepancies"]]
    assert f"entry {entry}: " in run("ledger", "verify").out
    checked = run("doctor", "--json")
    seen = {one["name"]: one for one in checked.json["findings"]}
    assert (checked.status, seen["ledger"]["health"]) == (1, "error")
    assert "offline.db, schema" in seen["books"]["detail"]
    assert seen["unknown calls"]["health"] == "warning"


def test_a_large_ledger_is_left_to_verify(run: Run, spent: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor is quick: it verifies no ledger above its limit, and says so."""
    monkeypatch.setattr(books_check, "VERIFIED_AT_MOST", 1)
    seen = {one["name"]: one for one in run("doctor", "--json").json["findings"]}
    assert "not verified here" in seen["ledger"]["detail"]
    assert "ledger verify" in seen["ledger"]["advice"]


def test_the_bill_is_fetched_from_an_emulator(run: Run, spent: Emulator) -> None:
    """Differences are listed and exit 1; adjusting leaves none, and the ledger equals the bill."""
    ran = run("reconcile", "--emulator", spent.url, "--json")
    assert ran.status == 1
    assert [one["kind"] for one in ran.json["differences"]] == ["unknown resolved"]
    assert "unknown resolved" in run("reconcile", "--emulator", spent.url).out
    done = run("reconcile", "--emulator", spent.url, "--adjust", "--who", "ann", "--json")
    assert (done.status, done.json["adjusted"], done.json["open"]) == (0, 1, 0)
    assert run("reconcile", "--emulator", spent.url).status == 0
    spent_usd = run("statement", "--json").json["total"]["spent_usd"]
    assert Decimal(spent_usd) == usd(spent.bill().total) == Decimal(done.json["ledger_after_usd"])
    assert run("ledger", "verify").status == 0


def test_bills_in_files(run: Run, spent: Emulator, here: Path) -> None:
    """JSON and CSV say the same; only a complete one says that a call was free."""
    bill = spent.bill().to_json()
    (here / "bill.json").write_text(json.dumps(bill))
    rows = [["response_id", "time", "model", "amount_usd"]]
    rows += [[e["id"], e["time"], e["model"], f"{usd(e['total']):f}"] for e in bill["entries"]]
    with (here / "bill.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    by_json = run("reconcile", "--bill", "bill.json", "--json").json
    by_csv = run("reconcile", "--bill", "bill.csv", "--json").json
    assert by_json == by_csv
    table = csv.DictReader(io.StringIO(run("reconcile", "--bill", "bill.csv", "--format", "csv").out))
    assert [row["kind"] for row in table] == ["unknown resolved"]
    (here / "empty.csv").write_text("model,amount_usd\n")
    kinds = {one["kind"] for one in run("reconcile", "--bill", "empty.csv", "--json").json["differences"]}
    assert kinds == {"still unknown", "missing there"}
    kinds = {
        one["kind"]
        for one in run("reconcile", "--bill", "empty.csv", "--complete", "--json").json["differences"]
    }
    assert kinds == {"unknown resolved", "missing there"}
    assert run("reconcile", "--bill", "empty.csv", "--to", "2001-01-01").status == 0


def test_bills_of_sums(run: Run, spent: Emulator, here: Path) -> None:
    """Google Cloud's export has sums by day and model; they are compared, and resolve nothing."""
    assert run("reconcile", "--emulator", spent.url, "--adjust").status == 0
    lines = run("statement", "--by", "model", "--json").json["lines"]
    rows = [f"{line['model']},{line['spent_usd']}" for line in lines]
    (here / "sums.csv").write_text("\n".join(["model,cost", *rows]))
    assert run("reconcile", "--bill", "sums.csv", "--totals").status == 0
    (here / "sums.csv").write_text("\n".join(["model,cost", *rows[1:]]))
    ran = run("reconcile", "--bill", "sums.csv", "--totals", "--json")
    assert (ran.status, [one["kind"] for one in ran.json["differences"]]) == (1, ["missing there"])
    assert "the sum of all days" in run("reconcile", "--bill", "sums.csv", "--totals").out
    assert run("reconcile", "--bill", "sums.csv", "--totals", "--adjust").status == 2


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ([], 2),
        (["--bill", "bill.csv", "--emulator", "http://127.0.0.1:9"], 2),
        (["--bill", "none.csv"], 42),
        (["--bill", "odd.csv"], 2),
        (["--bill", "latin.csv"], 2),
        (["--emulator", "http://127.0.0.1:9"], 42),
        (["--emulator", "ftp://127.0.0.1"], 2),
    ],
)
def test_odd_bills_are_refused(run: Run, here: Path, flags: list[str], status: int) -> None:
    """No bill, two, a missing or unreadable one, and a host that gives none."""
    (here / "odd.csv").write_text("model,amount_usd\nm,nan\n")
    (here / "latin.csv").write_bytes("model,amount_usd\nmödel,1\n".encode("latin-1"))
    ran = run("reconcile", *flags)
    assert ran.status == status
    assert "error (" in ran.err
    assert "Traceback" not in ran.err


def test_books_that_cannot_be_opened(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database out of reach is one error with its own exit code, and its password is never shown."""
    monkeypatch.setenv("IMAGE_ROUTER_OFFLINE", "0")
    monkeypatch.setenv("IMAGE_ROUTER_DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:9/books")
    for command in (
        ["statement"],
        ["budget", "list"],
        ["ledger", "verify"],
        ["doctor", "--offline", "--online"],
    ):
        ran = run(*command)
        assert ran.status in (1, 51)
        assert "s3cret" not in ran.out + ran.err
    monkeypatch.setenv("IMAGE_ROUTER_DATABASE_URL", "mysql://ann:s3cret@127.0.0.1/books")
    ran = run("statement", "--json")
    assert (ran.status, "s3cret" in ran.out) == (50, False)


def test_colour_only_where_wanted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR leaves the bars and takes the colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("budget", "set", "acme", "--day", "5").out


def test_the_library_has_the_same(run: Run, spent: Emulator) -> None:
    """What the command line does is plain functions of image_router.books."""

    async def total() -> int:
        async with open_books() as books:
            return (await books.usage()).total.spent

    assert usd(asyncio.run(total())) == Decimal(run("usage", "--json").json["total"]["spent_usd"])


@pytest.mark.parametrize(
    "command",
    [
        ("budget", "show", "acme"),
        ("budget", "list"),
        ("statement",),
        ("usage", "--scope", "acme"),
        ("ledger", "entries"),
        ("ledger", "unknowns", "--scope", "acme/a"),
        ("cache", "stats"),
    ],
)
def test_the_other_books_are_pointed_at(
    run: Run, spent: Emulator, here: Path, command: tuple[str, ...]
) -> None:
    """Who looks in empty books, while the other ones have what is looked for, is told of the flag."""
    run("budget", "set", "acme", "--day", "5")
    assert "note: these are the real books; the emulator's books" in run(*command, "--online").err
    assert "add --offline" in run(*command, "--online").err
    assert "note:" not in run(*command).err


def test_books_that_nobody_made_stay_unmade(run: Run, here: Path) -> None:
    """Looking for the other books makes none."""
    assert "note:" not in run("budget", "list").err
    assert not (here.parent / "home/ledger.db").exists()


def test_a_refusal_says_what_would_fit(run: Run, emulator: Emulator) -> None:
    """A budget's refusal spells out n × the most an image may cost, how many fit, and the tier that does."""
    run("budget", "set", "acme", "--day", "0.10")
    each = "0.0636075"
    ran = run("generate", "a fox", "-n", "2", "--purpose", "hero", "--scope", "acme", "--json")
    said = ran.json["error"]["message"]
    assert (ran.status, ran.json["error"]["code"]) == (10, "budget_exceeded")
    assert f"cannot cover $0.127215 (2 × ${each}, the most that imagen_4_standard may cost)" in said
    assert "1 of the 2 images would fit: n=1." in said
    assert "nano_banana would still fit: at most $0.0702025; ask for it with tier=nano_banana" in said
    assert "or wait" not in said


def test_a_cap_of_one_image_says_which_tier_fits(run: Run, emulator: Emulator) -> None:
    """Against a cap per request the price of one image counts, however many are asked for."""
    run("budget", "set", "acme", "--per-request", "0.04")
    ran = run("generate", "a fox", "-n", "2", "--purpose", "hero", "--scope", "acme")
    assert ran.status == 10
    assert "allows $0.04 for one image and this one may cost $0.0636075" in ran.err
    assert "nano_banana would still fit: at most $0.03510125 an image" in ran.err
    assert "images would fit: n=" not in ran.err
