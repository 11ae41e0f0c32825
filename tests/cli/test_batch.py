"""`batch` from the command line, offline: submitted, fetched, cancelled, in our words and in OpenAI's."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from image_router.bulk.tables import Line
from image_router.cli.batch_lines import list_lines
from image_router.cli.batch_times import promised
from image_router.core.errors import InvalidRequest
from image_router.facts import SHIPPED

NOW = datetime.fromisoformat("2026-11-22T20:00:00+01:00")


@pytest.fixture
def quick(here: Path) -> None:
    """Looks at jobs are due every second, not every half minute."""
    home = here.parent / "home"
    text = (SHIPPED / "limits" / "batch.toml").read_text()
    text = re.sub(r"first = \d+", "first = 1", text)
    text = re.sub(r"longest = \d+", "longest = 1", text)
    (home / "limits").mkdir(parents=True, exist_ok=True)
    (home / "limits" / "batch.toml").write_text(text)


def rows(path: Path, *lines: Any) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def openai_line(custom_id: str, **body: Any) -> dict[str, Any]:
    asked = {"prompt": "a fox", "model": "auto:hero", **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/images/generations", "body": asked}


@pytest.mark.usefixtures("quick")
def test_a_list_is_submitted_and_its_results_are_fetched(run: Any, tmp_path: Path) -> None:
    file = rows(
        tmp_path / "list.jsonl",
        {"key": "fox", "prompt": "a fox", "purpose": "hero"},
        {"key": "hen", "prompt": "a hen", "purpose": "hero"},
    )
    submitted = run("batch", "submit", str(file), "--yes")
    assert "forgets the jobs" in submitted.err
    assert submitted.status == 0, submitted.err
    done = run("batch", "watch", "list", "--json")
    assert done.json["state"] == "done"
    assert done.json["progress"]["done"] == 2
    shown = run("batch", "results", "list", "--output", str(tmp_path / "out"))
    told = [json.loads(line) for line in shown.out.splitlines()]
    assert [(one["key"], one["state"]) for one in told] == [("fox", "done"), ("hen", "done")]
    assert all(Path(one["path"]).stat().st_size for one in told)
    assert "2 of 2 done" in run("batch", "list").out
    jobs = run("batch", "status", "list", "--json").json["jobs"]
    assert [(job["state"], job["rows"]) for job in jobs] == [("ended", 2)]


@pytest.mark.usefixtures("quick")
def test_openais_lines_come_back_as_openais_answers(run: Any, tmp_path: Path) -> None:
    file = rows(
        tmp_path / "openai.jsonl",
        openai_line("one", size="1536x1024"),
        openai_line("two", prompt="a hen", n=2),
        openai_line("odd", prompt="a cat", mask="x"),
    )
    submitted = run("batch", "submit", str(file), "--yes", "--wait")
    assert "forgets" not in submitted.err
    assert submitted.status == 0, submitted.err
    assert "left out: line 3" in submitted.err
    assert "mask" in submitted.err
    answers = tmp_path / "answers.jsonl"
    assert run("batch", "results", "openai", "--openai", str(answers)).status == 0
    told = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [one["custom_id"] for one in told] == ["one", "two", "two"]
    for one in told:
        assert one["error"] is None
        [picture] = one["response"]["body"]["data"]
        assert base64.b64decode(picture["b64_json"])


def test_a_batch_that_nobody_may_pay_for_is_not_begun(run: Any, tmp_path: Path) -> None:
    file = rows(tmp_path / "big.jsonl", *({"prompt": f"fox {n}", "purpose": "hero"} for n in range(200)))
    refused = run("batch", "submit", str(file), "--json")
    assert refused.status != 0
    assert "--yes" in refused.err + refused.out
    assert run("batch", "list", "--json").json == []


@pytest.mark.usefixtures("quick")
def test_a_cancelled_batch_is_over(run: Any, tmp_path: Path) -> None:
    file = rows(tmp_path / "list.jsonl", {"prompt": "a fox", "purpose": "hero"})
    assert run("batch", "submit", str(file), "--yes", "--detach").status == 0
    assert run("batch", "cancel", "list", "--json").json["state"] == "cancelled"


@pytest.mark.parametrize(
    ("by", "within", "moment"),
    [
        ("06:00", None, "2026-11-23T06:00:00+01:00"),
        ("23:30", None, "2026-11-22T23:30:00+01:00"),
        ("2026-12-24T06:00", None, "2026-12-24T06:00:00+01:00"),
        (None, "8h", "2026-11-23T04:00:00+01:00"),
        (None, "90m", "2026-11-22T21:30:00+01:00"),
    ],
)
def test_a_promise_is_a_moment(by: str | None, within: str | None, moment: str) -> None:
    assert promised(by, within, now=NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    ("by", "within", "words"),
    [
        ("tomorrow", None, "is no time"),
        ("2026-11-21T06:00", None, "is past"),
        (None, "soon", "is no span"),
        ("06:00", "8h", "give one of them"),
    ],
)
def test_what_is_no_promise_is_refused(by: str | None, within: str | None, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        promised(by, within, now=NOW)
    assert promised(None, None, now=NOW + timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"prompt": "a fox", "background": "transparent"}, "transparent"),
        ({"prompt": "a fox", "thinking": "high"}, "thinking: a row of a list cannot say that"),
        ({"prompt": "a fox", "images": [{"image_url": "data:image/png;base64,AA=="}]}, "URL or path"),
    ],
)
def test_what_a_list_cannot_say_is_left_out_with_its_reason(body: dict[str, Any], words: str) -> None:
    cells = {"custom_id": "1", "url": "/v1/images/generations", "body": json.dumps(body)}
    [line] = list_lines([Line(number=1, cells=cells)])
    assert words in line.broken


def test_a_line_for_another_endpoint_is_left_out() -> None:
    cells = {"custom_id": "1", "url": "/v1/chat/completions", "body": "{}"}
    [line] = list_lines([Line(number=1, cells=cells)])
    assert "/v1/images/generations" in line.broken
