"""The Files API: resumable upload, get, list, delete, download."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from gemini_emulator import errors
from gemini_emulator.calls import JSON_TYPE, Answer, Call, carry_out, pretty
from gemini_emulator.errors import Json
from gemini_emulator.files import CHUNK_GRANULARITY, StoredFile


async def on_upload(request: Request) -> Response:
    """POST /upload/{version}/files: `start`, then `upload`, `upload, finalize` or `query` on the session."""
    call = Call(request, request.app.state.emulator, method="files.upload")
    if "upload_id" in request.query_params:
        # the session URL is the credential: recorded clients send no key here, and some do
        return await _continue(call)
    return await carry_out(call, _start)


async def on_files(request: Request) -> Response:
    return await carry_out(Call(request, request.app.state.emulator, method="files.list"), _list)


async def on_file(request: Request) -> Response:
    """GET, DELETE, or GET :download of one file."""
    verb = request.path_params["target"].partition(":")[2]
    handler, name = {
        ("GET", ""): (_get, "files.get"),
        ("DELETE", ""): (_delete, "files.delete"),
        ("GET", "download"): (_download, "files.download"),
    }.get((request.method, verb), (_unknown, "files"))
    return await carry_out(Call(request, request.app.state.emulator, method=name), handler)


async def _start(call: Call) -> Response:
    headers = call.request.headers
    if headers.get("x-goog-upload-command", "").strip() != "start":
        raise errors.invalid(
            "Missing or unknown X-Goog-Upload-Command; a resumable upload begins with 'start'."
        )
    wanted: Json = call.message("CreateFileRequest").get("file", {})
    upload = call.state.files.begin(
        call.owner, headers.get("x-goog-upload-header-content-type", ""), wanted=wanted
    )
    url = f"{call.base_url}/upload/{call.version}/files?upload_id={upload.id}&upload_protocol=resumable"
    return _uploaded(
        b"",
        "text/plain; charset=utf-8",
        upload.id,
        "active",
        (
            ("x-goog-upload-url", url),
            ("x-goog-upload-control-url", url),
            ("x-goog-upload-chunk-granularity", str(CHUNK_GRANULARITY)),
            ("x-goog-upload-header-content-type", JSON_TYPE),
        ),
    )


async def _continue(call: Call) -> Response:
    commands = {word.strip() for word in call.request.headers.get("x-goog-upload-command", "").split(",")}
    try:
        upload = call.state.files.upload(call.request.query_params["upload_id"])
        offset = int(call.request.headers.get("x-goog-upload-offset", upload.received))
        if "upload" in commands and offset != upload.received:
            raise errors.invalid(
                f"Upload offset {offset} does not match the {upload.received} bytes received."
            )
    except errors.ApiError as error:
        return call.failure(error)
    if "upload" in commands:
        async for chunk in call.request.stream():
            upload.append(chunk)
    if "finalize" not in commands:
        size = ("x-goog-upload-size-received", str(upload.received))
        return _uploaded(b"", "text/plain; charset=utf-8", upload.id, "active", (size,))
    stored = call.state.files.finalize(upload)
    body = pretty({"file": stored.to_wire(call.base_url, call.version)})
    return _uploaded(body, JSON_TYPE, upload.id, "final")


async def _list(call: Call) -> Response:
    size, start = call.page_size(10), call.page_start()
    mine = call.state.files.mine(call.owner)
    body: Json = {}
    if mine[start : start + size]:
        body["files"] = [stored.to_wire(call.base_url, call.version) for stored in mine[start : start + size]]
    if start + size < len(mine):
        body["nextPageToken"] = str(start + size)
    return call.answer(body)


async def _get(call: Call) -> Response:
    return call.answer(_file(call).to_wire(call.base_url, call.version))


async def _delete(call: Call) -> Response:
    call.state.files.delete(_file(call).id, call.owner)
    return call.answer({})


async def _download(call: Call) -> Response:
    stored = _file(call)
    if stored.source == "UPLOADED":
        # https://ai.google.dev/gemini-api/docs/files : uploaded files cannot be downloaded; wording assumed
        raise errors.invalid(f"File {stored.id} was uploaded; only generated files can be downloaded.")
    return FileResponse(stored.path, media_type=stored.media_type)


async def _unknown(call: Call) -> Response:
    raise errors.not_found(f"Method {call.request.method} of files/{call.request.path_params['target']}")


def _file(call: Call) -> StoredFile:
    file_id = call.request.path_params["target"].partition(":")[0]
    return call.state.files.get(file_id, call.owner)


def _uploaded(
    body: bytes, kind: str, upload_id: str, status: str, extra: tuple[tuple[str, str], ...] = ()
) -> Answer:
    pairs = (
        ("content-type", kind),
        ("x-guploader-uploadid", upload_id),
        ("x-goog-upload-status", status),
        *extra,
    )
    length = (b"content-length", str(len(body)).encode())
    head = [(name.encode(), value.encode()) for name, value in pairs]
    return Answer([body], status=200, headers=[*head, length, (b"server", b"UploadServer")])
