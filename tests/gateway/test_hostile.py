"""Hostile bodies: JSON and forms that are no request."""

from __future__ import annotations

import gzip
import json
import socket
import tempfile
import time
from collections.abc import Callable

import pytest

from gateway import raw
from pictures import picture

IMAGES, EDITS = "/v1/images/generations", "/v1/images/edits"


def spent(site) -> int:
    return len(site.emulator.bill().entries)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"prompt":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"prompt":"a fox","images":[' + b"[]," * 300_000 + b"[]]}", 413),
        (b"{" + b",".join(b'"k%d":0' % n for n in range(250_000)) + b"}", 413),
        (b'{"prompt":"a \xff\xfe fox"}', 400),
        (b'{"prompt":"a \\ud800 fox"}', 400),
        (b'{"prompt":"a fox"', 400),
        (b'{"prompt":"a fox"}{"prompt":"another"}', 400),
        (b'["a fox"]', 400),
        (b"null", 400),
        (b"", 400),
        (b'{"prompt":"a fox","n":1e400}', 400),
        (b'{"prompt":"a fox","n":99999999999999999999999}', 400),
        (b'{"prompt":"a fox","max_cost":NaN}', 400),
        (b'{"prompt":"a fox","__proto__":{"admin":true}}', 400),
        (b'{"prompt":{"$ne":""}}', 400),
        (b'{"prompt":"a fox","size":{"a":1}}', 400),
        (b'{"prompt":"a fox","model":"' + b"x" * 1_000_000 + b'"}', 404),
        (b'{"' + b"y" * 1_000_000 + b'":1,"prompt":"a fox"}', 400),
        (b'{"prompt":["' + b"z" * 1_000_000 + b'"]}', 400),
    ],
    ids=[
        "deep", "many lists", "many keys", "not utf-8", "half a surrogate", "cut off", "two documents",
        "a list", "null", "empty", "infinite", "huge number", "nan", "prototype", "object for text",
        "object for size",
        "long model", "long field", "long wrong text",
    ],
)  # fmt: skip
def test_bodies_that_are_no_request(site, body, status) -> None:
    """Each is refused with a short reason, nothing is spent, and the gateway goes on."""
    found, _, answer = raw.asked(site.url, raw.post(IMAGES, body))
    assert found == status
    assert raw.error(answer)["message"]
    assert len(answer) < 10_000
    assert spent(site) == 0


@pytest.mark.parametrize("field", ["prompt", "scope", "system_instruction", "text", "language"])
def test_nul_is_no_part_of_a_text(site, field) -> None:
    """Databases and providers differ in what they make of it: refused before anybody has to."""
    body = json.dumps({"prompt": "a fox", field: "a\x00b"})
    status, _, answer = raw.asked(site.url, raw.post(IMAGES, body.encode()))
    assert status == 400
    assert "NUL" in raw.error(answer)["message"]
    assert spent(site) == 0


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "zstd"])
def test_compressed_bodies_are_not_taken(site, coding) -> None:
    """415, before a byte of it is unpacked."""
    body = gzip.compress(json.dumps({"prompt": "a fox"}).encode())
    status, _, answer = raw.asked(site.url, raw.post(IMAGES, body, f"content-encoding: {coding}"))
    assert (status, raw.error(answer)["code"]) == (415, "wrong_content_encoding")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_bodies_of_other_types_are_not_guessed_at(site, kind) -> None:
    """415 that names the right one: no page's simple form post is taken for JSON."""
    request = (
        raw.head(f"POST {IMAGES}", f"content-type: {kind}", "content-length: 18") + b'{"prompt":"a fox"}'
    )
    assert raw.asked(site.url, request)[0] == 415


def form(*parts: bytes, boundary: bytes = b"frontier", end: bytes = b"--frontier--\r\n") -> bytes:
    body = b"".join(b"--frontier\r\n" + part + b"\r\n" for part in parts) + end
    kind = f"content-type: multipart/form-data; boundary={boundary.decode()}"
    return raw.head(f"POST {EDITS}", kind, f"content-length: {len(body)}") + body


def field(name: str, value: bytes = b"make it rain", more: str = "") -> bytes:
    return f'content-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value


IMAGE = field("image", picture(), '; filename="a.png"\r\ncontent-type: image/png')


