"""`emulator`: the local Gemini image API, started from here with its own options."""

from __future__ import annotations

import click

_EXAMPLES = """\
image-router emulator
image-router emulator --port 8099 --as-of 2026-04-09
image-router emulator --fault overloaded --latency 1.0

Then point any client at it:
  GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8099 GEMINI_API_KEY=any image-router generate "a fox"
"""


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def emulator(arguments: tuple[str, ...]) -> int:
    """Start the local Gemini image API; all options are the emulator's own.

    It draws what it understands of a prompt. Words in quotes are lettered in Latin, Greek and Cyrillic; in
    Chinese, Japanese and Korean with `pip install 'image-router[cjk]'`, a typeface of 15 MB. Other scripts
    show as boxes.
    """
    from gemini_emulator.__main__ import main  # the web stack, only when it is to serve

    if {"-h", "--help"} & set(arguments):
        click.echo(_EXAMPLES)
    try:
        return main(list(arguments))
    except SystemExit as done:  # argparse leaves the process after --help and wrong options
        return int(done.code or 0)
