"""Puts the API together."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer

from api import problems
from api.console import router as console
from api.deps import Services
from api.guard import BodyGuard, TokenGuard
from api.head_requests import Heads
from api.headers import SafeHeaders
from api.path_prefix import BelowPath
from api.routers import (
    announcements,
    call_traces,
    callbacks,
    calls,
    description,
    desk_files,
    desks,
    directory,
    events,
    health,
    incidents,
    listenings,
    mails,
    maintenances,
    messages,
    metrics,
    notices,
    oncall,
    persons,
    provisioning,
    queues,
    quotes,
    reports,
    solutions,
    staff,
    status_subscribers,
    texts,
    tickets,
    twilio,
)
from api.status import reports as status_reports
from api.status import router as status
from api.status import subscribing
from api.status.page_cache import KeptPages
from api.stream_limits import Streams

_ABOUT = """
The support line's calls, queues and tickets.

Every request below `/v1` carries `Authorization: Bearer TOKEN`. Errors are problem details (RFC 9457) that name
the field and the mend. Lists are given in pages: repeat the request with `cursor` set to the page's `next`.
"""


def create_app(services: Services) -> FastAPI:
    """The API over these services."""
    app = routes()
    provide(app, services)
    return app


def provide(app: FastAPI, services: Services) -> None:
    """Put these services behind the routes."""
    app.state.services = services
    app.state.status_pages = KeptPages()
    app.state.streams = Streams()
    app.state.fetching = provisioning.Fetching()
    console.provide(app, services)


def routes() -> FastAPI:
    """The API with nothing behind it yet. Making it takes half a second."""
    app = FastAPI(title="omnivigil", version="1", description=_ABOUT, redirect_slashes=False, openapi_url=None)
    problems.install(app)
    # The guard below checks the token; this tells the API's description about it.
    described = [Depends(HTTPBearer(auto_error=False, description="A token that `./omnivigil token` made."))]
    v1 = APIRouter(prefix="/v1", dependencies=described, responses=problems.DESCRIBED)
    for resource in (
        tickets,
        calls,
        call_traces,
        callbacks,
        events,
        queues,
        staff,
        desks,
        desk_files,
        announcements,
        incidents,
        maintenances,
        reports,
        listenings,
        messages,
        quotes,
        solutions,
        oncall,
        notices,
        status_subscribers,
        mails,
        texts,
        persons,
        provisioning,
        directory,
        twilio,
    ):
        v1.include_router(resource.router)
    # The first ones are found first: what other programs ask for all day.
    app.include_router(v1)
    app.include_router(description.router)
    app.include_router(health.router)
    app.include_router(provisioning.files)
    app.include_router(metrics.router, responses=problems.DESCRIBED)
    app.include_router(status.root)
    app.include_router(status.router, responses={code: problems.DESCRIBED[code] for code in (404, 422, 503)})
    app.include_router(subscribing.router)
    app.include_router(status_reports.router)
    console.install(app)
    # The last one added is the first one asked.
    app.add_middleware(BodyGuard)
    app.add_middleware(TokenGuard)
    app.add_middleware(Heads)
    app.add_middleware(SafeHeaders)
    app.add_middleware(BelowPath)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schema["components"]["schemas"]["Problem"] = problems.schema()
            schema["components"]["schemas"] |= directory.schemas()
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app
