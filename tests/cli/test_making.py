"""generate, edit and chain against the emulator: files, names, costs, confirmation, failures, Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from cli.conftest import DAY, Run
from gemini_emulator import Emulator, serve
from image_router.cli import shelf
from image_router.core.errors import AssetError
from image_router.core.money import parse_usd, show_usd, usd_text
from image_router.core.types import ImageRequest
from image_router.engine.media import save
from image_router.storage.conversations import ConversationStore
from made import picture, png

PROGRAM = Path(sys.executable).parent / "image-router"


def pictures(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in {".jpg", ".png", ".webp"})


def test_an_image_is_written_in_its_real_format(run: Run, here: Path) -> None:
    """The file has the extension of its bytes, whatever the name asked for, and says model and cost."""
    ran = run("generate", "a fox", "-o", "fox.webp")
    assert ran.status == 0
    (name,) = pictures(here)
    with Image.open(here / name) as picture:
        assert (picture.format, Path(name).suffix) in {("JPEG", ".jpg"), ("PNG", ".png")}
    assert name in ran.out
    assert "nano_banana · gemini-3.1-flash-lite-image · $0.0" in ran.out


def test_default_names_never_overwrite(run: Run, here: Path) -> None:
    """A second run finds the next free name."""
    first, second = run("generate", "a fox"), run("generate", "a fox")
    assert (first.status, second.status) == (0, 0)
    assert pictures(here) == ["image-2.jpg", "image.jpg"]


def test_overwrite_replaces(run: Run, here: Path) -> None:
    """--overwrite replaces the named file and makes no second one."""
    run("generate", "a fox", "-o", "fox.jpg")
    before = (here / "fox.jpg").read_bytes()
    assert run("generate", "a red car", "-o", "fox.jpg", "--overwrite").status == 0
    assert pictures(here) == ["fox.jpg"]
    assert (here / "fox.jpg").read_bytes() != before


def test_json_names_files_and_the_exact_cost(run: Run, here: Path, emulator: Emulator) -> None:
    """--json lists every file; the cost is the emulator's bill to the nano-dollar."""
    before = emulator.bill().total
    ran = run("generate", "a fox", "-n", "3", "-o", "out/", "--json", "--purpose", "draft")
    assert ran.status == 0
    assert [Path(image["file"]).exists() for image in ran.json["images"]] == [True] * 3
    assert pictures(here / "out") == ["image-2.jpg", "image-3.jpg", "image.jpg"]
    assert ran.json["cost_usd"] == usd_text(emulator.bill().total - before)


@pytest.mark.parametrize("prompt", [["-"], ["--prompt-file", "-"]])
def test_the_prompt_may_come_from_a_pipe(run: Run, emulator: Emulator, prompt: list[str]) -> None:
    """`-` reads the prompt from stdin."""
    assert run("generate", *prompt, stdin="a lighthouse in fog\n").status == 0
    assert "a lighthouse in fog" in str(emulator.requests()[-1])


def test_the_prompt_may_come_from_a_file(run: Run, here: Path, emulator: Emulator) -> None:
    """--prompt-file reads the prompt from a file."""
    (here / "prompt.txt").write_text("ein Fuchs im Schnee – groß", encoding="utf-8")
    assert run("generate", "--prompt-file", "prompt.txt").status == 0
    assert "ein Fuchs im Schnee – groß" in str(emulator.requests()[-1])


def test_a_dear_request_needs_yes_without_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above confirm_above nothing is spent without --yes; with it the request runs."""
    monkeypatch.setenv("IMAGE_ROUTER_CONFIRM_ABOVE", "0.05")
    refused = run("generate", "a fox", "-n", "2")
    assert refused.status == 5
    assert "$0.06840" in refused.err
    assert run("generate", "a fox", "-n", "2", "--yes").status == 0


def test_failed_images_stand_beside_the_others(run: Run, emulator: Emulator, here: Path) -> None:
    """One of three images refused: two files, the refusal with the provider's words, exit 8."""
    emulator.faults.load([{"fault": "prompt_blocked", "times": 1}])
    ran = run("generate", "a fox", "-n", "3")
    assert ran.status == 8, ran.err
    assert len(pictures(here)) == 2
    assert "failed (content_refused)" in ran.err
    assert "2 of 3 images" in ran.out


