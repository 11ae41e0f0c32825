"""Budgets, balances, holds, sends, entries."""

NUMBER = 1
NAME = "ledger"

STATEMENTS = (
    """
    CREATE TABLE budgets (
        scope {path} PRIMARY KEY, day BIGINT, month BIGINT, total BIGINT, per_request BIGINT,
        zone TEXT NOT NULL, guard_percent INTEGER, alerts TEXT NOT NULL, prepaid BOOLEAN NOT NULL
    )
    """,
    """
    CREATE TABLE budget_changes (
        id {counter}, at BIGINT NOT NULL, who TEXT NOT NULL, scope {path} NOT NULL, field TEXT NOT NULL,
        old TEXT, new TEXT
    )
    """,
    """
    CREATE TABLE balances (
        scope {path} NOT NULL, "window" TEXT NOT NULL, starts_at BIGINT NOT NULL, ends_at BIGINT NOT NULL,
        settled BIGINT NOT NULL, held BIGINT NOT NULL, alerted INTEGER NOT NULL,
        PRIMARY KEY (scope, "window", starts_at)
    )
    """,
    "CREATE INDEX balances_by_end ON balances (scope, ends_at)",
    """
    CREATE TABLE holds (
        id TEXT PRIMARY KEY, request_id TEXT NOT NULL, owner TEXT NOT NULL, scope {path} NOT NULL,
        model TEXT NOT NULL, tier TEXT, purpose TEXT NOT NULL, lane TEXT NOT NULL,
        amount BIGINT NOT NULL, remainder BIGINT NOT NULL, settled BIGINT NOT NULL, state TEXT NOT NULL,
        taken_at BIGINT NOT NULL, lease_until BIGINT NOT NULL, lease_epoch TEXT NOT NULL,
        lease_length BIGINT NOT NULL, entries INTEGER NOT NULL, digest TEXT NOT NULL
    )
    """,
    "CREATE INDEX holds_open ON holds (lease_until) WHERE state = 'open'",
    "CREATE INDEX holds_by_scope ON holds (scope, taken_at)",
    """
    CREATE TABLE sends (
        hold_id TEXT NOT NULL, request_id TEXT NOT NULL, image_index INTEGER NOT NULL,
        attempt INTEGER NOT NULL, at_risk BIGINT NOT NULL, model TEXT NOT NULL, tier TEXT,
        state TEXT NOT NULL, counted BIGINT NOT NULL, response_id TEXT, sent_at BIGINT NOT NULL,
        PRIMARY KEY (hold_id, request_id, image_index, attempt)
    )
    """,
    "CREATE INDEX sends_unknown ON sends (sent_at) WHERE state = 'unknown'",
    """
    CREATE TABLE entries (
        id {given_id}, hold_id TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,
        at BIGINT NOT NULL, request_id TEXT NOT NULL, scope {path} NOT NULL, model TEXT NOT NULL, tier TEXT,
        purpose TEXT NOT NULL, lane TEXT NOT NULL, spent BIGINT NOT NULL, held BIGINT NOT NULL,
        attempt_request TEXT, image_index INTEGER, attempt INTEGER, card TEXT, lines TEXT NOT NULL,
        "usage" TEXT, images INTEGER NOT NULL, size TEXT, billed TEXT, outcome TEXT NOT NULL,
        response_id TEXT, note TEXT NOT NULL, digest TEXT NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX entries_of_hold ON entries (hold_id, number)",
    "CREATE INDEX entries_by_time ON entries (at)",
)
