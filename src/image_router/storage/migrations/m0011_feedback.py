"""What people said of made pictures."""

NUMBER = 11
NAME = "feedback"

STATEMENTS = (
    """
    CREATE TABLE feedback (
        asset_id TEXT PRIMARY KEY, verdict TEXT NOT NULL, who TEXT NOT NULL, said_at BIGINT NOT NULL
    )
    """,
)
