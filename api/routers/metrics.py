"""The line's figures for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.common import Has

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(has: Has) -> Response:
    """Prometheus's text format, version 0.0.4; no personal data.

    From this machine itself without a token; from elsewhere, and through a proxy, with one of the scope `read`.
    """
    return Response(await has.metrics.text(), media_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