def test_a_refusal_has_its_own_exit_code(run: Run, emulator: Emulator, here: Path) -> None:
    """A refused prompt leaves with 27 and no file; as JSON with the attempts."""
    emulator.faults.load([{"fault": "prompt_blocked"}])
    ran = run("generate", "a fox", "--json")
    assert ran.status == 27
    assert ran.json["error"]["code"] == "content_refused"
    assert ran.json["error"]["attempts"]
    assert pictures(here) == []


def test_edit_takes_a_picture_or_its_conversation(run: Run, here: Path, emulator: Emulator) -> None:
    """edit sends the picture as reference; --continue sends the turns that made it."""
    run("generate", "a fox", "-o", "fox.jpg")
    assert run("edit", "fox.jpg", "make it night", "-o", "night").status == 0
    assert run("edit", "fox.jpg", "make it snow", "-o", "snow", "--continue").status == 0
    assert pictures(here) == ["fox.jpg", "night.jpg", "snow.jpg"]
    with Image.open(here / "night.jpg") as picture:
        stranger = here / "stranger.png"
        picture.resize((300, 200)).save(stranger)
    unknown = run("edit", "stranger.png", "again", "--continue")
    assert unknown.status == 42
    assert "no conversation is known" in unknown.err


def test_a_chain_makes_only_what_is_missing(run: Run, here: Path, emulator: Emulator) -> None:
    """A second run of the same chain pays only for the picture that was taken away."""
    (here / "poses.txt").write_text("on a bike\n\nat the sea\n")
    command = (
        "chain",
        "Mira, a courier",
        "--variants-file",
        "poses.txt",
        "--variant",
        "asleep",
        "-o",
        "mira",
    )
    first = run(*command)
    assert first.status == 0, first.err
    names = ["reference.jpg", "variant-001.jpg", "variant-002.jpg", "variant-003.jpg"]
    assert pictures(here / "mira") == names
    (here / "mira/variant-002.jpg").unlink()
    before = emulator.bill().total
    again = run(*command, "--json")
    assert again.status == 0
    paid = emulator.bill().total - before
    assert 0 < paid < 200_000_000
    assert again.json["cost_usd"] == usd_text(paid)
    assert pictures(here / "mira") == names


