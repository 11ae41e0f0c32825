"""The gateway beside its peers: `python bench/bench_gateway.py` prints ratios of one run.

A fake Gemini and the load client share one core, every gateway has the other; all take turns in each round.
Ours runs with a router key, budgets of three scopes and the ledger on SQLite with every step synced, routing
and metrics; the peers run at their leanest. `python bench/peers.py` installs them; who is missing is left
out.
`--only`, `--rows` and `--seconds` make it shorter.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gateway_sites as sites
import peers
from gateway_sites import GATEWAY_CORE, HERE, OTHER_CORE, Site, helper, output, pinned
from image_router.core.storing import StoreMode

ROUNDS = 3
SLOW_CALLS = 500
_WORDS = {"8K": "8 KB", "1K": "1K (1.6 MB)", "4K": "4K (18 MB)"}
ROWS = ("8K", "1K", "4K", "memory", "slow", "stalls", "start")


@dataclass(frozen=True)
class Seen:
    """One turn of one site."""

    rps: float
    cpu: float
    """ms per request."""
    p50: float
    p99: float


def load(
    site: Site, word: str, *, in_flight: int, seconds: float = 1e9, count: int = 1 << 60
) -> dict[str, object]:
    """Let the load client ask. Raises RuntimeError where an answer is no picture."""
    job = {
        "port": site.port,
        "request": site.request(word),
        "in_flight": in_flight,
        "seconds": seconds,
        "count": count,
    }
    done = subprocess.run(
        [*pinned(OTHER_CORE), sys.executable, str(HERE / "gateway_load.py")],
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seen: dict[str, object] = json.loads(done.stdout)
    if seen["bad"] or not seen["done"]:
        raise RuntimeError(
            f"{site.name}: {seen['bad']} of {seen['done']} answers failed: {seen['first_bad']}"
        )
    return seen


def _turn(site: Site, word: str, in_flight: int, seconds: float) -> Seen:
    before = site.cpu() if site.pid else 0.0
    seen = load(site, word, in_flight=in_flight, seconds=seconds)
    spent = site.cpu() - before if site.pid else 0.0
    done, (p50, p99) = float(seen["done"]), seen["ms"]  # type: ignore[arg-type,misc]
    return Seen(done / float(seen["seconds"]), spent / done * 1000, p50, p99)  # type: ignore[arg-type]


def compared(all_sites: Sequence[Site], word: str, in_flight: int, seconds: float) -> dict[str, Seen]:
    """The median of the rounds; a short turn before that counts for nothing."""
    found: dict[str, list[Seen]] = {site.name: [] for site in all_sites}
    for number in range(ROUNDS + 1):
        for site in all_sites:
            seen = _turn(site, word, in_flight, seconds if number else seconds / 4)
            if number:
                found[site.name].append(seen)
    return {name: _median(turns) for name, turns in found.items()}


def _median(turns: Iterable[Seen]) -> Seen:
    rows = list(turns)
    return Seen(
        *(statistics.median(getattr(row, name) for row in rows) for name in ("rps", "cpu", "p50", "p99"))
    )


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(f"\n| {title} | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
    for row in rows:
        print("|", " | ".join(_cell(cell) for cell in row), "|", flush=True)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def speed(all_sites: Sequence[Site], upstream: Site, word: str, seconds: float) -> None:
    """Requests a second and CPU at 32 in flight, added latency at 1."""
    alone = compared([upstream, *all_sites], word, 1, seconds)
    many = compared(all_sites, word, 32, seconds)
    base, mine = alone[upstream.name], many[all_sites[0].name]
    rows = [
        (
            name,
            seen.rps,
            mine.rps / seen.rps,
            seen.cpu,
            mine.cpu / seen.cpu if seen.cpu else 0.0,
            seen.p50,
            seen.p99,
            alone[name].rps,
            alone[name].p50 - base.p50,
            alone[name].p99 - base.p99,
        )
        for name, seen in many.items()
    ]
    columns = ("rps at 32", "ours ÷ it", "CPU ms", "ours ÷ it", "p50 ms", "p99 ms")
    table(_WORDS[word], (*columns, "rps at 1", "added p50 ms", "added p99 ms"), rows)


def memory(all_sites: Sequence[Site]) -> None:
    """MiB resident at most while so many 4K pictures are in flight, and what each adds to idle."""
    rows = []
    for site in all_sites:
        row: list[object] = [site.name, site.resident()]
        for in_flight in (16, 32, 64):
            idle = row[1]
            site.forget_peak()
            load(site, "4K", in_flight=in_flight, count=2 * in_flight)
            row += [site.peak(), (site.peak() - float(idle)) / in_flight]  # type: ignore[arg-type]
        rows.append(row)
    table("4K in flight", ("idle MiB", "peak 16", "each", "peak 32", "each", "peak 64", "each"), rows)


def slow(all_sites: Sequence[Site]) -> None:
    """500 calls of ten seconds at once."""
    rows = []
    for site in all_sites:
        before, idle = site.cpu(), site.resident()
        site.forget_peak()
        seen = load(site, "slow", in_flight=SLOW_CALLS, count=SLOW_CALLS)
        spent = (site.cpu() - before) / SLOW_CALLS * 1000
        rows.append((site.name, seen["done"], seen["seconds"], seen["ms"][1], spent, site.peak() - idle))  # type: ignore[index]
    table(f"{SLOW_CALLS} calls of 10 s", ("answered", "seconds", "p99 ms", "CPU ms each", "MiB more"), rows)


def stalls(site: Site, seconds: float) -> None:
    """How late the gateway's loop is while 4K pictures pass, beside a loop that does nothing on its core."""
    address = f"http://127.0.0.1:{site.port}/bench/stalls"
    with urllib.request.urlopen(address) as answer:
        answer.read()
    with helper("gateway_watched.py", core=GATEWAY_CORE) as (idle, _):
        load(site, "4K", in_flight=16, seconds=seconds)
        with urllib.request.urlopen(address) as answer:
            busy = json.load(answer)
        idle.send_signal(signal.SIGTERM)
        control = json.loads(output(idle).read())
    columns = ("looks", "p50 ms", "p99 ms", "p99.9 ms", "most ms")
    rows = [(name, len(late), *_late(late)) for name, late in (("idle control", control), (site.name, busy))]
    table("loop late while 16 4K pass", columns, rows)


