"""Batches at the provider that passed through: whose they are, and which hold pays for their rows."""

NUMBER = 9
NAME = "remote_batches"

STATEMENTS = (
    """
    CREATE TABLE remote_batches (
        name TEXT PRIMARY KEY, scope {path} NOT NULL, model TEXT NOT NULL, hold_id TEXT NOT NULL,
        rows INTEGER NOT NULL, made_at BIGINT NOT NULL, look_at BIGINT NOT NULL, settled_at BIGINT
    )
    """,
    "CREATE INDEX remote_batches_by_scope ON remote_batches (scope, made_at)",
    "CREATE INDEX remote_batches_open ON remote_batches (look_at) WHERE settled_at IS NULL",
)
