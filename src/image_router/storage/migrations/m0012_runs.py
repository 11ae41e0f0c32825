"""Runs: what is made in bulk, its rows and chunks, and the processes that work on it."""

NUMBER = 12
NAME = "runs"

STATEMENTS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, scope {path} NOT NULL, profile TEXT,
        terms TEXT NOT NULL, state TEXT NOT NULL, pause TEXT, reason TEXT NOT NULL, resumes_at BIGINT,
        version TEXT NOT NULL, fingerprint TEXT, rows INTEGER,
        created_at BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT
    )
    """,
    "CREATE INDEX runs_by_time ON runs (created_at)",
    "CREATE INDEX runs_open ON runs (scope, fingerprint) WHERE ended_at IS NULL",
    """
    CREATE TABLE run_rows (
        run_id TEXT NOT NULL, number INTEGER NOT NULL, line INTEGER NOT NULL, row_key TEXT NOT NULL,
        subject TEXT NOT NULL, stage INTEGER NOT NULL, ask TEXT NOT NULL, planned_model TEXT NOT NULL,
        tier TEXT, quote BIGINT NOT NULL, ceiling BIGINT NOT NULL, duplicate_of INTEGER,
        finished BOOLEAN NOT NULL, lane TEXT NOT NULL, chunk INTEGER NOT NULL,
        state TEXT NOT NULL, cause TEXT NOT NULL, message TEXT NOT NULL, request_id TEXT, hold_id TEXT,
        remote_job TEXT, asset TEXT, model TEXT, cost BIGINT NOT NULL, at_risk BIGINT NOT NULL,
        tries INTEGER NOT NULL, resend BOOLEAN NOT NULL, ended_at BIGINT,
        PRIMARY KEY (run_id, number)
    )
    """,
    "CREATE INDEX run_rows_by_chunk ON run_rows (run_id, chunk)",
    "CREATE INDEX run_rows_by_state ON run_rows (run_id, state)",
    "CREATE INDEX run_rows_by_subject ON run_rows (run_id, subject)",
    "CREATE INDEX run_rows_by_remote_job ON run_rows (remote_job) WHERE remote_job IS NOT NULL",
    """
    CREATE TABLE run_chunks (
        run_id TEXT NOT NULL, number INTEGER NOT NULL, lane TEXT NOT NULL, stage INTEGER NOT NULL,
        rows INTEGER NOT NULL, state TEXT NOT NULL, turn INTEGER NOT NULL, place BIGINT NOT NULL,
        PRIMARY KEY (run_id, number)
    )
    """,
    "CREATE INDEX run_chunks_by_state ON run_chunks (run_id, state)",
    """
    CREATE TABLE executors (
        id TEXT PRIMARY KEY, label TEXT NOT NULL, begun_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,
        seen_epoch TEXT NOT NULL, fenced INTEGER NOT NULL
    )
    """,
)