def _late(late: Sequence[float]) -> Iterator[float]:
    for share in (0.5, 0.99, 0.999, 1):
        yield late[min(len(late) - 1, int(len(late) * share))]


def start(all_sites: Sequence[Site]) -> None:
    mine = all_sites[0].first_reply
    rows = [(site.name, site.first_reply, site.first_reply / mine) for site in all_sites if site.first_reply]
    table("start to first picture", ("seconds", "its ÷ ours"), rows)


def _opened(stack: ExitStack, folder: Path, upstream: int, only: set[str] | None) -> list[Site]:
    openers: Mapping[str, Callable[[], AbstractContextManager[Site]]] = {
        "ours": lambda: sites.ours(folder, upstream),
        "kept": lambda: sites.ours(folder, upstream, store=StoreMode.ALL),
        "relay": lambda: sites.relay(folder, upstream),
        "nginx": lambda: sites.nginx(folder, upstream),
        "litellm": lambda: sites.litellm(folder, upstream),
        "portkey": lambda: sites.portkey(folder, upstream),
    }
    there = {
        "nginx": peers.nginx() is not None,
        "litellm": peers.LITELLM.exists(),
        "portkey": peers.PORTKEY.exists(),
    }
    for name in (name for name, found in there.items() if not found):
        print(f"{name} is not installed and left out; python bench/peers.py installs it", file=sys.stderr)
    wanted = [name for name in openers if there.get(name, True) and (only is None or name in only)]
    return [stack.enter_context(openers[name]()) for name in wanted]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", help="ours,kept,relay,nginx,litellm,portkey; the first is compared with")
    arguments.add_argument("--rows", default=",".join(ROWS))
    arguments.add_argument("--seconds", type=float, default=4.0, help="of one turn")
    chosen = arguments.parse_args()
    only, rows = set(chosen.only.split(",")) if chosen.only else None, chosen.rows.split(",")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, port = stack.enter_context(helper("gateway_upstream.py"))
        all_sites = _opened(stack, folder, port, only)
        for word in (word for word in _WORDS if word in rows):
            speed(all_sites, sites.direct(port), word, chosen.seconds)
        if "memory" in rows:
            memory(all_sites)
        if "slow" in rows:
            slow(all_sites)
        if "start" in rows:
            start(all_sites)
        if "stalls" in rows:
            stalls(stack.enter_context(sites.ours(folder, port, watch=True)), 2 * chosen.seconds)


if __name__ == "__main__":
    main()
