"""Router keys, the append-only history of their changes, and what is counted of their limits."""

NUMBER = 4
NAME = "router_keys"

STATEMENTS = (
    """
    CREATE TABLE router_keys (
        id TEXT PRIMARY KEY, digest TEXT NOT NULL, hint TEXT NOT NULL, rules TEXT NOT NULL,
        old_digest TEXT, old_until BIGINT, created_at BIGINT NOT NULL, created_by TEXT NOT NULL,
        rotated_at BIGINT, revoked_at BIGINT, revoked_by TEXT
    )
    """,
    # The highest number is the version of all keys: whoever keeps some in memory asks what came after it.
    """
    CREATE TABLE router_key_changes (
        number {counter}, at BIGINT NOT NULL, who TEXT NOT NULL, key_id TEXT NOT NULL, what TEXT NOT NULL,
        field TEXT, old TEXT, new TEXT
    )
    """,
    "CREATE INDEX router_key_changes_by_key ON router_key_changes (key_id, number)",
    """
    CREATE TABLE router_key_meters (
        key_id TEXT NOT NULL, limit_name TEXT NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (key_id, limit_name)
    )
    """,
    """
    CREATE TABLE router_key_flights (
        id TEXT PRIMARY KEY, key_id TEXT NOT NULL, epoch TEXT NOT NULL, until BIGINT NOT NULL
    )
    """,
    "CREATE INDEX router_key_flights_by_key ON router_key_flights (key_id)",
)
