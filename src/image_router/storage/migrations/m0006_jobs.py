"""Jobs: images requests that are answered later, by whichever process is free."""

NUMBER = 6
NAME = "jobs"

STATEMENTS = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY, scope {path} NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
        key_id TEXT, rules TEXT, asked_key TEXT, fingerprint TEXT NOT NULL, request {bytes},
        terms TEXT NOT NULL, images INTEGER NOT NULL, done INTEGER NOT NULL, failed INTEGER NOT NULL,
        request_id TEXT, cost BIGINT, result {bytes}, problem TEXT, cancel_asked BOOLEAN NOT NULL,
        created_at BIGINT NOT NULL, not_before BIGINT NOT NULL, started_at BIGINT, ended_at BIGINT,
        owner TEXT, turn INTEGER NOT NULL, lost INTEGER NOT NULL,
        lease_until BIGINT NOT NULL, lease_epoch TEXT NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX jobs_by_key ON jobs (scope, asked_key)",
    "CREATE INDEX jobs_open ON jobs (created_at) WHERE ended_at IS NULL",
    "CREATE INDEX jobs_by_time ON jobs (created_at)",
    "CREATE INDEX jobs_by_end ON jobs (ended_at)",
    # What a job still needs of the store: its references before it ends, its pictures after that.
    "CREATE TABLE job_blobs (job_id TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (job_id, digest))",
    "CREATE INDEX job_blobs_by_digest ON job_blobs (digest)",
)
