"""Chains: a character's reference and variants, each of them a job."""

NUMBER = 10
NAME = "chains"

STATEMENTS = (
    """
    CREATE TABLE chains (
        id TEXT PRIMARY KEY, scope {path} NOT NULL, state TEXT NOT NULL, key_id TEXT, rules TEXT,
        asked_key TEXT, fingerprint TEXT NOT NULL, request {bytes} NOT NULL, prompts TEXT NOT NULL,
        terms TEXT NOT NULL, created_at BIGINT NOT NULL, ended_at BIGINT
    )
    """,
    "CREATE UNIQUE INDEX chains_by_key ON chains (scope, asked_key)",
    "CREATE INDEX chains_open ON chains (created_at) WHERE ended_at IS NULL",
    "CREATE INDEX chains_by_time ON chains (created_at)",
)
