"""Puts the console together."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.console import (
    accounts,
    administration,
    announcements,
    board,
    desk_files,
    directory,
    directory_import,
    duty,
    incident_report,
    incidents,
    mails,
    maintenances,
    menu,
    portal,
    portal_directory,
    reports,
    sign_in,
    texts,
    tickets,
    tokens,
    traces,
    workspace,
)
from api.console.board_stream import Boards
from api.console.guard import ANYBODY, ConsoleRoute, PageNotFound, may
from api.deps import Services
from ivr.accounts.sign_in import Accounts

_STATIC = Path(__file__).parent / "static"

SECTIONS = (
    sign_in,
    board,
    workspace,
    tickets,
    mails,
    texts,
    traces,
    incidents,
    incident_report,
    maintenances,
    announcements,
    menu,
    desk_files,
    reports,
    portal,
    portal_directory,
    directory,
    duty,
    directory_import,
    accounts,
    tokens,
    administration,
)


class _Files(StaticFiles):
    """Asked for anew each time, so that none is older than the page that wants it."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def provide(app: FastAPI, services: Services) -> None:
    """Put these services behind the console."""
    app.state.accounts = Accounts(services.store, services.clock, services.seal)
    app.state.boards = {None: Boards(services)}
    app.state.previews = directory_import.Previews()


def install(app: FastAPI) -> None:
    """Serve the console at /console."""
    app.mount("/console/static", _Files(directory=_STATIC), name="console-static")
    for section in SECTIONS:
        app.include_router(section.router)
    app.include_router(_others)


_others = APIRouter(prefix="/console", route_class=ConsoleRoute, include_in_schema=False)


@_others.get("/{path:path}")
@may(ANYBODY)
async def no_such_page(path: str, request: Request) -> Response:
    """Any other address."""
    raise PageNotFound
