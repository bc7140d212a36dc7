"""Whether the line takes calls."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.common import Has

router = APIRouter(tags=["health"])


class HealthView(BaseModel):
    """`status` is ok once calls are taken; each component says ok or what is wrong."""

    status: str
    components: dict[str, str]


@router.get("/healthz", responses={503: {"model": HealthView, "description": "Calls are not taken (yet)."}})
@router.head("/healthz", include_in_schema=False)
async def healthz(response: Response, has: Has) -> HealthView:
    """200 with each component's state once calls are taken, 503 before."""
    health = await has.health()
    response.status_code = 200 if health.taking_calls else 503
    response.headers["Cache-Control"] = "no-store"
    return HealthView(status="ok" if health.taking_calls else "unavailable", components=dict(health.components))