def test_a_chain_says_what_it_pays_twice(
    run: Run, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    """Variants with one prompt are named before anything is spent, in the question too; so are the sizes."""
    monkeypatch.setenv("IMAGE_ROUTER_CONFIRM_ABOVE", "0.01")
    command = ("chain", "Mira", "--variant", "asleep", "--variant", "awake", "--variant", "asleep")
    said = "variants 1, 3 have the same prompt, 'asleep': each is made and paid"
    seen = len(emulator.requests())
    ran = run(*command, "--size", "2K")
    assert ran.status == 5
    assert f"note: {said}\n" in ran.err
    assert f"({said}), above the $0.01" in ran.err
    assert "the variants are made at 2K, the reference at 1K" in ran.err
    assert len(emulator.requests()) == seen
    assert run(*command, "--yes", "--json").json["notes"] == [said, "made folder chain/"]
    assert "(what chain/ holds already is free)" in run(*command).err


def test_a_chain_reports_failed_variants(run: Run, emulator: Emulator, here: Path) -> None:
    """A refused variant is reported; reference and the other variant are there; exit 8."""
    emulator.faults.load([{"script": ["ok", "prompt_blocked", "ok"]}])
    ran = run(
        "chain", "Mira", "--variant", "on a bike", "--variant", "at the sea", "--concurrency", "1", "-o", "m"
    )
    assert ran.status == 8, ran.err
    assert len(pictures(here / "m")) == 2
    assert "failed (content_refused)" in ran.err


def test_a_chain_needs_variants(run: Run) -> None:
    """Without variants nothing is drawn."""
    ran = run("chain", "Mira")
    assert ran.status == 2
    assert "--variant once for each" in ran.err


@pytest.fixture
def slow() -> Iterator[Emulator]:
    """An emulator whose first picture comes at once and whose second never does."""
    with serve(as_of=date.fromisoformat(DAY)) as emulator:
        emulator.faults.load([{"script": ["ok", "hang"]}])
        yield emulator


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_keeps_what_is_finished(here: Path, slow: Emulator, as_json: bool) -> None:
    """An interrupt leaves with 130; the finished picture is there, and what may be billed is said."""
    environ = {k: v for k, v in os.environ.items() if k not in ("IMAGE_ROUTER_OFFLINE", "IMAGE_ROUTER_AS_OF")}
    environ |= {"GEMINI_API_KEY": "any", "GOOGLE_GEMINI_BASE_URL": slow.url}
    running = subprocess.Popen(
        [str(PROGRAM), "generate", "a fox", "-n", "2", "-o", "fox", *(["--json"] if as_json else [])],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not pictures(here) and running.poll() is None:
        os.sched_yield()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    (kept,) = pictures(here)
    assert kept in ("fox.jpg", "fox-2.jpg")
    assert "Traceback" not in err
    if as_json:
        said = json.loads(out)
        assert (said["interrupted"], said["files"], said["cut_off"]) == (True, [kept], 1)
        assert parse_usd(said["at_risk_usd"]) >= parse_usd(said["cost_usd"]) > 0
    else:
        assert kept in out
        assert "1 finished and kept" in err
        assert "1 call was cut off; the provider may bill up to $0.0" in err


def test_the_ceiling_counts_every_fallback(run: Run) -> None:
    """'At most' is the dearest candidate for all images, as explain lists them, not the first choice."""
    ran = run("generate", "a castle", "--purpose", "hero", "--size", "4K", "-n", "8")
    candidates = run("explain", "a castle", "--purpose", "hero", "--size", "4K", "-n", "8", "--json").json[
        "candidates"
    ]
    most = max(parse_usd(each["quote"]["ceiling_usd"]) for each in candidates)
    assert ran.status == 5
    assert most > parse_usd(candidates[0]["quote"]["ceiling_usd"])
    assert f"at most {show_usd(most)}" in ran.err


def test_a_picture_goes_down_a_pipe(run: Run, here: Path, emulator: Emulator) -> None:
    """-o - writes the bytes and nothing else to stdout, and says model and cost on stderr."""
    before = emulator.bill().total
    ran = run("generate", "a fox", "-o", "-")
    assert ran.status == 0
    with Image.open(io.BytesIO(ran.raw)) as picture:
        assert picture.format in {"JPEG", "PNG"}
    assert show_usd(emulator.bill().total - before) in ran.err
    assert pictures(here) == []


def test_a_closed_pipe_loses_no_picture(here: Path, tmp_path: Path) -> None:
    """When nobody takes the bytes, the picture is kept in a temporary folder, and exit 42 says where."""
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [str(PROGRAM), "generate", "a fox", "-o", "-"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            text=True,
            check=False,
        )
    assert (ran.returncode, "Traceback" in ran.stderr) == (42, False), ran.stderr
    (kept,) = tmp_path.glob("image-router-*/image.jpg")
    assert f"is paid and kept as {kept}" in ran.stderr


def test_a_chain_is_no_single_picture(run: Run) -> None:
    """A chain for stdout is refused before anything is drawn."""
    ran = run("chain", "Mira", "--variant", "asleep", "-o", "-")
    assert (ran.status, "name it with -o" in ran.err) == (2, True)


def test_books_that_cannot_be_opened_stop_the_spending(run: Run, here: Path, emulator: Emulator) -> None:
    """In a home that cannot be written nothing is sent: the books come first, and their error names them."""
    seen = len(emulator.requests())
    ran = run("generate", "a fox", "--home", "/proc/nope", "--json")
    assert (ran.status, ran.json["error"]["code"]) == (51, "storage_error")
    assert "/proc/nope/offline.db" in ran.json["error"]["message"]
    assert len(emulator.requests()) == seen
    assert pictures(here) == []


def test_a_conversation_that_is_not_kept_hides_no_picture(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Picture and cost are reported; that the conversation was not kept is a warning beside them."""

    def refuse(self: object, digest: str, talk: object) -> None:
        raise AssetError("the conversation could not be kept: no space left on device")

    monkeypatch.setattr(ConversationStore, "save", refuse)
    ran = run("generate", "a fox", "--json")
    assert ran.status == 0
    assert (pictures(here), parse_usd(ran.json["cost_usd"]) > 0) == (["image.jpg"], True)
    assert any("no space left on device" in warning for warning in ran.json["warnings"])


@pytest.mark.parametrize(
    ("command", "said"), [("generate", "economy"), ("edit", "contextual_edit"), ("explain", "economy")]
)
def test_help_names_the_purpose_a_command_starts_from(run: Run, *, command: str, said: str) -> None:
    """The default of --purpose is that of the command, not of another one."""
    assert f"What the image is for. Default: {said}." in " ".join(run(command, "--help").out.split())


def test_a_paid_picture_is_kept_elsewhere(
    run: Run, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the folder does not take a finished picture, it is kept in a temporary one; exit 42 says where."""

    def refuse(data: bytes, path: Path, *, overwrite: bool = False) -> Path:
        if path.parent == Path("full"):
            raise AssetError("full/image.jpg was not written: no space left on device")
        return save(data, path, overwrite=overwrite)

    monkeypatch.setattr(shelf, "save", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ran = run("generate", "a fox", "-o", "full/")
    assert ran.status == 42
    assert "no space left on device; the picture is paid and kept as" in ran.err
    assert len(list(tmp_path.glob("image-router-*/image.jpg"))) == 1


def test_another_extension_than_named_is_said(run: Run, here: Path) -> None:
    """A name whose extension is not that of the bytes is said to be another, in one line and in the JSON."""
    said = "the picture is JPEG, so it is fox.jpg and not fox.png; its bytes are unchanged"
    assert run("generate", "a fox", "-o", "fox.png").err.count(f"note: {said}") == 1
    assert run("generate", "a fox", "-o", "bear.jpeg", "--json").json["notes"] == []
    again = run("generate", "a fox", "-o", "fox.png", "--json").json
    assert again["notes"] == [said.replace("is fox.jpg", "is fox-2.jpg")]


def test_a_folder_that_is_made_is_said(run: Run, here: Path) -> None:
    """A folder that was not there is named once it is made; one that was there is not."""
    assert "note: made folder out/new/" in run("generate", "a fox", "-o", "out/new/").err
    assert "made folder" not in run("generate", "a fox", "-o", "out/new/").err
    assert run("generate", "a fox", "-o", "more/fox", "--json").json["notes"] == ["made folder more/"]
    assert "note: made folder mira/" in run("chain", "Mira", "--variant", "asleep", "-o", "mira").err


def test_names_follow_the_order_asked_for(here: Path) -> None:
    """Whichever picture comes first, the n-th has the n-th free name, of any format."""
    (here / "image-2.webp").write_bytes(b"mine")
    out = shelf.Shelf(None)
    request = ImageRequest(prompt="a fox")
    names = {index: out.put(picture(png(index), request, index=index)).name for index in (2, 0, 1)}
    assert names == {0: "image.png", 1: "image-3.png", 2: "image-4.png"}


def test_files_are_listed_in_the_order_asked_for(run: Run, here: Path) -> None:
    """Lines and JSON name the files in the order of their places."""
    ran = run("generate", "a fox", "-n", "3", "-o", "out/")
    files = ["out/image.jpg", "out/image-2.jpg", "out/image-3.jpg"]
    assert [line.split()[0] for line in ran.out.splitlines()[:3]] == files
    view = run("generate", "a fox", "-n", "2", "-o", "out/", "--json").json
    assert [image["file"] for image in view["images"]] == ["out/image-4.jpg", "out/image-5.jpg"]


def test_equal_pictures_have_files_of_their_own(run: Run, here: Path) -> None:
    """Pictures with the same bytes are written each, and the later ones name the first."""
    ran = run("generate", "a fox", "-n", "2", "--seed", "7")
    assert pictures(here) == ["image-2.jpg", "image.jpg"]
    assert [line.split()[0] for line in ran.out.splitlines()[:2]] == ["image.jpg", "image-2.jpg"]
    assert ran.err.count("note: the same bytes as image.jpg") == 1


def test_only_what_is_left_to_pay_is_asked_about(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a key or the cache gives free needs no question; of three images the missing one is quoted."""
    monkeypatch.setenv("IMAGE_ROUTER_CONFIRM_ABOVE", "0.01")
    paid = ("generate", "a fox", "-n", "2", "--key", "k1")
    assert run(*paid).status == 5
    assert run(*paid, "--yes").status == 0
    assert run(*paid).status == 0
    assert run("generate", "a bear", "-n", "2", "--cache", "use", "--yes").status == 0
    assert run("generate", "a bear", "-n", "2", "--cache", "use").status == 0
    more = run("generate", "a bear", "-n", "3", "--cache", "use")
    one = run("explain", "a bear", "--json").json["candidates"][0]["quote"]["expected_usd"]
    assert (more.status, f"${one} expected" in more.err) == (5, True)
