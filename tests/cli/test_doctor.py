"""doctor: a finding for everything a request needs, advice for everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from cli.conftest import DAY, Ran, Run
from gemini_emulator import serve


@contextmanager
def host_stating(date: str) -> Iterator[str]:
    """A host that answers everything with 404 and one Date."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response_only(404)
            self.send_header("Date", date)
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def findings(ran: Ran) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["health"], each["detail"]) for each in ran.json["findings"]}


def test_offline_all_is_well(run: Run) -> None:
    """Offline nothing is contacted, no key is needed, and every tier has a model: exit 0."""
    ran = run("doctor", "--json")
    assert ran.status == 0
    seen = findings(ran)
    assert {
        "key",
        "host",
        "home",
        "folder",
        "catalog",
        "policy",
        "nano_banana",
        "google-genai",
    } <= seen.keys()
    assert {health for health, _ in seen.values()} == {"ok"}
    assert "not contacted" in seen["host"][1]


def test_every_trouble_has_advice(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, an unwritable home and a misspelt variable: each is found and told what to do; exit 1."""
    (here / "file").write_text("")
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.setenv("IMAGE_ROUTER_HOME", str(here / "file"))
    monkeypatch.setenv("IMAGE_ROUTER_OFLINE", "1")
    ran = run("doctor", "--json")
    assert ran.status == 1
    seen = findings(ran)
    assert seen["key"][0] == "error"
    assert seen["home"][0] == "error"
    assert seen["variable"] == ("warning", "IMAGE_ROUTER_OFLINE names no setting and is ignored")
    assert all(each["advice"] for each in ran.json["findings"] if each["health"] != "ok")


def test_broken_settings_and_facts_are_findings(run: Run, here: Path) -> None:
    """A settings file or a rate card that does not parse is a finding with its file, not a crash."""
    (here / "image-router.toml").write_text("colour = 1")
    ran = run("doctor")
    assert (ran.status, "unknown key colour" in ran.out) == (1, True)
    (here / "image-router.toml").unlink()
    cards = here.parent / "home" / "rate_cards"
    cards.mkdir(parents=True)
    (cards / "2026-11-01.toml").write_text("day = 3")
    ran = run("doctor")
    assert (ran.status, "2026-11-01.toml" in ran.out) == (1, True)


def test_a_profile_that_does_not_exist_is_found(run: Run) -> None:
    """An unknown profile is an error that lists the others."""
    ran = run("doctor", "--profile", "poet")
    assert ran.status == 1
    assert "ecommerce" in ran.out


def test_the_end_of_a_model_is_announced(run: Run) -> None:
    """Within a month of a shutdown the tier warns, and names who takes over."""
    ran = run("doctor", "--as-of", "2026-08-01", "--json")
    assert ran.status == 0
    assert findings(ran)["imagen_4_fast"] == ("warning", "imagen-4.0-fast-generate-001, until 2026-08-17")


@pytest.mark.parametrize(
    ("key", "health", "said"), [("good", "ok", "models for this key"), ("bad", "error", "key")]
)
def test_the_host_is_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch, *, key: str, health: str, said: str
) -> None:
    """Online, the host's list of models proves address and key; a refused key says so."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.setenv("GEMINI_API_KEY", key)
    with serve(as_of=DAY) as emulator:
        url = emulator.url
        seen = findings(run("doctor", "--base-url", url, "--json"))
    assert seen["host"][0] == health
    assert said in seen["host"][1]
    assert seen["clock"] == ("ok", f"not compared: {url} is this machine and states no time")


def test_a_home_is_proved_by_writing(run: Run) -> None:
    """A folder whose parent takes no files is an error, whatever its permissions say."""
    ran = run("doctor", "--home", "/proc/nope", "--json")
    assert ran.status == 1
    health, detail = findings(ran)["home"]
    assert (health, "/proc/nope cannot be written in /proc" in detail) == ("error", True)


def test_two_different_keys_are_pointed_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """When both key variables are set and differ, doctor says which is used."""
    monkeypatch.setenv("GOOGLE_API_KEY", "one")
    monkeypatch.setenv("GEMINI_API_KEY", "two")
    assert "GOOGLE_API_KEY is used" in run("doctor").out


def test_each_key_of_a_pool_is_looked_at(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are told by name with project, weight and tier, each is shown to the host, and none is printed."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.delenv("IMAGE_ROUTER_AS_OF")
    monkeypatch.setenv("IMAGE_ROUTER_SHOP_KEY", "AIza-shop")
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-aside")
    (here / "image-router.toml").write_text(
        '[[projects]]\nname = "shop"\napi_key_env = "IMAGE_ROUTER_SHOP_KEY"\nweight = 3\nusage_tier = 2\n'
        '[[projects]]\napi_key = "bad-press"\n[[projects]]\napi_key = "AIza-third"\n'
    )
    with serve() as emulator:
        ran = run("doctor", "--base-url", emulator.url, "--json")
        monkeypatch.delenv("IMAGE_ROUTER_SHOP_KEY")
        keyless = run("doctor", "--base-url", emulator.url)
    lines = [f"{each['health']} {each['name']}: {each['detail']}" for each in ran.json["findings"]]
    shown = "\n".join(lines)
    assert "project shop: key-" in shown
    assert "(from IMAGE_ROUTER_SHOP_KEY), weight 3, usage tier 2" in shown
    assert "2 keys state no project and count as one" in shown
    assert "GEMINI_API_KEY is not used: the pool serves" in shown
    assert [line.split()[0] for line in lines if " host: " in line] == ["ok", "error", "ok"]
    assert not [key for key in ("AIza-", "bad-press") if key in ran.out]
    assert "names no setting" not in shown
    assert "takes its key from IMAGE_ROUTER_SHOP_KEY, which is not set" in keyless.out


def test_what_is_left_alone_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A circuit that another process opened is a warning with the cause, the time left and what to do."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.delenv("IMAGE_ROUTER_AS_OF")
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-key")
    with serve() as emulator:
        assert "circuits" not in findings(run("doctor", "--base-url", emulator.url, "--json"))
        run("generate", "a fox", "--base-url", emulator.url)
        well = findings(run("doctor", "--base-url", emulator.url, "--json"))
        emulator.faults.add("credits_depleted")
        run("generate", "a fox", "--base-url", emulator.url)
        ill = findings(run("doctor", "--base-url", emulator.url, "--json"))
    assert well["circuits"] == ("ok", "all closed")
    health, detail = ill["circuits"]
    assert (health, "project unstated is left alone: the project's prepaid credits" in detail) == (
        "warning",
        True,
    )
    assert "tried again in" in detail


@pytest.mark.parametrize(
    ("stated", "health"),
    [
        ("Sun, 22 Nov 2020 10:00:00 GMT", "error"),
        ("Sun, 22 Nov 2020 10:00:00", "warning"),
        ("soon", "warning"),
    ],
)
def test_the_clock_is_compared_with_the_hosts(
    run: Run, monkeypatch: pytest.MonkeyPatch, *, stated: str, health: str
) -> None:
    """A host that states another time means a wrong clock; one that states nonsense means nothing."""
    monkeypatch.delenv("IMAGE_ROUTER_OFFLINE")
    monkeypatch.setenv("GEMINI_API_KEY", "any")
    with host_stating(stated) as url:
        assert findings(run("doctor", "--base-url", url, "--json"))["clock"][0] == health
