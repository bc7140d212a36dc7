"""The API's description (OpenAPI), and the page to try it on."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from pydantic_core import to_json

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def description(request: Request) -> Response:
    """Made when it is first asked for; that takes half a second, which calls in this loop must not wait for."""
    state = request.app.state
    if not hasattr(state, "description"):
        state.description = to_json(await asyncio.to_thread(request.app.openapi))
    return Response(state.description, media_type="application/json")


@router.get("/docs")
async def docs() -> HTMLResponse:
    """A page to read and try the API on."""
    return get_swagger_ui_html(openapi_url="/openapi.json", title="omnivigil")
