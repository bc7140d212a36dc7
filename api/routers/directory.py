"""The directory: partners, accounts, contacts, numbers, phones and staff, each by a key that people know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.common import Has, Line, Page, PageQuery, Short, Who, bad_cursor, make_cursor, read_cursor
from api.deps import Services
from ivr.accounts.api_tokens import Bearer
from ivr.directory import errors, queries, service
from ivr.directory.desk_references import Known, providers_of
from ivr.directory.entries import ENTRIES, KEY_FIELDS, Kind, check_key, read_entry
from ivr.errors import BadInput, NotFound

router = APIRouter(prefix="/directory", tags=["directory"])

_ETAG = {"ETag": {"description": "Of the entry as it is now; for If-Match.", "schema": {"type": "string"}}}
_CHANGED: dict[int | str, dict[str, Any]] = {412: {"description": "The entry is another than the condition says."}}
_USED: dict[int | str, dict[str, Any]] = {409: {"description": "Something still uses it: `errors` names each."}}


class ProviderNotFound(NotFound):
    """There is no such provider here."""


class Secret(BaseModel):
    """What a phone registers with; told this once."""

    secret: str


class DirectoryQuery(PageQuery):
    """Which entries."""

    cursor: Annotated[str, Field(max_length=2000)] | None = Field(
        default=None, description="`next` of the page before."
    )
    q: Line | None = Field(default=None, description="Words that an entry holds, or a telephone number of it.")
    sort: Short = Field(default="key", description="key, name or account, where there is such; backwards with -.")
    provider: Short | None = Field(default=None, description="Whose directory; the main desk's provider without it.")
    partner: Short | None = None
    account: Line | None = None
    contact: Line | None = None
    department: Short | None = None
    desk: Short | None = None
    kind: Short | None = None
    language: Short | None = None
    phone: Short | None = None
    tier: Short | None = None


class DirectoryPage(Page[dict[str, Any]]):
    """Entries, in the order that was asked for."""


def _provider(request: Request, has: Has, who: Who) -> str:
    asked = request.query_params.get("provider")
    return provider_of(has, who, asked)


def provider_of(has: Services, who: Bearer, asked: str | None) -> str:
    """Whose directory a request is about. Raises ProviderNotFound, also for what the token may not see."""
    there = providers_of(has.desks.values())
    provider = asked or there[0]
    if provider not in there:
        raise ProviderNotFound()
    return provider


Provider = Annotated[str, Depends(_provider)]
ProviderQuery = Annotated[Short | None, Query(description="Whose directory; the main desk's provider without it.")]
EntryKind = Annotated[Kind, Path(description="What it is.")]
EntryKey = Annotated[str, Path(max_length=100, description="Its key, as C-9, 6900 or +14185550188.")]
IfMatch = Annotated[str | None, Header(description="The ETag you have seen; * for any entry that is there.")]
IfNoneMatch = Annotated[str | None, Header(description="* to create only, and never replace.")]
#: Told by the entries' models, which FastAPI does not read: they need to know the country of numbers.
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [{"$ref": f"#/components/schemas/{one.__name__}"} for one in ENTRIES.values()]}
            }
        },
    }
}


def schemas() -> dict[str, Any]:
    """Of the entries and their parts, for the OpenAPI document."""
    found: dict[str, Any] = {}
    for one in ENTRIES.values():
        described = one.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= described.pop("$defs", {})
        found[one.__name__] = described
    return found


@router.get("/{kind}")
async def list_entries(
    kind: EntryKind, query: Annotated[DirectoryQuery, Query()], has: Has, provider: Provider
) -> DirectoryPage:
    """Entries of a kind: searched, narrowed, ordered, and in pages."""
    filters = query.model_dump(exclude={"limit", "cursor", "q", "sort", "provider"}, exclude_none=True)
    parts = read_cursor(query.cursor, 3)
    after = [unquote(one) for one in parts] if parts is not None else None
    if after is not None and not all(one.isprintable() for one in after):
        raise bad_cursor()
    if after is not None and after[2] != query.sort:
        raise BadInput(field="cursor", problem="is of another order", mend="repeat the request with the same sort")
    async with has.store.reading() as unit:
        part = await queries.find(
            unit,
            provider,
            kind,
            q=query.q,
            filters=filters,
            sort=query.sort,
            after=(after[0], after[1]) if after is not None else None,
            limit=query.limit,
        )
    following = None
    if part.more:
        following = make_cursor(*(quote(one, safe="") for one in (*part.more, query.sort)))
    return DirectoryPage(items=[one.view() for one in part.entries], next=following)


@router.get("/{kind}/{key}", responses={200: {"headers": _ETAG}, 304: {"description": "It is as you have seen it."}})
async def read_entry_of(
    kind: EntryKind,
    key: EntryKey,
    has: Has,
    provider: Provider,
    response: Response,
    if_none_match: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """One entry."""
    known = _known(has, provider)
    key = _key(kind, key, known)
    async with has.store.reading() as unit:
        found = await queries.get(unit, provider, kind, key)
    if found is None:
        raise errors.EntryNotFound(entry=key)
    response.headers["ETag"] = found.etag
    if if_none_match is not None and _matches(if_none_match, found.etag):
        return Response(status_code=304, headers={"ETag": found.etag})  # type: ignore[return-value]
    return found.view()


@router.put(
    "/{kind}/{key}",
    openapi_extra=_BODY,
    responses={200: {"headers": _ETAG}, 201: {"description": "It was not there before.", "headers": _ETAG}, **_CHANGED},
)
async def put_entry(  # noqa: PLR0913 - each is a part of the request
    kind: EntryKind,
    key: EntryKey,
    body: Annotated[Any, Body()],
    has: Has,
    who: Who,
    provider: Provider,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> dict[str, Any]:
    """Create or replace an entry; repeating it changes nothing. A new phone's answer holds its `secret`, this once."""
    known = _known(has, provider)
    key = check_key(kind, key, known.region)
    entry = read_entry(kind, _without_key(kind, key, body), known.region)
    async with has.store.unit() as unit:
        done = await has.editor(provider, by=f"token {who.name}", source="API").put(
            unit,
            kind,
            key,
            entry,
            expected_etag=await _expected(has, provider, kind, key, if_match),
            must_be_new=if_none_match is not None and if_none_match.strip() == "*",
        )
    response.status_code = 201 if done.created else 200
    return _put_view(kind, key, done, response)


