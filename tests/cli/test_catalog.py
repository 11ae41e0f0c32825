"""`catalog plan` and `catalog templates`: what a table comes to before anything is spent."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from cli.conftest import Run

SHOP = "sku;name;colour\nm-1;mug;red\nm-2;jug;\n;cup;\nm-1;mug;red\nm-2;jar;\n"
PLAIN = '{"prompt": "a mug"}\n{"prompt": "a hero", "purpose": "hero", "size": "4K"}\n'


def shop(here: Path) -> str:
    (here / "shop.csv").write_text(SHOP)
    return "shop.csv"


def test_a_table_is_planned_with_its_price_and_nothing_is_spent(run: Run, here: Path) -> None:
    ran = run("catalog", "plan", shop(here), "--template", "ecommerce")
    assert ran.status == 1
    assert "21 rows, 14 to make" in ran.out
    assert "7 that are equal to one before" in ran.out
    assert "line 3, column 'sku': is empty" in ran.err
    assert "line 5: key 'm-2/reference' already names row 8" in ran.err
    assert not (here.parent / "home" / "ledger.db").exists()


def test_a_plans_json_adds_up(run: Run, here: Path) -> None:
    plan = run("catalog", "plan", shop(here), "--template", "ecommerce", "--json").json
    assert (plan["rows"], plan["to_make"], plan["duplicates"], plan["lines_left_out"]) == (21, 14, 7, 2)
    total = Decimal(plan["quote"]["total_usd"])
    assert total > 0
    assert sum(Decimal(line["amount_usd"]) for line in plan["quote"]["lines"]) == total
    assert sum(Decimal(way["quote_usd"]) for way in plan["ways"]) == total
    assert sum(way["rows"] for way in plan["ways"]) == 14
    assert [problem["line"] for problem in plan["problems"]] == [3, 5]


def test_batch_is_half(run: Run, here: Path) -> None:
    (here / "t.jsonl").write_text(PLAIN)
    now = run("catalog", "plan", "t.jsonl", "--json").json
    night = run("catalog", "plan", "t.jsonl", "--lane", "batch", "--json").json
    assert 2 * Decimal(night["quote"]["total_usd"]) == Decimal(now["quote"]["total_usd"])
    assert {way["lane"] for way in night["ways"]} == {"batch"}
    assert {way["seconds_at_least"] for way in night["ways"]} == {86_400.0}


def test_a_table_without_problems_ends_well(run: Run, here: Path) -> None:
    (here / "t.jsonl").write_text(PLAIN)
    ran = run("catalog", "plan", "t.jsonl")
    assert ran.status == 0, ran.err
    assert "2 rows, 2 to make" in ran.out


def test_the_first_problems_are_told_and_the_rest_counted(run: Run, here: Path) -> None:
    (here / "t.csv").write_text("prompt,size\n" + "a mug,9K\n" * 30)
    ran = run("catalog", "plan", "t.csv", "--problems", "left-out.jsonl")
    assert "30 lines are left out" in ran.err
    assert ran.err.count("'9K' is not one of") == 10
    told = [json.loads(line) for line in (here / "left-out.jsonl").read_text().splitlines()]
    assert [each["line"] for each in told] == list(range(1, 31))
    assert told[0]["column"] == "size"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("shop.csv",), "template plain needs column 'prompt', and shop.csv has 'sku', 'name', 'colour'"),
        (("shop.csv", "--template", "shop"), "template 'shop' is not one of"),
        (("shop.csv", "--template", "mine.toml"), "mine.toml"),
        (("gone.csv",), "gone.csv cannot be read"),
        (("shop.csv", "--template", "ecommerce", "--problems", "no/such/file"), "cannot be written"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_way_out(
    run: Run, here: Path, arguments: tuple[str, ...], reason: str
) -> None:
    shop(here)
    ran = run("catalog", "plan", *arguments)
    assert ran.status > 1
    assert reason in ran.err


def test_a_template_is_copied_and_changed(run: Run, here: Path) -> None:
    text = run("catalog", "templates", "ecommerce").out
    (here / "mine.toml").write_text(text.replace('lane = "{lane?}"', 'lane = "batch"'))
    plan = run("catalog", "plan", shop(here), "--template", "mine.toml", "--json").json
    assert {way["lane"] for way in plan["ways"]} == {"batch"}


def test_a_template_in_the_home_has_a_name(run: Run, here: Path) -> None:
    folder = here.parent / "home" / "templates"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(run("catalog", "templates", "ecommerce").out.replace("{sku}", "{id}"))
    (here / "t.csv").write_text("id,sku,name\n1,m-1,mug\n")
    plan = run("catalog", "plan", "t.csv", "--template", "mine", "--json")
    assert (plan.status, plan.json["to_make"]) == (0, 7)
    assert "mine" in run("catalog", "templates", "--json").json


def test_templates_say_what_they_are_for(run: Run) -> None:
    known = run("catalog", "templates", "--json").json
    assert known["ecommerce"]["columns"] == ["sku", "name"]
    listed = run("catalog", "templates")
    assert all(name in listed.out for name in known)
    assert run("catalog", "templates", "shop").status > 1


def test_what_a_run_made_is_exported_with_its_manifest(run: Run, here: Path) -> None:
    (here / "t.csv").write_text("prompt,subject\na mug,mugs\na red mug,mugs\n")
    made = run("catalog", "run", "t.csv", "--yes", "--json")
    assert made.status == 0, made.err
    name = made.json["id"]
    told = run("catalog", "export", name, "--to", "out", "--json").json
    assert (told["rows"], told["pictures"], told["sheets"], told["without"]) == (2, 2, 1, [])
    lines = [json.loads(line) for line in (here / "out" / "manifest.jsonl").read_text().splitlines()]
    assert all((here / "out" / line["file"]).exists() for line in lines)
    spent = sum(Decimal(line["cost_usd"]) for line in lines)
    assert spent == Decimal(made.json["progress"]["spent"])
    again = run("catalog", "export", name, "--to", "out")
    assert again.out.startswith("2 pictures of 2 rows in out")
    assert run("catalog", "export", "run_nobody", "--to", "out").status > 1
