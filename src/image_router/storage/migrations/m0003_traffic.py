"""Meters and circuits of the way to the provider, and which key made which file or batch there."""

NUMBER = 3
NAME = "traffic"

STATEMENTS = (
    """
    CREATE TABLE traffic_meters (
        project TEXT NOT NULL, model TEXT NOT NULL, limit_name TEXT NOT NULL, state TEXT NOT NULL,
        PRIMARY KEY (project, model, limit_name)
    )
    """,
    """
    CREATE TABLE traffic_circuits (
        project TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, rule TEXT NOT NULL,
        cause TEXT NOT NULL, detail TEXT NOT NULL, called TEXT NOT NULL, trips INTEGER NOT NULL,
        opened_at BIGINT NOT NULL, until BIGINT, probe_from BIGINT NOT NULL, probe_until BIGINT NOT NULL,
        PRIMARY KEY (project, key, model)
    )
    """,
    """
    CREATE TABLE traffic_bindings (
        resource TEXT PRIMARY KEY, member TEXT NOT NULL, until BIGINT NOT NULL
    )
    """,
    "CREATE INDEX traffic_bindings_by_end ON traffic_bindings (until)",
)