@router.patch("/{kind}/{key}", responses={200: {"headers": _ETAG}, **_CHANGED})
async def patch_entry(
    kind: EntryKind,
    key: EntryKey,
    body: Annotated[dict[str, Any], Body(description="What is to change (RFC 7396); null takes a field away.")],
    has: Has,
    who: Who,
    provider: Provider,
    response: Response,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Change some fields of an entry, and leave the others."""
    known = _known(has, provider)
    key = _key(kind, key, known)
    async with has.store.unit() as unit:
        expected = await _expected(has, provider, kind, key, if_match)
        editor = has.editor(provider, by=f"token {who.name}", source="API")
        done = await editor.patch(unit, kind, key, _without_key(kind, key, body), expected_etag=expected)
    return _put_view(kind, key, done, response)


@router.delete("/{kind}/{key}", status_code=204, responses={**_CHANGED, **_USED})
async def delete_entry(
    kind: EntryKind, key: EntryKey, has: Has, who: Who, provider: Provider, if_match: IfMatch = None
) -> None:
    """Remove an entry, unless something still uses it; an account's last administrator goes with the account."""
    known = _known(has, provider)
    key = _key(kind, key, known)
    async with has.store.unit() as unit:
        expected = await _expected(has, provider, kind, key, if_match)
        editor = has.editor(provider, by=f"token {who.name}", source="API")
        await editor.delete(unit, kind, key, expected_etag=expected)


@router.post("/phones/{name}/secret", responses=_CHANGED)
async def renew_secret(name: EntryKey, has: Has, who: Who, provider: Provider, if_match: IfMatch = None) -> Secret:
    """Give a phone a new secret, told this once. The old one is worthless from now on."""
    name = _key("phones", name, _known(has, provider))
    async with has.store.unit() as unit:
        expected = await _expected(has, provider, "phones", name, if_match)
        editor = has.editor(provider, by=f"token {who.name}", source="API")
        secret = await editor.renew_secret(unit, name, expected_etag=expected)
    return Secret(secret=secret)


def _known(has: Services, provider: str) -> Known:
    return has.known(provider)


def _key(kind: Kind, key: str, known: Known) -> str:
    """The key of an entry that should be there; what can be none is not there."""
    try:
        return check_key(kind, key, known.region)
    except BadInput:
        # Older accounts and phones may be called what new ones may not.
        if kind not in ("accounts", "phones") or not key.isprintable():
            raise errors.EntryNotFound() from None
        return key


def _without_key(kind: Kind, key: str, body: Any) -> Any:
    """What is given, without the key that an answer of ours has; another key than the address's is a mistake."""
    field = KEY_FIELDS.get(kind, "key")
    if not isinstance(body, Mapping) or field not in body:
        return body
    if body[field] != key:
        raise BadInput(field=field, problem="is another than the address's", mend="leave it out, or correct it")
    return {name: value for name, value in body.items() if name != field}


def _tags(header: str) -> list[str]:
    return [one.strip() for one in header.split(",") if one.strip()]


def _matches(header: str, etag: str) -> bool:
    return any(one in ("*", etag, f"W/{etag}") for one in _tags(header))


async def _expected(has: Services, provider: str, kind: Kind, key: str, if_match: str | None) -> str | None:
    """The one of several entity tags that can be meant; weak ones never match (RFC 9110 section 13.1.1)."""
    if if_match is None:
        return None
    tags = _tags(if_match)
    if len(tags) < 2:
        if tags:
            return tags[0]
        return ""
    async with has.store.reading() as unit:
        found = await queries.get(unit, provider, kind, key)
    if found is not None and found.etag in tags:
        return found.etag
    return tags[0]


def _put_view(kind: Kind, key: str, done: service.Put, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = done.etag
    field = KEY_FIELDS.get(kind, "key")
    view = {field: key, **done.entry.model_dump(mode="json")}
    if done.secret is not None:
        return view | {"secret": done.secret}
    return view
