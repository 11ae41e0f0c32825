"""Faults of batch jobs: what goes wrong with a whole job, its rows, or its result."""

from __future__ import annotations

from collections.abc import Mapping

DESCRIPTIONS: Mapping[str, str] = {
    "batch_stuck": "the job stays PENDING (state=RUNNING) and expires after 48 hours; nothing is charged",
    "batch_fails": "the job ends FAILED with an error and no rows",
    "batch_rows_fail": "rows=0,2 (or all, the default) carry an error; code=13, message=<text>",
    "batch_rows_cancelled": "rows=0,2 (or all) carry error code 1",
    "batch_rows_missing": "rows=0 never come back and are not charged",
    "batch_rows_answer": "rows=0 get another answer; fault=<any answer fault>, such as image_safety",
    "batch_out_of_order": "rows come back in reverse order",
    "batch_late": "the job runs until looked at polls=6 times, and being cancelled does not stop it",
    "batch_result_gone": "done and charged, but the result file answers 403",
}
POLL_DESCRIPTIONS: Mapping[str, str] = {
    "batch_unreadable": "GET of the job answers 503, as for 1000 inline pictures",
}


def chosen(options: Mapping[str, str], count: int, *, default: str) -> frozenset[int]:
    """The rows an option names: `rows=0,2` or `rows=all`."""
    wanted = options.get("rows", default)
    if wanted == "all":
        return frozenset(range(count))
    return frozenset(int(row) for row in wanted.split(","))
