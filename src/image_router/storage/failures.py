"""Errors of the two databases as StorageError: what is wrong, and what to do about it."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from image_router.core.errors import StorageError, StorageProblem

_ADVICE = {
    StorageProblem.LOCKED: "is locked by another process; find out which one holds it, or try again",
    StorageProblem.GONE: "cannot be reached; check that it exists and that its server runs",
    StorageProblem.READ_ONLY: "cannot be written; check the permissions of the file and its folder, or on a "
    "server those of the role, and that it is no standby",
    StorageProblem.FULL: "has no room left; free some space on its disk",
    StorageProblem.CORRUPT: "is damaged; keep the file, restore a backup, and run `ledger verify` on it",
    StorageProblem.OTHER: "reports an error",
}
# https://www.sqlite.org/rescode.html: an extended name begins with its primary one.
_SQLITE = {
    "SQLITE_BUSY": StorageProblem.LOCKED,
    "SQLITE_LOCKED": StorageProblem.LOCKED,
    "SQLITE_CANTOPEN": StorageProblem.GONE,
    "SQLITE_READONLY": StorageProblem.READ_ONLY,
    "SQLITE_PERM": StorageProblem.READ_ONLY,
    "SQLITE_FULL": StorageProblem.FULL,
    # A file size limit or quota; only "no space on device" is reported as SQLITE_FULL.
    "SQLITE_IOERR_WRITE": StorageProblem.FULL,
    "SQLITE_IOERR_SHMSIZE": StorageProblem.FULL,
    "SQLITE_CORRUPT": StorageProblem.CORRUPT,
    "SQLITE_NOTADB": StorageProblem.CORRUPT,
    "SQLITE_IOERR_SHORT_READ": StorageProblem.CORRUPT,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html: classes of two, codes of five characters.
_POSTGRESQL = {
    "08": StorageProblem.GONE,
    "57P": StorageProblem.GONE,
    "3D000": StorageProblem.GONE,
    "25P03": StorageProblem.GONE,
    "55P03": StorageProblem.LOCKED,
    "40": StorageProblem.LOCKED,
    "57014": StorageProblem.LOCKED,
    "25006": StorageProblem.READ_ONLY,
    "42501": StorageProblem.READ_ONLY,
    "53100": StorageProblem.FULL,
    "XX00": StorageProblem.CORRUPT,
}


def storage_error(error: Exception, name: str, *, in_doubt: bool = False) -> StorageError:
    """The error of a database called `name`, in words for the operator."""
    problem = _problem(error)
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    doubt = " The step may have been stored all the same." if in_doubt else ""
    words = f"the database {name} {_ADVICE[problem]} ({_first_line(cause)}).{doubt}"
    return StorageError(words, problem=problem, in_doubt=in_doubt)


def _problem(error: Exception) -> StorageProblem:
    if isinstance(error, OSError):
        return StorageProblem.READ_ONLY if isinstance(error, PermissionError) else StorageProblem.GONE
    original = getattr(error, "orig", None)
    sqlite_name = getattr(original, "sqlite_errorname", None)
    if sqlite_name is not None:
        return _longest_match(_SQLITE, sqlite_name)
    sqlstate = getattr(original, "sqlstate", None)
    if sqlstate is not None:
        return _longest_match(_POSTGRESQL, sqlstate)
    lost = isinstance(error, DBAPIError) and (
        error.connection_invalidated or type(original).__name__ in ("OperationalError", "ConnectionTimeout")
    )
    return StorageProblem.GONE if lost else StorageProblem.OTHER


def _longest_match(table: dict[str, StorageProblem], code: str) -> StorageProblem:
    fitting = [prefix for prefix in table if code.startswith(prefix)]
    return table[max(fitting, key=len)] if fitting else StorageProblem.OTHER


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
