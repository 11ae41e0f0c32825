"""Batch jobs of runs, from the intent to make one to its last settled row; pictures that were uploaded."""

NUMBER = 14
NAME = "remote_jobs"

STATEMENTS = (
    """
    CREATE TABLE remote_jobs (
        id TEXT PRIMARY KEY, run_id TEXT NOT NULL, chunk INTEGER NOT NULL, scope {path} NOT NULL,
        model TEXT NOT NULL, tier TEXT, purpose TEXT NOT NULL, state TEXT NOT NULL,
        rows INTEGER NOT NULL, input_bytes BIGINT NOT NULL, result_bytes BIGINT NOT NULL,
        tokens BIGINT NOT NULL,
        project TEXT, member TEXT, name TEXT, input_file TEXT, input_until BIGINT, result_file TEXT,
        hold_id TEXT, told TEXT NOT NULL, succeeded INTEGER NOT NULL, reason TEXT NOT NULL,
        looks INTEGER NOT NULL, lists INTEGER NOT NULL, look_at BIGINT NOT NULL,
        made_at BIGINT NOT NULL, asked_at BIGINT, given_up_at BIGINT,
        over_at BIGINT, ended_at BIGINT
    )
    """,
    "CREATE INDEX remote_jobs_by_chunk ON remote_jobs (run_id, chunk)",
    "CREATE INDEX remote_jobs_open ON remote_jobs (look_at) WHERE ended_at IS NULL",
    """
    CREATE TABLE remote_uploads (
        project TEXT NOT NULL, digest TEXT NOT NULL, name TEXT NOT NULL, uri TEXT NOT NULL,
        media_type TEXT NOT NULL, bytes BIGINT NOT NULL, until BIGINT NOT NULL,
        PRIMARY KEY (project, digest)
    )
    """,
)
