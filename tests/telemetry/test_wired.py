"""Settings and OTEL_* variables decide what is told and where to."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_router.cli.options import settings_from
from image_router.config import LogFormat, LogLevel, Secret, Settings, load_settings
from image_router.core.errors import ConfigError
from image_router.telemetry.exporting import _providers
from image_router.telemetry.log import LogSink
from image_router.telemetry.otel import OtelSink
from image_router.wiring import sinks_of, start_logging


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("image_router")
    handlers, level = list(root.handlers), ours.level
    yield
    root.handlers[:] = handlers
    ours.setLevel(level)


def test_only_the_log(tmp_path: Path) -> None:
    """Without OTEL_* variables the log is the only sink."""
    assert [type(sink) for sink in sinks_of(Settings(home=tmp_path))] == [LogSink]


def test_traces_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an endpoint named, traces begin before the log is written, so that its lines know their ids."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    _providers.cache_clear()
    sinks = sinks_of(Settings(home=tmp_path))
    assert [type(sink) for sink in sinks] == [OtelSink, LogSink]
    _providers.cache_clear()


def test_the_settings_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Format and level are as set, and the secrets of the settings never come out."""
    environ = {"IMAGE_ROUTER_LOG_FORMAT": "json", "IMAGE_ROUTER_LOG_LEVEL": "error"}
    key, books = Secret("key-that-nobody-sees"), Secret("postgresql://me@db/books-of-mine")
    settings = load_settings(environ=environ, folder=tmp_path, home=tmp_path, api_key=key, database=books)
    assert (settings.log_format, settings.log_level) == (LogFormat.JSON, LogLevel.ERROR)
    start_logging(settings)
    logging.getLogger("image_router").warning("not this")
    logging.getLogger("image_router").error("%s and %s", key.reveal(), books.reveal())
    assert json.loads(capsys.readouterr().err)["message"] == "[secret] and [secret]"


def test_the_level_of_a_surface(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no level is set, the surface's own counts."""
    start_logging(Settings(home=tmp_path, log_format=LogFormat.HUMAN), level=LogLevel.WARNING)
    logging.getLogger("image_router").info("quiet")
    logging.getLogger("image_router").warning("loud")
    assert "quiet" not in (said := capsys.readouterr().err)
    assert "WARNING loud" in said


@pytest.mark.parametrize(("level", "lines"), [("info", ["told"]), (None, [])])
def test_the_command_line(
    level: str | None, lines: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command logs where a setting says so, and else leaves logging alone."""
    if level:
        monkeypatch.setenv("IMAGE_ROUTER_LOG_LEVEL", level)
    settings_from({"log_format": None})
    logging.getLogger("image_router").info("told")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == lines


def test_a_format_that_is_none(tmp_path: Path) -> None:
    """A misspelt format is refused with those that exist."""
    environ = {"IMAGE_ROUTER_LOG_FORMAT": "xml"}
    with pytest.raises(ConfigError, match="auto, human, json"):
        load_settings(environ=environ, folder=tmp_path, home=tmp_path)
