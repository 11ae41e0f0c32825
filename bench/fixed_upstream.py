"""An upstream that always answers the same: `python bench/fixed_upstream.py PIXELS` serves and says where.

The answer is Gemini's JSON around a real PNG of so many pixels a side, as incompressible as a photograph, so
that what is measured is the client. Nothing is checked and nothing is billed.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

SMALL, LARGE = 64, 1024
"""About 8 KB, and the 1.6 MB of a picture at 1K."""
_COARSE = 0.55
"""Share of the colours that are noise; the rest compresses away, as in a picture."""


def picture(side: int) -> bytes:
    """A PNG of noise, the same in every run but for its noise."""
    noise = Image.effect_noise((side, side), 120).convert("RGB")
    flat = Image.new("RGB", (side, side), (90, 120, 160))
    out = io.BytesIO()
    Image.blend(flat, noise, _COARSE).quantize(200).convert("RGB").save(out, "PNG", compress_level=1)
    return out.getvalue()


def body(side: int) -> bytes:
    """A reply with that picture, its usage and a response id."""
    data = base64.b64encode(picture(side)).decode()
    parts = [{"inlineData": {"mimeType": "image/png", "data": data}}]
    details = [{"modality": "IMAGE", "tokenCount": 1120}]
    usage = {
        "promptTokenCount": 8,
        "candidatesTokenCount": 1120,
        "totalTokenCount": 1128,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}],
        "candidatesTokensDetails": details,
    }
    candidate = {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
    reply = {
        "candidates": [candidate],
        "usageMetadata": usage,
        "responseId": "bench",
        "modelVersion": "bench",
    }
    return json.dumps(reply).encode()


async def _serve(side: int) -> None:
    said = body(side)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
    answer = head.encode() + said

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while asked := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in asked.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                await reader.readexactly(length)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def fixed_upstream(side: int) -> Iterator[str]:
    """Its URL, served by another process."""
    command = [sys.executable, __file__, str(side)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            if server.stdout is None:
                raise RuntimeError("the upstream has no output")
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
