"""Google's Files API: passed on, each caller among its own files.

Everybody who calls the gateway shares the keys behind it, so whose a file is stands in the database. An
upload goes to an address of the gateway; like Google's own, it needs no key, and nobody can make one.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response

from image_router.core.reply import RawAnswer
from image_router.gateway import bodies, gemini_rows, refusals
from image_router.gateway.app import Entry, Visit
from image_router.gateway.fields import whole
from image_router.gateway.gemini_errands import answered, check_files, errand_of, flowing, passed
from image_router.gateway.gemini_relay import as_it_came
from image_router.gateway.surfaces import GOOGLE, JSON
from image_router.providers.base import Errand
from image_router.storage.remote_files import LIFE, files_of, forget_file, remember_file

_URLS: Final = ("x-goog-upload-url", "x-goog-upload-control-url")
_UPLOADING: Final = "x-goog-upload-"
_PAGE: Final = 100
_FAR: Final = 10**6
_AT_ONCE: Final = 8
_ROWS: Final = "rows"
"""Says in an upload's address that its bytes are read as rows of a batch."""


async def begun(visit: Visit) -> Response:
    """POST /upload/v1beta/files: opens an upload; its address is rewritten to one of ours."""
    if visit.request.headers.get("x-goog-upload-protocol", "resumable") != "resumable":
        raise refusals.malformed("X-Goog-Upload-Protocol: only resumable uploads are passed on")
    scope = visit.caller.paying(visit.request.headers.get("x-image-router-scope"))
    body = await bodies.read(visit.request, limit=visit.parts.limits.small_body)
    answer, reply = await answered(visit, errand_of(visit, f"upload/{_version(visit)}/files", body=body))
    headers = _uploading(answer)
    if _URLS[0] not in headers:
        return as_it_came(answer, headers)
    upload_id = parse_qs(urlsplit(headers[_URLS[0]]).query)["upload_id"][0]
    await reply.bind_for(f"uploads/{upload_id}", LIFE / 10**6)
    rows = gemini_rows.holds_rows(visit.request.headers, body)
    if rows:
        await gemini_rows.begun(visit, upload_id)
    query = {"upload_id": upload_id, "upload_protocol": "resumable", "scope": scope}
    if rows:
        query[_ROWS] = "1"
    url = f"{visit.request.url.path}?{urlencode({**query, 'signature': _signature(visit, upload_id, scope)})}"
    return as_it_came(answer, {**headers, **dict.fromkeys(_URLS, visit.address(url))})


async def continued(visit: Visit) -> Response:
    """POST or PUT to an upload's address: bytes, or the question how many have come."""
    asked = visit.request.query_params
    upload_id, scope = asked["upload_id"], asked.get("scope", "")
    signed = _signature(visit, upload_id, scope)
    if not hmac.compare_digest(asked.get("signature", "").encode(), signed.encode()):
        raise refusals.absent("there is no such upload; begin it with X-Goog-Upload-Command: start")
    body = await bodies.read(visit.request, limit=visit.parts.limits.json_body)
    query = urlencode({"upload_id": upload_id, "upload_protocol": "resumable"})
    errand = errand_of(visit, f"upload/{_version(visit)}/files?{query}", body=body)
    answer, reply = await answered(visit, errand, resources=(f"uploads/{upload_id}",))
    name = _made(answer)
    if _ROWS in asked and answer.status == 200 and "upload" in _commands(visit.request):
        await gemini_rows.taken(visit, upload_id, piece=body, at=_offset(visit.request), file=name)
    if name:
        await reply.bind_for(name, LIFE / 10**6)
        await remember_file(visit.parts.books.db, name, scope=scope)
    return as_it_came(answer, _uploading(answer))


def _commands(request: Request) -> set[str]:
    return {word.strip() for word in request.headers.get(f"{_UPLOADING}command", "").split(",")}


def _offset(request: Request) -> int:
    told = request.headers.get(f"{_UPLOADING}offset", "0")
    return int(told) if told.isascii() and told.isdigit() else 0


def _made(answer: RawAnswer) -> str | None:
    """Name of the file that an upload has become."""
    if answer.status != 200 or _uploading(answer).get("x-goog-upload-status") != "final":
        return None
    try:
        file: Any = orjson.loads(answer.body)["file"]["name"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return file if isinstance(file, str) else None


def _uploading(answer: RawAnswer) -> Mapping[str, str]:
    found = {name.lower(): text for name, text in answer.headers.items()}
    return {name: text for name, text in found.items() if name.startswith(_UPLOADING)}


def _signature(visit: Visit, upload_id: str, scope: str) -> str:
    words = f"upload\n{upload_id}\n{scope}".encode()
    return hmac.new(visit.parts.links.secret, words, hashlib.sha256).hexdigest()


async def listed(visit: Visit) -> Response:
    """GET /v1beta/files: the caller's own that the provider still has."""
    asked = visit.request.query_params
    size = whole(asked, "pageSize", default=10, low=0, high=_FAR) or 10
    size, skip = min(size, _PAGE), whole(asked, "pageToken", default=0, low=0, high=_FAR)
    names = await files_of(visit.parts.books.db, visit.caller.scope, limit=size + 1, skip=skip)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def shown(name: str) -> Any:
        async with gate:
            errand = Errand(method="GET", path=f"{_version(visit)}/{name}")
            answer, _ = await answered(visit, errand, resources=(name,))
            return orjson.loads(answer.body) if answer.status == 200 else None

    found = [file for file in await asyncio.gather(*(shown(name) for name in names[:size])) if file]
    page: dict[str, Any] = {"files": found} if found else {}
    if len(names) > size:
        page["nextPageToken"] = str(skip + size)
    return Response(orjson.dumps(page), media_type=JSON)


async def one(visit: Visit) -> Response:
    """GET, DELETE /v1beta/files/{name}, and GET /v1beta/files/{name}:download."""
    target, method = visit.request.path_params["name"], visit.request.method
    file, _, verb = target.partition(":")
    (name,) = await check_files(visit, (f"files/{file}",))
    path = f"{_version(visit)}/{name}"
    if verb == "download" and method == "GET":
        return await flowing(visit, errand_of(visit, f"{path}:download?alt=media"), resources=(name,))
    if verb:
        raise refusals.absent(f"{name} has no method {verb!r}")
    response = await passed(visit, errand_of(visit, path), resources=(name,))
    if method == "DELETE" and response.status_code == 200:
        await forget_file(visit.parts.books.db, name)
    return response


def _version(visit: Visit) -> str:
    """The API's version, as the caller's address has it."""
    return "v1beta" if "v1beta" in visit.request.url.path.split("/")[:3] else "v1"


def _in_session(request: Request) -> bool:
    return "upload_id" in request.query_params


def _entries(version: str) -> tuple[Entry, ...]:
    upload, files = f"/upload/{version}/files", f"/{version}/files"
    session: dict[str, Any] = {"public": True, "asked": _in_session}
    return (
        Entry(method="POST", path=upload, endpoint=begun, surface=GOOGLE),
        Entry(method="POST", path=upload, endpoint=continued, surface=GOOGLE, **session),
        Entry(method="PUT", path=upload, endpoint=continued, surface=GOOGLE, **session),
        Entry(method="GET", path=files, endpoint=listed, surface=GOOGLE),
        Entry(method="GET", path=f"{files}/{{name}}", endpoint=one, surface=GOOGLE),
        Entry(method="DELETE", path=f"{files}/{{name}}", endpoint=one, surface=GOOGLE),
    )


ENTRIES: Final = (*_entries("v1beta"), *_entries("v1"))
