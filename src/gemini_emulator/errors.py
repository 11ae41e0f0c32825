"""Google's error bodies, word for word as recorded where a recording exists.

Wording marked "assumed" below was never seen; a client must not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Any, Literal

Json = dict[str, Any]
Form = Literal["object", "array", "html"]

STATUS_NAMES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# https://grpc.io/docs/guides/status-codes/ : what a batch row carries as error.code
GRPC_CODES: Mapping[str, int] = {
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
_PAGE = (
    "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error {code}!!1</title>\n"
    "  <p><b>{code}.</b> <ins>That’s an error.</ins>\n  <p>{message} <ins>That’s all we know.</ins>\n"
)
_RPC = "type.googleapis.com/google.rpc."
_SERVICE = "generativelanguage.googleapis.com"
# one wording was recorded until 2026-04-16, the other from 2026-10-05 on; the day between is assumed
_LIST_MODELS, _LIST_MODELS_BEFORE = "ModelService.ListModels", "ListModels"
_WORDING_CHANGED = date(2026, 6, 1)


class ApiError(Exception):
    """An answer with an error status, as the provider would send it. `form`: how the body is dressed."""

    form: Form = "object"

    def __init__(
        self, code: int, message: str, *, status: str | None = None, details: Sequence[Json] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS_NAMES[code]
        self.details = tuple(details)

    def body(self) -> Json:
        error: Json = {"code": self.code, "message": self.message, "status": self.status}
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}

    def page(self) -> bytes:
        """The same failure as the front end's HTML page."""
        return _PAGE.format(code=self.code, message=self.message).encode()

    def rpc_status(self) -> Json:
        """The same failure as a google.rpc.Status, the form of a batch row."""
        return {"code": GRPC_CODES[self.status], "message": self.message}


def invalid(message: str) -> ApiError:
    return ApiError(400, message)


def invalid_argument() -> ApiError:
    return ApiError(400, "Request contains an invalid argument.")


def precondition(message: str) -> ApiError:
    return ApiError(400, message, status="FAILED_PRECONDITION")


def unknown_fields(violations: Sequence[tuple[str, str]]) -> ApiError:
    """400 for fields the API does not know: pairs of (field path, description)."""
    listed = [
        {"field": path, "description": text} if path else {"description": text} for path, text in violations
    ]
    message = "\n".join(text for _, text in violations)
    return ApiError(400, message, details=[{"@type": f"{_RPC}BadRequest", "fieldViolations": listed}])


def bad_key(message: str = "API key not valid. Please pass a valid API key.") -> ApiError:
    return ApiError(
        400,
        message,
        details=[
            error_info("API_KEY_INVALID", {"service": _SERVICE}),
            {"@type": f"{_RPC}LocalizedMessage", "locale": "en-US", "message": message},
        ],
    )


def missing_key() -> ApiError:
    return ApiError(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please use API "
        "Key or other form of API consumer identity to call this API.",
    )


def missing_token() -> ApiError:
    """Enterprise paths without credentials."""
    return ApiError(
        401,
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie "
        "or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/"
        "devconsole-project.",
        details=[error_info("CREDENTIALS_MISSING", {"service": "aiplatform.googleapis.com"})],
    )


def model_not_found(model: str, method: str, *, version: str, day: date) -> ApiError:
    """404 in the words of the day."""
    listing = _LIST_MODELS if day >= _WORDING_CHANGED else _LIST_MODELS_BEFORE
    return ApiError(
        404,
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        f"Call {listing} to see the list of available models and their supported methods.",
    )


def publisher_model_not_found(resource: str) -> ApiError:
    return ApiError(
        404,
        f"Publisher Model `{resource}` was not found or your project does not have access to it. Please "
        "ensure you are using a valid model version. For more information, see: "
        "https://cloud.google.com/vertex-ai/generative-ai/docs/learn/model-versions",
    )


def closed_to_new_users(model: str) -> ApiError:
    """Wording assumed beyond "no longer available to new users"."""
    return ApiError(
        404,
        f"This model models/{model} is no longer available to new users. Please update your code to use a "
        "newer model for the latest features and improvements.",
    )


def page_not_found(path: str) -> ApiError:
    """A path the front end does not know."""
    error = ApiError(404, f"The requested URL <code>{escape(path)}</code> was not found on this server.")
    error.form = "html"
    return error


def not_found(what: str) -> ApiError:
    return ApiError(404, f"{what} was not found.")


def file_forbidden(file_id: str) -> ApiError:
    """Expired, deleted, never there, or another project's: the provider does not say which."""
    return ApiError(403, f"You do not have permission to access the File {file_id} or it may not exist.")


def file_not_active(file_id: str) -> ApiError:
    return precondition(f"The File {file_id} is not in an ACTIVE state and usage is not allowed.")


def error_info(reason: str, metadata: Json | None = None) -> Json:
    info: Json = {"@type": f"{_RPC}ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return info | {"metadata": metadata} if metadata else info


def help_links(url: str, description: str) -> Json:
    return {"@type": f"{_RPC}Help", "links": [{"description": description, "url": url}]}


def retry_info(delay: str) -> Json:
    return {"@type": f"{_RPC}RetryInfo", "retryDelay": delay}


def quota_failure(violations: Sequence[Json]) -> Json:
    return {"@type": f"{_RPC}QuotaFailure", "violations": list(violations)}
