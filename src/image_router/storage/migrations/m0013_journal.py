"""The journal of calls, and what each process reports of itself."""

NUMBER = 13
NAME = "journal"

STATEMENTS = (
    """
    CREATE TABLE journal (
        number {counter}, at BIGINT NOT NULL, request_id TEXT NOT NULL, scope {path} NOT NULL,
        model TEXT NOT NULL, tier TEXT, cause TEXT NOT NULL, detail TEXT NOT NULL,
        elapsed BIGINT NOT NULL, waited BIGINT NOT NULL
    )
    """,
    "CREATE INDEX journal_by_time ON journal (at)",
    "CREATE INDEX journal_failures ON journal (at) WHERE cause <> 'ok'",
    "CREATE TABLE process_reports (owner TEXT PRIMARY KEY, at BIGINT NOT NULL, report TEXT NOT NULL)",
)
