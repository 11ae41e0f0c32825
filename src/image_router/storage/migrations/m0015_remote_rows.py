"""Rows of batches that were uploaded as a file: what each may cost, read while the file passed through."""

NUMBER = 15
NAME = "remote_rows"

STATEMENTS = (
    """
    CREATE TABLE remote_rows (
        upload TEXT PRIMARY KEY, file TEXT, taken BIGINT NOT NULL, tail {bytes} NOT NULL,
        rows TEXT NOT NULL, lines BIGINT NOT NULL, fault TEXT NOT NULL, until BIGINT NOT NULL
    )
    """,
    "CREATE INDEX remote_rows_by_file ON remote_rows (file)",
    "CREATE INDEX remote_rows_until ON remote_rows (until)",
)
