"""Errors as problem details (RFC 9457). Each names the field and the mend; this is the one place that maps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.headers import HEADERS
from ivr.directory.errors import Exists, InUse
from ivr.errors import AllBadInput, BadInput, Conflict, NotAllowed, NotFound, OmnivigilError, TooMany, Unavailable

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"

#: Of one request; whoever has more has the wrong file.
_MOST_ERRORS = 1000
#: Seconds after which a component that was away may be asked again.
_RETRY_AFTER_S = "2"
#: And after which somebody who asked too often may ask again.
_CALM_DOWN_S = "60"


class FieldProblem(BaseModel):
    """What is wrong with one field, and what to do."""

    field: str
    problem: str
    mend: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:omnivigil:problem:bad-input"])
    title: str
    status: int
    detail: str
    field: str | None = Field(default=None, description="The first field, header or parameter that is wrong.")
    mend: str | None = Field(default=None, description="What to do about it.")
    errors: list[FieldProblem] | None = Field(default=None, description="Every field that is wrong.")


class ProblemResponse(JSONResponse):
    """A problem as a response."""

    media_type = MEDIA_TYPE


def problem(
    status: int,
    name: str,
    title: str,
    detail: str,
    *,
    field: str | None = None,
    mend: str | None = None,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """A response of this kind."""
    content: dict[str, Any] = {
        "type": f"urn:omnivigil:problem:{name}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    content |= {key: value for key, value in (("field", field), ("mend", mend), ("errors", errors)) if value}
    return ProblemResponse(content, status_code=status, headers=dict(headers) if headers else None)


#: For the OpenAPI document.
DESCRIBED: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for code, text in {
        400: "The body is not JSON in UTF-8.",
        401: "No valid token.",
        403: "The token does not allow this.",
        404: "There is no such thing.",
        409: "Somebody changed it in the meantime.",
        413: "The body is too large.",
        415: "The body is of another type or encoding.",
        422: "A field is wrong.",
        429: "Asked too often; try again after Retry-After.",
        503: "A component is away; try again.",
    }.items()
}


def _of_error(request: Request, error: OmnivigilError) -> ProblemResponse:
    if isinstance(error, NotAllowed):
        return problem(403, "forbidden", "Not allowed", error.problem, field=error.field, mend=error.mend)
    if isinstance(error, BadInput):
        if isinstance(error, AllBadInput):
            every = error.errors[:_MOST_ERRORS]
        else:
            every = (error,)
        errors = [{"field": one.field, "problem": one.problem, "mend": one.mend} for one in every]
        return problem(
            422, "bad-input", "A field is wrong", error.problem, field=error.field, mend=error.mend, errors=errors
        )
    if isinstance(error, NotFound):
        return problem(404, "not-found", "Not found", error.message(), mend="check the address")
    if isinstance(error, InUse):
        errors = [{"field": "used_by", "problem": one, "mend": "change or delete it first"} for one in error.uses]
        return problem(
            409,
            "in-use",
            "Still in use",
            error.message(),
            field="used_by",
            mend=error.mend,
            errors=errors[:_MOST_ERRORS],
        )
    if isinstance(error, Exists):
        mend = "leave If-None-Match out to replace it"
        return problem(412, "exists", "There already", error.message(), field="If-None-Match", mend=mend)
    if isinstance(error, Conflict):
        # RFC 9110 section 13.1.1: a condition that was sent as a header fails with 412.
        status, field = (412, "If-Match") if "if-match" in request.headers else (409, "version")
        mend = "read it again and repeat the change on what it is now"
        return problem(status, "conflict", "Changed in the meantime", error.message(), field=field, mend=mend)
    if isinstance(error, TooMany):
        headers = {"Retry-After": _CALM_DOWN_S}
        return problem(429, "too-many", "Too many requests", error.message(), mend="wait a minute", headers=headers)
    if isinstance(error, Unavailable):
        log.warning("API request failed: component unavailable", error=str(error), path=request.url.path)
        headers = {"Retry-After": _RETRY_AFTER_S}
        # The reason may tell about the inside of the service, and is in the log.
        detail = (type(error).__doc__ or "").strip().split("\n")[0]
        return problem(503, "unavailable", "A component is away", detail, mend="try again soon", headers=headers)
    log.error("unhandled API error", event_id="OV1201", path=request.url.path, exc_info=error)
    return _internal()


def _internal() -> ProblemResponse:
    mend = "try again; if it stays, tell whoever runs the line"
    # What adds these to other answers is not around what answers this one.
    return problem(
        500, "internal", "Internal error", "Something went wrong here and was logged.", mend=mend, headers=HEADERS
    )


def _of_validation(error: RequestValidationError) -> ProblemResponse:
    errors = [_field_problem(one) for one in error.errors()[:20]]
    if error.errors()[0]["type"] == "json_invalid":
        return problem(400, "bad-json", "The body is not JSON", errors[0]["problem"], field="body", mend="send JSON")
    first = errors[0]
    detail = f"{first['field']}: {first['problem']}"
    return problem(
        422, "bad-input", "A field is wrong", detail, field=first["field"], mend=first["mend"], errors=errors
    )


def _field_problem(error: Mapping[str, Any]) -> dict[str, str]:
    where = [str(part) for part in error["loc"]]
    # Where the field is (body, query, path) says nothing that its name does not.
    field = ".".join(where[1:]) or where[0]
    wrong, mend = str(error["msg"]), _mend(error["type"], error.get("ctx") or {})
    if error["type"] == "value_error":
        # Our own checks say both in one sentence.
        wrong, _, mend = wrong.removeprefix("Value error, ").rpartition("; ")
    return {"field": _printable(field), "problem": wrong, "mend": mend}


def _printable(text: str) -> str:
    """Names of unknown fields come from the client."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)[:100]


