"""Secrets that all processes of one database share."""

NUMBER = 5
NAME = "secrets"

STATEMENTS = (
    """
    CREATE TABLE shared_secrets (name TEXT PRIMARY KEY, value {bytes} NOT NULL, made_at BIGINT NOT NULL)
    """,
)