@pytest.mark.parametrize(
    "request_bytes",
    [
        form(*[field(f"f{n}") for n in range(5000)]),
        form(*[field("image", b"x", f'; filename="{n}.png"') for n in range(5000)]),
        form(field("prompt"), field("n", b"1" * 2_000_000)),
        raw.head(f"POST {EDITS}", "content-type: multipart/form-data", "content-length: 5") + b"hello",
        form(field("prompt"), boundary=b"other"),
        form(field("prompt"), IMAGE, end=b""),
        form(b"content-disposition: form-data\r\n\r\nx"),
        form(b"\r\nx"),
        form(b"x-a: b\r\n" * 5000 + field("prompt")),
        form(b"x-a: " + b"b" * 200_000 + b"\r\n" + field("prompt")),
        form(field("prompt", more="\r\ncontent-type: multipart/mixed; boundary=in"), field("image", b"--in")),
        form(field("prompt"), field("prompt", b"\xff\xfe"), field("image", b"")),
        form(field("prompt"), field("seed", b"[" * 100_000)),
        raw.head(
            f"POST {EDITS}", f"content-type: multipart/form-data; boundary={'b' * 3000}", "content-length: 4"
        )
        + b"--bb",
    ],
    ids=[
        "thousands of fields", "thousands of files", "a huge field", "no boundary", "another boundary",
        "no end", "no name", "no headers", "thousands of part headers", "a huge part header", "nested",
        "no picture", "deep JSON in a field", "long boundary",
    ],
)  # fmt: skip
def test_forms_that_are_no_request(site, request_bytes) -> None:
    """400 or 413 with a short reason, nothing spent, and no temporary file is left open."""
    status, _, answer = raw.asked(site.url, request_bytes)
    assert status in (400, 413)
    assert len(answer) < 10_000
    assert spent(site) == 0


@pytest.mark.parametrize(
    "name",
    ["../../../../tmp/canary-file", "/tmp/canary-file", "C:\\canary-file", "canary\x00-file", "a\r\nx: y"],
)
def test_file_names_of_uploads_are_nothing_to_us(site, tmp_path, name) -> None:
    """Whatever a file is called, only its bytes count; nothing is written under that name."""
    request = form(field("prompt"), field("image", picture(), f'; filename="{name}"'))
    assert raw.asked(site.url, request)[0] in (200, 400)
    assert not any("canary-file" in str(path) for path in site.home.rglob("*"))


def wait_for(true: Callable[[], bool]) -> bool:
    """Whether it becomes true; the server learns of a hung up client a moment later."""
    for _ in range(1000):
        if true():
            return True
        time.sleep(0.01)
    return False


def test_temporary_files_end_with_their_request(site, monkeypatch) -> None:
    """Large uploads rest on disk while they are read; afterwards, and after a refusal, all are closed."""
    made: list[tempfile.SpooledTemporaryFile[bytes]] = []
    spooled = tempfile.SpooledTemporaryFile

    def noted(*arguments: object, **options: object) -> tempfile.SpooledTemporaryFile[bytes]:
        made.append(spooled(*arguments, **options))
        return made[-1]

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", noted)
    large = field("image", b"x" * 3_000_000, '; filename="a.png"')
    assert raw.asked(site.url, form(field("prompt"), large))[0] == 400
    assert raw.asked(site.url, form(field("prompt"), large, end=b""))[0] == 400
    cut = form(field("prompt"), large)
    with raw.connected(site.url) as connection:
        connection.sendall(cut[:-200])
        connection.shutdown(socket.SHUT_WR)
        raw.rest(connection)
    assert len(made) == 3
    assert wait_for(lambda: all(file.closed for file in made))


@pytest.mark.parametrize(
    "path", ["/v1/models/%00", "/router/v1/assets/a%00b", "/router/v1/statements?scope=a%00b"]
)
def test_addresses_have_no_nul(site, path) -> None:
    """400 before any database is asked for it."""
    status, _, answer = raw.asked(site.url, raw.head(f"GET {path}"))
    assert (status, "NUL" in raw.error(answer)["message"]) == (400, True)


ODD = [
    2**63,
    2**64 - 1,
    -(2**63),
    1e308,
    -0.0,
    "9" * 5000,
    "",
    [],
    [[]],
    {},
    {"a": 1},
    True,
    "\u202e",
    "🦊" * 999,
]
FIELDS = [
    "purpose", "text", "lane", "tier", "max_cost", "max_total", "quality_floor", "identity_locked",
    "thinking", "seed", "safety", "grounding", "language", "allow", "deadline", "retired", "n",
    "size", "aspect_ratio", "resolution", "profile", "cache", "scope", "references", "model",
    "quality", "output_compression", "stream",
]  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_no_value_breaks_the_server(site, name) -> None:
    """Numbers beyond every column, texts beyond every name, shapes beyond every schema: 4xx or a picture."""
    with raw.connected(site.url) as connection:
        for value in ODD:
            body = json.dumps({"prompt": "a fox", "explain": True, name: value}).encode()
            connection.sendall(raw.post(IMAGES, body))
            status, _, answer = raw.answer(connection)
            assert status < 500, (value, answer[:500])
            assert len(answer) < 100_000
