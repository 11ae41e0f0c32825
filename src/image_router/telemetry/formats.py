"""How log lines look: JSON for programs, words for people; secrets and pictures are struck out of both."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from image_router.core.key_secret import PATTERN
from image_router.core.tracing import TRACE
from image_router.telemetry.log import FIELDS, log

_SHORTEST_SECRET: Final = 8
"""Characters. A shorter one stands in ordinary words."""
_STRUCK: Final = (
    (re.compile(r"AIza[0-9A-Za-z_-]{30,}|AQ\.[0-9A-Za-z_-]{30,}"), "[key]"),
    (re.compile(PATTERN, re.ASCII), "[key]"),
    (re.compile(r"(://[^/\s:@]+:)[^/\s@]+@"), r"\1[password]@"),
    (re.compile(r"[A-Za-z0-9+/_-]{160,}={0,2}"), "[base64]"),
    (re.compile(r"b(['\"])(?:(?!\1).){160,}\1", re.DOTALL), "[bytes]"),
)
"""Google's API keys, router keys, passwords in URLs, and what can only be a picture."""


class Redactor:
    """Strikes out secrets that are known, and what looks like one or like a picture."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known:
            text = self._known.sub("[secret]", text)
        for pattern, instead in _STRUCK:
            text = pattern.sub(instead, text)
        return text


class HumanFormatter(logging.Formatter):
    """Time, level and words; in UTC like all dates of this product."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._redact = redact

    converter = staticmethod(lambda seconds: datetime.fromtimestamp(seconds or 0.0, UTC).timetuple())

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, the trace, and the fields of an event."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := TRACE.get():
            line |= {"trace_id": trace.trace_id, "span_id": trace.span_id}
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(self._clean(line), ensure_ascii=False, default=str)

    def _clean(self, value: Any) -> Any:
        """Before it becomes JSON, whose escapes would hide a secret from the patterns."""
        match value:
            case str():
                return self._redact(value)
            case dict():
                return {name: self._clean(each) for name, each in value.items()}
            case list() | tuple():
                return [self._clean(each) for each in value]
            case bytes():
                return f"[{len(value)} bytes]"
            case _:
                return value


class _Ours(logging.StreamHandler[TextIO]):
    """The handler that start_logging made, so that it is replaced and never doubled."""


def start_logging(
    *,
    as_json: bool | None = None,
    level: int | str = logging.INFO,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send this process's log to a stream (stderr): ours from `level` on, other libraries' warnings.

    `as_json` of None: JSON unless the stream is a terminal. For processes of our own, the command line and
    the gateway: a library must leave logging alone. A second call replaces the first. Raises ValueError for
    an unknown level.
    """
    stream = stream or sys.stderr
    redact = Redactor(secrets)
    handler = _Ours(stream)
    plain = stream.isatty() if as_json is None else not as_json
    handler.setFormatter(HumanFormatter(redact) if plain else JsonFormatter(redact))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Ours)]:
        root.removeHandler(old)
    root.addHandler(handler)
    log.setLevel(level)
