"""`python -m gemini_emulator`: serve until interrupted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from gemini_emulator.settings import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, serve, return the exit status."""
    from gemini_emulator.server import Emulator

    wanted = _parser().parse_args(argv)
    try:
        settings = Settings(
            as_of=wanted.as_of,
            latency=wanted.latency,
            pictures=wanted.pictures,
            signature_bytes=wanted.signature_bytes,
            free_searches=wanted.free_searches,
            seed=wanted.seed,
            bad_keys=frozenset(wanted.bad_key),
            new_project=wanted.new_project,
            unentitled=frozenset(wanted.unentitled),
            usage_tier=wanted.usage_tier,
            batch_polls=wanted.batch_polls,
            batch_seconds=wanted.batch_seconds,
        )
        emulator = Emulator(settings, host=wanted.host, port=wanted.port)
        emulator.faults.load([{"fault": fault} for fault in wanted.fault])
    except (ValueError, OSError) as error:
        print(f"gemini_emulator: {error}", file=sys.stderr)
        return 2
    print(f"Gemini API emulator at {emulator.url}, wearing {emulator.today()}", flush=True)
    print(f"  bill {emulator.url}/emulator/bill · faults {emulator.url}/emulator/faults", flush=True)
    with suppress(KeyboardInterrupt):
        emulator.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    from gemini_emulator.faults import catalogue

    faults = "\n".join(f"  {name:28} {entry['does']}" for name, entry in catalogue().items())
    parser = argparse.ArgumentParser(
        prog="python -m gemini_emulator",
        description="A copy of the Gemini API for image models: offline, with faults on demand and a bill.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"{_ABOUT_FAULTS}\n{faults}\n",
    )
    _add_world(parser)
    _add_access(parser)
    _add_batches_and_faults(parser)
    return parser


def _add_world(parser: argparse.ArgumentParser) -> None:
    add, plain = parser.add_argument, Settings()
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8099, help="port; 0 takes any free one (default: %(default)s)")
    add("--as-of", type=date.fromisoformat, metavar="YYYY-MM-DD", help="the day to wear (default: today)")
    add(
        "--latency",
        type=float,
        default=plain.latency,
        metavar="SCALE",
        help="scale of the recorded latencies, 0.0 to 1.0 (default: %(default)s)",
    )
    add("--pictures", choices=("drawn", "flat"), default=plain.pictures, help="default: %(default)s")
    add(
        "--signature-bytes",
        type=int,
        default=plain.signature_bytes,
        metavar="N",
        help="size of a thought signature (default: %(default)s; recorded: 450,000 to 2,200,000)",
    )
    add("--seed", type=int, default=plain.seed, help="seed of ids and of fault probabilities (default: 0)")


def _add_access(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--bad-key", action="append", default=[], metavar="KEY", help="refuse this key; 'bad...' always is")
    add("--new-project", action="store_true", help="models closed to new users answer 404")
    add("--unentitled", action="append", default=[], metavar="MODEL", help="answers 404 though listed")
    add("--usage-tier", type=int, choices=(1, 2, 3), help="keep that tier's published limits (default: none)")
    add("--free-searches", type=int, default=0, metavar="N", help="grounding queries not billed (default: 0)")


def _add_batches_and_faults(parser: argparse.ArgumentParser) -> None:
    add, plain = parser.add_argument, Settings()
    add(
        "--batch-polls",
        type=int,
        default=plain.batch_polls,
        metavar="N",
        help="a batch job is done at this poll at the latest (default: %(default)s)",
    )
    add(
        "--batch-seconds",
        type=float,
        default=plain.batch_seconds,
        metavar="S",
        help="or after so many seconds, as recorded (default: %(default)s)",
    )
    add("--fault", action="append", default=[], metavar="NAME", help="let every matching call fail so")


_ABOUT_FAULTS = """\
Faults: send `x-emulator-fault: name;option=value` with one request, or
POST /emulator/faults {"fault": "name", "model": ..., "times": 2, "probability": 0.1}
or {"script": ["overloaded", "ok", "no_image"], "model": ...}; DELETE clears them.
"""


if __name__ == "__main__":
    sys.exit(main())
