"""Which path goes to which handler."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gemini_emulator import batch_routes, control, file_routes, model_routes
from gemini_emulator.errors import page_not_found
from gemini_emulator.state import State

_EXPRESS = "/{version}/publishers/{publisher}/models/{target}"
"""The enterprise endpoint with an API key, which names the project by itself."""
_PUBLISHER = "/{version}/projects/{project}/locations/{location}/publishers/{publisher}/models/{target}"


def build_app(state: State) -> Starlette:
    """The web application over one emulator's state."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await state.close()

    app = Starlette(
        routes=_api_routes() + _control_routes(), lifespan=lifespan, exception_handlers={404: _html_not_found}
    )
    app.state.emulator = state
    return app


def _control_routes() -> list[Route]:
    return [
        Route("/emulator", control.on_health),
        Route("/emulator/bill", control.on_bill),
        Route("/emulator/requests", control.on_requests),
        Route("/emulator/faults", control.on_faults, methods=["GET", "POST", "DELETE"]),
        Route("/emulator/clock", control.on_clock, methods=["GET", "POST"]),
        Route("/emulator/reset", control.on_reset, methods=["POST"]),
    ]


def _api_routes() -> list[Route]:
    return [
        Route("/upload/{version}/files", file_routes.on_upload, methods=["POST", "PUT"]),
        Route("/{version}/models", model_routes.on_models),
        Route("/{version}/models/{target}", model_routes.on_model, methods=["GET", "POST"]),
        Route("/{version}/files", file_routes.on_files),
        Route("/{version}/files/{target}", file_routes.on_file, methods=["GET", "DELETE", "POST"]),
        Route(_PUBLISHER, model_routes.on_model, methods=["GET", "POST"]),
        Route(_EXPRESS, model_routes.on_model, methods=["GET", "POST"]),
        Route("/{version}/batches", batch_routes.on_batches),
        Route("/{version}/batches/{target}", batch_routes.on_batch, methods=["GET", "DELETE", "POST"]),
    ]


async def _html_not_found(request: Request, error: Exception) -> Response:
    """Google's front end answers an unknown path with a page."""
    return HTMLResponse(page_not_found(request.url.path).page(), 404)
