"""Webhooks: who wants to be told of what, with which secrets, and an outbox of what is to be told."""

NUMBER = 7
NAME = "webhooks"

STATEMENTS = (
    """
    CREATE TABLE webhook_endpoints (
        id TEXT PRIMARY KEY, scope {path} NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL,
        created_at BIGINT NOT NULL, created_by TEXT NOT NULL, off_at BIGINT, off_why TEXT
    )
    """,
    "CREATE INDEX webhook_endpoints_by_scope ON webhook_endpoints (scope)",
    # Signing needs the secret itself: a digest of it would not do.
    """
    CREATE TABLE webhook_secrets (
        scope {path} PRIMARY KEY, secret {bytes} NOT NULL, old_secret {bytes}, old_until BIGINT,
        made_at BIGINT NOT NULL, made_by TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE webhook_deliveries (
        id TEXT PRIMARY KEY, scope {path} NOT NULL, event TEXT NOT NULL, subject TEXT NOT NULL,
        endpoint_id TEXT, url TEXT NOT NULL, payload TEXT NOT NULL, state TEXT NOT NULL,
        created_at BIGINT NOT NULL, begun_at BIGINT NOT NULL, next_at BIGINT NOT NULL, ended_at BIGINT,
        tries INTEGER NOT NULL, status INTEGER, trouble TEXT,
        lease_until BIGINT NOT NULL, lease_epoch TEXT NOT NULL
    )
    """,
    "CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE ended_at IS NULL",
    "CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (created_at)",
    "CREATE INDEX webhook_deliveries_by_end ON webhook_deliveries (ended_at)",
    "CREATE INDEX webhook_deliveries_by_subject ON webhook_deliveries (subject)",
)
