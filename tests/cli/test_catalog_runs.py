"""`catalog run` and what is done with runs, in process, offline."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from cli.conftest import Run
from image_router.cli.batch import batch
from image_router.cli.catalog_export import catalog

TABLE = "subject,prompt\nred,a red mug\nblue,a blue mug\n"


@pytest.fixture
def run(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Today: workers of the same database could be paid otherwise."""
    monkeypatch.delenv("IMAGE_ROUTER_AS_OF")
    (here / "mugs.csv").write_text(TABLE)
    return run


def test_a_table_is_made_and_costs_nothing_the_second_time(run: Run) -> None:
    first = run("catalog", "run", "mugs.csv", "--json")
    assert first.status == 0, first.err
    assert first.json["state"] == "done"
    assert first.json["progress"]["done"] == 2
    assert first.json["progress"]["spent"] == first.json["progress"]["projected"] != "0.00"
    again = run("catalog", "run", "mugs.csv", "--json")
    assert again.json["id"] != first.json["id"]
    assert again.json["progress"]["done"] == 2
    assert float(again.json["progress"]["spent"]) == 0


def test_nothing_is_stored_of_a_run_that_nobody_confirms(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_ROUTER_CONFIRM_ABOVE", "0.01")
    ran = run("catalog", "run", "mugs.csv")
    assert ran.status == 5
    assert "--yes" in ran.err
    assert run("catalog", "list", "--json").json == []


def test_nothing_is_stored_of_a_run_that_this_installation_cannot_make(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dbos", None)
    ran = run("catalog", "run", "mugs.csv", "--yes")
    assert "pip install 'image-router[bulk]'" in ran.err
    assert run("catalog", "list", "--json").json == []


def test_a_run_is_left_to_workers_steered_and_cancelled(run: Run) -> None:
    left = run("catalog", "run", "mugs.csv", "--detach", "--json").json
    assert (left["state"], left["progress"]["waiting"]) == ("running", 2)
    assert run("catalog", "run", "mugs.csv", "--detach", "--json").json["id"] == left["id"]
    assert "asked" in run("catalog", "pause", left["id"]).out
    assert run("catalog", "status", "mugs", "--json").json["state"] == "paused"
    assert run("catalog", "resume", "mugs", "--detach", "--json").json["state"] == "running"
    assert run("catalog", "cancel", "mugs", "--json").json["progress"]["cancelled"] == 2
    assert "mugs" in run("catalog", "list").out


def test_a_run_with_a_small_cap_stops_and_goes_on_with_a_larger_one(run: Run) -> None:
    ran = run("catalog", "run", "mugs.csv", "--max-cost", "0.06", "--json")
    assert (ran.json["state"], ran.json["pause"]) == ("paused", "budget")
    assert "--max-cost" in ran.json["reason"]
    assert float(ran.json["progress"]["spent"]) <= 0.06
    more = run("catalog", "resume", "mugs", "--max-cost", "1", "--json")
    assert (more.json["state"], more.json["progress"]["done"]) == ("done", 2)


def test_references_wait_for_their_owner(run: Run, here: Path) -> None:
    (here / "heroes.csv").write_text('subject,prompt,variants\nmira,"Mira, a courier",on a bike|at the sea\n')
    ran = run("catalog", "run", "heroes.csv", "--approve-references", "--json")
    assert (ran.json["pause"], ran.json["progress"]["done"]) == ("approval", 1)
    assert run("catalog", "approve", "heroes", "--json").json["progress"]["done"] == 3


def test_what_failed_is_tried_again(run: Run) -> None:
    run("catalog", "run", "mugs.csv", "--detach")
    run("catalog", "cancel", "mugs")
    ran = run("catalog", "retry-failed", "mugs", "--json")
    assert ran.json["progress"]["done"] == 2
    assert "2 rows" in ran.err


def test_a_run_that_is_not_there_is_told(run: Run) -> None:
    ran = run("catalog", "status", "nothing")
    assert ran.status == 2
    assert "catalog list" in ran.err


def test_every_command_says_what_it_does(run: Run) -> None:
    for command in ("run", "status", "watch", "pause", "resume", "cancel", "retry-failed", "approve", "list"):
        assert "image-router catalog" in run("catalog", command, "--help").out
    assert "SIGTERM" in run("worker", "--help").out


@pytest.mark.parametrize("group", [catalog, batch])
def test_whoever_makes_a_run_offline_finds_it_offline(group: click.Group) -> None:
    """Every command that looks at runs takes --offline, as the one that made them does."""
    runs = {name: command for name, command in group.commands.items() if name != "templates"}
    deaf = [name for name, command in runs.items() if "offline" not in {each.name for each in command.params}]
    assert runs
    assert deaf == []
