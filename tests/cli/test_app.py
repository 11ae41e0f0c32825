"""The command group: help, exit codes, and flags that mean the same everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.conftest import Run
from image_router.bulk.row_requests import NoReference
from image_router.cli.app import COMMANDS, cli
from image_router.cli.failures import EXIT_CODE_OF, exit_of, exit_table
from image_router.config import VARIABLES
from image_router.core import errors
from image_router.storage.blobs import BlobFault, Fault

PROGRAM = Path(sys.executable).parent / "image-router"
_OWN_WORDS = {"cost", "statement", "usage", "reconcile", "serve"}
"""Commands that neither make, explain nor look up an image; their flags say what they are there."""
HEAVY = {"PIL", "aiohttp", "google", "numpy", "starlette", "uvicorn"}
NOT_FOR_WORDS = {
    "asyncio",
    "hashlib",
    "image_router.core.compressing",
    "image_router.core.reply",
    "image_router.core.text_calls",
    "image_router.engine.media",
    "isal",
    "logging",
    "pybase64",
}


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in COMMANDS}
    return {name: command for name, command in found.items() if command}


def error_classes() -> list[type[errors.ImageRouterError]]:
    found, todo = [], [errors.ImageRouterError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo += kind.__subclasses__()
    return found


def test_help_names_every_command_and_exit_code(run: Run) -> None:
    """--help lists all commands with one line each, and every exit code with its meaning."""
    ran = run("--help")
    assert ran.status == 0
    assert all(f"\n  {name} " in ran.out for name in COMMANDS)
    assert all(str(status) in ran.out for status, _, _ in exit_table())


def test_no_arguments_show_the_help(run: Run) -> None:
    """The bare command shows the help and is no failure."""
    ran = run()
    assert (ran.status, "Commands:" in ran.out) == (0, True)


def test_every_error_class_has_an_exit_code() -> None:
    """Each error class has its own entry, or shares that of the class above it."""
    own = {kind for kind in error_classes() if kind not in EXIT_CODE_OF}
    assert own - {BlobFault, NoReference} == {errors.InvalidRequest, errors.GuardRefused}
    assert exit_of(BlobFault("x", digest="ab", fault=Fault.MISSING)).status == 42
    assert exit_of(errors.InvalidRequest("x")).status == 2


def test_exit_codes_are_told_apart() -> None:
    """No two error classes share a status, and none looks like success or a signal."""
    codes = [code.status for code in EXIT_CODE_OF.values()]
    assert len(set(codes)) == len(codes)
    assert all(0 < status < 64 for status in codes)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_help_has_examples(run: Run, name: str) -> None:
    """`COMMAND --help` shows at least one command line to copy."""
    ran = run(name, "--help")
    assert ran.status == 0
    assert f"image-router {name}" in ran.out.replace(f"Usage: image-router {name}", "")


def test_flags_mean_the_same_everywhere() -> None:
    """A flag has one name and one help text wherever an image is made, explained or looked up; a purpose's
    default is each command's own."""
    seen: dict[str, tuple[str, str | None]] = {}
    for name, command in commands().items():
        for option in command.params if name not in _OWN_WORDS else ():
            if not isinstance(option, click.Option):
                continue
            text = option.help if option.name != "purpose" else "What the image is for."
            told = seen.setdefault(str(option.name), ("/".join(option.opts), text))
            assert told == ("/".join(option.opts), text), command.name
    assert {
        "purpose",
        "text",
        "references",
        "size",
        "aspect",
        "lane",
        "tier",
        "as_of",
        "offline",
    } <= seen.keys()


def test_settings_flags_name_their_variables() -> None:
    """The help of a flag that sets a setting names the environment variable that does the same."""
    for option in commands()["generate"].params:
        if isinstance(option, click.Option) and option.name in VARIABLES:
            assert all(variable in str(option.help) for variable in VARIABLES[option.name]), option.name


def test_an_unknown_command_names_those_there_are(run: Run) -> None:
    """A misspelt command is answered with the list of commands."""
    ran = run("generat")
    assert ran.status == 2
    assert "generate, edit, chain" in ran.err


def test_errors_are_json_when_asked(run: Run) -> None:
    """With --json an error is one JSON object on stdout with code, message and exit status."""
    ran = run("generate", "a fox", "--size", "3K", "--json")
    assert ran.status == 2
    assert ran.json["error"]["code"] == "invalid_request"
    assert ran.json["error"]["exit_status"] == 2
    assert "512, 1K, 2K, 4K" in ran.json["error"]["message"]


def loaded_by(arguments: list[str]) -> set[str]:
    script = (
        "import json, sys\nfrom image_router.cli.app import outcome_of\n"
        f"outcome_of({arguments!r})\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "a fox"]])
def test_fast_commands_load_nothing_heavy(here: Path, arguments: list[str]) -> None:
    """--help and explain load no imaging library, SDK, HTTP client or web framework."""
    assert HEAVY & loaded_by(arguments) == set()


def test_explaining_words_loads_nothing_for_pictures_and_replies(here: Path) -> None:
    """What reads pictures and replies, and what shortens prompts, is left where it is."""
    assert NOT_FOR_WORDS & loaded_by(["explain", "a fox"]) == set()


def test_importing_the_package_loads_nothing(here: Path) -> None:
    """`import image_router` loads no third-party package at all."""
    script = "import sys, image_router; print(*{n.partition('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (HEAVY | {"click", "rich", "platformdirs", "orjson"}) & set(done.stdout.split()) == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(run: Run, shell: str) -> None:
    """Each shell gets a script that asks the program itself."""
    ran = run("completion", shell)
    assert ran.status == 0
    assert "_IMAGE_ROUTER_COMPLETE" in ran.out


def test_a_reader_that_goes_away_ends_it_quietly(here: Path) -> None:
    """`image-router … | head` says nothing on stderr."""
    program = Path(sys.executable).parent / "image-router"
    with subprocess.Popen(
        [str(program), "models", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""


def groups() -> list[tuple[str, click.Group]]:
    found, todo = [], list(commands().items())
    while todo:
        name, command = todo.pop()
        if isinstance(command, click.Group):
            found.append((name, command))
            todo += [(f"{name} {each}", inner) for each, inner in command.commands.items()]
    return found


@pytest.mark.parametrize("name", [name for name, _ in groups()])
def test_no_line_of_a_groups_help_is_cut(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """At 80 columns each command of a group has its whole line in the group's help."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*name.split(), "--help").out.partition("\nCommands:\n")[2].splitlines()
    assert lines
    assert [line for line in lines if line.endswith("...")] == []


@pytest.mark.parametrize(("level", "logged"), [("", False), ("info", True)])
def test_the_log_is_for_those_who_ask(here: Path, level: str, logged: bool) -> None:
    """A failure is told once, by the command; log lines stand beside it where a log level is set."""
    environ = os.environ | ({"IMAGE_ROUTER_LOG_LEVEL": level} if level else {})
    command = [str(PROGRAM), "generate", "a fox", "--lane", "batch"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert "error (lane_unavailable)" in done.stderr
    assert ("ended" in done.stderr) is logged
