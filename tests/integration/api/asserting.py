"""What every refusal must say."""

from __future__ import annotations

import httpx


def refused(response: httpx.Response, status: int, *, field: str | None = None) -> dict[str, object]:
    """The problem (RFC 9457) of a refusal that names what is wrong and how to mend it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, object] = response.json()
    assert problem["status"] == status
    assert str(problem["type"]).startswith("urn:omnivigil:problem:")
    assert problem["title"]
    assert problem["detail"]
    assert problem["mend"]
    if field is not None:
        assert problem["field"] == field
    return problem