def _mend(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "missing":
            return "give this field"
        case "extra_forbidden":
            return "remove it or correct its name; the known ones are in /docs"
        case "literal_error" | "enum":
            return f"give one of {context.get('expected')}"
        case "string_too_long" | "too_long":
            return f"give at most {context.get('max_length')}"
        case "string_too_short" | "too_short":
            return f"give at least {context.get('min_length')}; null says that it is unknown"
        case "greater_than_equal":
            return f"give {context.get('ge')} or more"
        case "less_than_equal":
            return f"give {context.get('le')} or less"
        case "timezone_aware" | "datetime_from_date_parsing" | "datetime_parsing":
            return "write it as 2026-12-24T16:59:00-05:00, with + as %2B in an address"
        case "json_invalid":
            return "send JSON"
        case _:
            return "correct its type or form as described in /docs"


def _allowed(request: Request) -> str:
    """Every method that the address knows (RFC 9110 section 15.5.6)."""
    routes = request.app.routes
    known = []
    for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"):
        # What answers GET answers HEAD.
        asked = {**request.scope, "method": "GET" if method == "HEAD" else method}
        if any(route.matches(asked)[0] is Match.FULL for route in routes):
            known.append(method)
    return ", ".join(known)


def _of_http(request: Request, error: HTTPException) -> ProblemResponse:
    mends = {404: "check the address; it is described in /docs", 405: "use another method", 400: "send JSON in UTF-8"}
    names = {404: "not-found", 405: "method-not-allowed", 400: "bad-json"}
    name, mend = names.get(error.status_code, "http"), mends.get(error.status_code)
    field = "body" if error.status_code == 400 else None
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return problem(
        error.status_code, name, str(error.detail), str(error.detail), field=field, mend=mend, headers=headers
    )


def install(app: FastAPI) -> None:
    """Have every error of an application told this way."""

    @app.exception_handler(OmnivigilError)
    async def omnivigil(request: Request, error: OmnivigilError) -> ProblemResponse:
        return _of_error(request, error)

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> ProblemResponse:
        return _of_validation(error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> ProblemResponse:
        return _of_http(request, error)

    @app.exception_handler(Exception)
    async def other(request: Request, error: Exception) -> ProblemResponse:
        log.error("unhandled API error", event_id="OV1201", path=request.url.path, exc_info=error)
        return _internal()


def schema() -> dict[str, Any]:
    """Of a problem, for the OpenAPI document."""
    described = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = described.pop("$defs")
    described["properties"]["errors"]["anyOf"][0]["items"] = parts["FieldProblem"]
    return described
