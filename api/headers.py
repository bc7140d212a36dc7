"""What every answer carries, whoever made it: browsers guess nothing, frame nothing, keep nothing not public."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Where an answer says nothing else.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: A year, once it is known that the public comes by TLS only (RFC 6797).
_HSTS = "max-age=31536000"


class SafeHeaders:
    """Adds what an answer lacks."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("application/pdf"):
                    # What shows a PDF in a browser is a page of its own, with styles.
                    headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if _public_by_tls(scope):
                    headers["Strict-Transport-Security"] = _HSTS
            await send(message)

        await self._app(scope, receive, guarded)


def _public_by_tls(scope: Scope) -> bool:
    # Without services, as in tests of a part, nothing is public.
    services = getattr(scope["app"].state, "services", None) if "app" in scope else None
    public = services.notices.public_url if services is not None else None
    return bool(public) and str(public).startswith("https://")
