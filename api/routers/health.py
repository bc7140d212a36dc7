"""Whether the line takes calls, and whether the service lives."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.common import Has

router = APIRouter(tags=["health"])


class LifeView(BaseModel):
    """`status` is always alive."""

    status: str


class HealthView(BaseModel):
    """`status` is ok, degraded (calls are taken, something is wrong) or unavailable; a component, ok or what it is."""

    status: str
    components: dict[str, str]


#: What 503 means.
_NOT_TAKEN: dict[int | str, dict[str, Any]] = {503: {"model": HealthView, "description": "Calls are not taken (yet)."}}


@router.get("/healthz", responses=_NOT_TAKEN)
@router.get("/readyz", responses=_NOT_TAKEN, name="readyz")
async def healthz(response: Response, has: Has) -> HealthView:
    """200 with each component's state while calls are taken, 503 otherwise. `/readyz` is another name of it."""
    health = await has.health()
    response.status_code = 200 if health.taking_calls else 503
    response.headers["Cache-Control"] = "no-store"
    if not health.taking_calls:
        status = "unavailable"
    elif health.degraded:
        status = "degraded"
    else:
        status = "ok"
    return HealthView(status=status, components=dict(health.components))


@router.get("/livez")
async def livez(response: Response) -> LifeView:
    """200 as long as the service answers at all; it says nothing of calls. To end it for less would cut some."""
    response.headers["Cache-Control"] = "no-store"
    return LifeView(status="alive")
