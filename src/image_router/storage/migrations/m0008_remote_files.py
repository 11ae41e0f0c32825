"""Whose the files at the provider are: its keys are shared by everybody who calls the gateway."""

NUMBER = 8
NAME = "remote_files"

STATEMENTS = (
    """
    CREATE TABLE remote_files (
        name TEXT PRIMARY KEY, scope {path} NOT NULL, made_at BIGINT NOT NULL, until BIGINT NOT NULL
    )
    """,
    "CREATE INDEX remote_files_by_scope ON remote_files (scope, made_at)",
    "CREATE INDEX remote_files_by_end ON remote_files (until)",
)
