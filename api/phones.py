"""Where phones find their configuration, as the outside reaches it."""

from __future__ import annotations

from fastapi import Request

from api.deps import Services


def folder_of(has: Services, request: Request, token: str) -> str:
    """Return the address below which a token's files are."""
    return f"{(has.notices.public_url or str(request.base_url)).rstrip('/')}/provision/{token}/"
