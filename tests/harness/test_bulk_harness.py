"""Whole runs with a tenth of all calls failing and workers killed, behind `-m long`."""

from __future__ import annotations

import pytest

from harness.money import KINDS
from harness.test_engine_harness import row, said


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("kind", "workers"), [(KINDS[0], 1), (KINDS[1], 3)])
def test_ten_thousand_rows(kind: str, workers: int) -> None:
    """Five hundred subjects: every row is over, nothing is held, and the ledger is the emulator's bill."""
    printed = said("bulk.py", "--database", kind, "--workers", str(workers), "--kills", "6")
    assert row(printed, "rows").startswith("10,000")
    assert int(row(printed, "workers killed")) == 6
    assert row(printed, "held at the end") == "0"
    assert row(printed, "ledger verify") == "passes"
    assert row(printed, "ledger after resolving") == "equals the bill"
