"""The tables as they are now, for queries. How they came to be is in migrations/, which alone creates them.

Amounts are nano-dollars and moments microseconds since 1970 UTC, both 64-bit integers: SQLite's NUMERIC is a
float.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

NEVER = 2**63 - 1
"""The end of a window that does not end."""

metadata = MetaData()

migrations = Table(
    "schema_migrations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("applied_at", BigInteger, nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("day", BigInteger),
    Column("month", BigInteger),
    Column("total", BigInteger),
    Column("per_request", BigInteger),
    Column("zone", Text, nullable=False),
    Column("guard_percent", Integer),
    Column("alerts", Text, nullable=False),
    Column("prepaid", Boolean, nullable=False),
)

budget_changes = Table(
    "budget_changes",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text),
    Column("new", Text),
)

balances = Table(
    "balances",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("window", Text, primary_key=True),
    Column("starts_at", BigInteger, primary_key=True),
    Column("ends_at", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("alerted", Integer, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text),
    Column("purpose", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("remainder", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("lease_epoch", Text, nullable=False),
    Column("lease_length", BigInteger, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("digest", Text, nullable=False),
)

sends = Table(
    "sends",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("image_index", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("at_risk", BigInteger, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text),
    Column("state", Text, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("response_id", Text),
    Column("sent_at", BigInteger, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("hold_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text),
    Column("purpose", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("attempt_request", Text),
    Column("image_index", Integer),
    Column("attempt", Integer),
    Column("card", Text),
    Column("lines", Text, nullable=False),
    Column("usage", Text),
    Column("images", Integer, nullable=False),
    Column("size", Text),
    Column("billed", Text),
    Column("outcome", Text, nullable=False),
    Column("response_id", Text),
    Column("note", Text, nullable=False),
    Column("digest", Text, nullable=False),
)
