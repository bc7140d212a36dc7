"""The API's description (OpenAPI), and the page to try it on."""

from __future__ import annotations

import asyncio
import functools
import importlib.resources
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from pydantic_core import to_json

from api.path_prefix import path_of

router = APIRouter(include_in_schema=False)

_START = Path(__file__).parents[1] / "static" / "docs.js"
#: Swagger UI and nothing from elsewhere: a token is pasted into this page. It sets styles of its own.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>omnivigil</title><link rel="stylesheet" href="/docs/swagger-ui.css"></head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""


@router.get("/openapi.json")
async def description(request: Request) -> Response:
    """Made when it is first asked for; that takes half a second, which calls in this loop must not wait for."""
    state = request.app.state
    if not hasattr(state, "description"):
        described = await asyncio.to_thread(request.app.openapi)
        if below := path_of(state.services.notices.public_url):
            described = {**described, "servers": [{"url": below}]}
        state.description = to_json(described)
    return Response(state.description, media_type="application/json")


@router.get("/docs")
async def docs() -> HTMLResponse:
    """A page to read and try the API on."""
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get("/docs/{name}")
async def part(name: Literal["swagger-ui-bundle.js", "swagger-ui.css", "start.js"]) -> Response:
    """What the page is made of."""
    media_type = "text/css" if name.endswith(".css") else "text/javascript"
    return Response(await asyncio.to_thread(_content, name), media_type=media_type, headers=_HEADERS)


@functools.cache
def _content(name: str) -> bytes:
    if name == "start.js":
        return _START.read_bytes()
    return (importlib.resources.files("fastapi_swagger.resources") / name).read_bytes()
