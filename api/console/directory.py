"""The directory for administrators: found, seen whole, entered, changed and removed, while the line runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.console import directory_forms as forms
from api.console import pages, phone_credentials, words
from api.console.guard import ConsoleRoute, done, may, who
from api.console.pages import line_of
from api.deps import Services
from api.phones import folder_of
from ivr.calls import store as call_store
from ivr.directory import errors, queries, service, store
from ivr.directory.desk_references import Known, providers_of
from ivr.directory.entries import KINDS, AccountEntry, AnyEntry, ContactEntry, Kind, check_key, read_entry
from ivr.directory.errors import Changed
from ivr.directory.model import slug
from ivr.directory.queries import Found
from ivr.errors import BadInput
from ivr.provisioning import tokens as provisioning
from ivr.provisioning.phones import addresses
from ivr.store.engine import Unit
from ivr.tickets import store as tickets

router = APIRouter(prefix="/console/directory", route_class=ConsoleRoute, include_in_schema=False)

#: Of a search over everything, so many of each kind; of a list, so many at a time; of a customer's, at most so many.
_FOUND, _LISTED, _WHOLE, _LATEST = 8, 50, 200, 10
#: Names that a field offers, at most.
_OFFERED = 200
#: Kinds whose key is made of a name when none is given.
_NAMED: frozenset[Kind] = frozenset({"partners", "contacts", "staff"})
_TRIES = 50
#: What belongs to a customer, and is added, changed and removed there.
OF_A_CUSTOMER: tuple[Kind, ...] = ("contacts", "numbers", "phones")

OneKind = Annotated[Kind, Path()]
Key = Annotated[str, Query(min_length=1, max_length=80)]
Provider = Annotated[str, Query(max_length=60)]
Words = Annotated[str, Query(max_length=100)]


def provider_of(has: Services, named: str) -> str:
    """A provider of this line; the main desk's when none is named. Raises BadInput."""
    every = providers_of(has.desks.values())
    if not named:
        return every[0]
    if named not in every:
        mend = f"give one of {', '.join(every)}"
        raise BadInput(field="provider", problem="there is no such provider", mend=mend)
    return named


def known(has: Services, provider: str) -> Known:
    """Return what the provider's desk files allow."""
    return has.known(provider)


def address(provider: str, kind: Kind, page: str = "entry", **query: str) -> str:
    """Return where a page of the directory is."""
    asked = {name: value for name, value in query.items() if value} | ({"provider": provider} if provider else {})
    return f"/console/directory/{kind}/{page}" + (f"?{urlencode(asked)}" if asked else "")


def common(request: Request, provider: str) -> dict[str, Any]:
    """Return what the directory's pages share."""
    every = providers_of(line_of(request).desks.values())
    # Addresses say whose the entry is only where there is a choice.
    mine = provider if provider != every[0] else ""
    return {"provider": mine, "providers": every, "kinds": KINDS, "title_of": title_of, "at": _address_with(mine)}


def _address_with(provider: str) -> Any:
    def at(kind: Kind, page: str = "entry", **query: str) -> str:
        return address(provider, kind, page, **query)

    return at


def title_of(one: Found) -> str:
    """Return what people call an entry."""
    name = getattr(one.entry, "name", None) or getattr(one.entry, "display", None)
    if name and one.kind not in ("partners", "contacts", "staff"):
        return f"{one.key} · {name}"
    return name or one.key


@router.get("")
@may("administrator")
async def directory(request: Request, q: Words = "", provider: Provider = "") -> Response:
    """A search over everything."""
    has = line_of(request)
    mine, asked = provider_of(has, provider), q.strip()
    found: dict[Kind, Sequence[Found]] = {}
    async with has.store.reading() as unit:
        if asked:
            for kind in KINDS:
                part = await queries.find(unit, mine, kind, q=asked, limit=_FOUND)
                found[kind] = part.entries
    return pages.page(request, "directory.html.j2", q=asked, found=found, most=_FOUND, **common(request, mine))


@router.get("/{kind}/list")
@may("administrator")
async def directory_list(
    kind: OneKind,
    request: Request,
    q: Words = "",
    provider: Provider = "",
    value: Annotated[str | None, Query(max_length=300)] = None,
    key: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """Those of a kind, by key; `value` and `key` are where the part before ended."""
    has = line_of(request)
    mine, asked = provider_of(has, provider), q.strip()
    after = (value, key) if value is not None and key is not None else None
    async with has.store.reading() as unit:
        part = await queries.find(unit, mine, kind, q=asked or None, after=after, limit=_LISTED)
    more = None
    if part.more is not None:
        more = {"q": asked, "value": part.more[0], "key": part.more[1]}
    names = [one.key for one in part.entries] if kind == "phones" else []
    return pages.page(
        request,
        "directory_list.html.j2",
        kind=kind,
        q=asked,
        entries=part.entries,
        more=more,
        registered=await has.registered(names) if names else {},
        **common(request, mine),
    )


@router.get("/{kind}/new")
@may("administrator")
async def new_entry(kind: OneKind, request: Request, provider: Provider = "") -> Response:
    """The form for one more; what the address says of its fields is in it already."""
    has = line_of(request)
    mine = provider_of(has, provider)
    inputs = forms.inputs_of(kind, known(has, mine))
    begun = {one.name: request.query_params[one.name][:80] for one in inputs if one.name in request.query_params}
    return await _form_page(request, mine, kind, inputs, values=forms.defaults_of(kind) | begun, found=None)


async def offered(
    has: Services, provider: str, inputs: Sequence[forms.Input], values: Mapping[str, Any]
) -> dict[str, list[tuple[str, str]]]:
    """Keys and names that may be typed into fields that name another entry, as far as there are few."""
    found: dict[str, list[tuple[str, str]]] = {}
    async with has.store.reading() as unit:
        for one in inputs:
            if one.offers is None or (one.offers == "contacts" and not values.get("account")):
                continue
            narrowed = {"contacts": {"account": str(values.get("account"))}, "phones": {"kind": "technician"}}
            filters = narrowed.get(one.offers, {})
            part = await queries.find(unit, provider, one.offers, filters=filters, limit=_OFFERED)
            found[one.name] = [(entry.key, title_of(entry)) for entry in part.entries]
    return found


async def _form_page(
    request: Request,
    provider: str,
    kind: Kind,
    inputs: Sequence[forms.Input],
    *,
    values: Mapping[str, Any],
    found: Found | None,
    **shown: Any,
) -> Response:
    return pages.page(
        request,
        "directory_entry.html.j2",
        kind=kind,
        inputs=inputs,
        values=values,
        people=forms.rows_of_people(values),
        offered=await offered(line_of(request), provider, inputs, values),
        found=found,
        key_label=forms.labels_of(kind, inputs)["key"],
        key_made=kind in _NAMED,
        **{"registered": {}} | common(request, provider) | shown,
    )


@router.get("/{kind}/entry")
@may("administrator")
async def entry(kind: OneKind, request: Request, key: Key, provider: Provider = "") -> Response:
    """One entry and the form that changes it; a customer is seen whole."""
    has = line_of(request)
    mine = provider_of(has, provider)
    async with has.store.reading() as unit:
        found = await _get(unit, mine, kind, key)
        whole = await whole_of(unit, has, mine, found) if kind == "accounts" else {}
    inputs = forms.inputs_of(kind, known(has, mine))
    if kind == "phones":
        names = [found.key]
    else:
        names = [one.key for one in whole.get("phones", ())]
    registered = await has.registered(names) if names else {}
    return await _form_page(
        request,
        mine,
        kind,
        inputs,
        values=forms.shown(found.entry),
        found=found,
        registered=registered,
        whole=whole,
        on_duty=kind == "staff" and has.duty.is_on(mine, key),
    )


async def _get(unit: Unit, provider: str, kind: Kind, key: str) -> Found:
    found = await queries.get(unit, provider, kind, key)
    if found is None:
        raise errors.EntryNotFound(entry=key)
    return found


async def whole_of(unit: Unit, has: Services, provider: str, account: Found) -> dict[str, Any]:
    """Return what there is of a customer: contacts, numbers, phones, tickets, calls, and their partner."""
    of_it = {"account": account.key}
    whole: dict[str, Any] = {}
    for kind in OF_A_CUSTOMER:
        part = await queries.find(unit, provider, kind, filters=of_it, limit=_WHOLE)
        whole[kind] = part.entries
    theirs = {"customer_id": await store.customer_id(unit, provider, account.key)}
    whole["tickets"] = await tickets.page(unit, filters=theirs, only_open=False, before=None, limit=_LATEST)
    whole["calls"] = await call_store.page(unit, filters=theirs, before=None, limit=_LATEST)
    partner = cast(AccountEntry, account.entry).partner
    if partner is not None:
        whole["partner"] = await queries.get(unit, provider, "partners", partner)
    else:
        whole["partner"] = None
    return whole


@router.post("/{kind}/save")
@may("administrator")
async def save_entry(kind: OneKind, request: Request) -> Response:
    """Enter one more or change one, unless somebody else did in the meantime."""
    has = line_of(request)
    form = await request.form()
    mine = provider_of(has, str(form.get("provider", "")))
    there = known(has, mine)
    inputs = forms.inputs_of(kind, there)
    labelled(request, kind, inputs)
    values, etag, key = forms.given(form, inputs), str(form.get("etag", "")), str(form.get("key", "")).strip()
    if etag:
        async with has.store.reading() as unit:
            before = forms.shown((await _get(unit, mine, kind, key)).entry)
        # What the form has no field for stays as it is.
        values = {name: value for name, value in before.items() if name not in {one.name for one in inputs}} | values
    read = read_entry(kind, values, there.region)
    try:
        async with has.store.unit() as unit:
            if not etag:
                key = await new_key(unit, mine, kind, key, read, there)
            editor = has.editor(mine, by=who(request), source="console")
            made = await editor.put(unit, kind, key, read, expected_etag=etag or None)
    except Changed:
        return await conflict(request, mine, kind, key, typed=forms.shown(read), inputs=inputs)
    if made.secret is not None:
        return secret_page(request, mine, key, made.secret, made.entry)
    return done(request, entry_address(request, mine, kind, key, read))


def entry_address(request: Request, provider: str, kind: Kind, key: str, entry: AnyEntry) -> str:
    """Return where one is after a change: at the customer whose it is, else at the entry."""
    at = common(request, provider)["at"]
    account = getattr(entry, "account", None) if kind in OF_A_CUSTOMER else None
    return str(at("accounts", key=account) if account else at(kind, key=key))


def labelled(request: Request, kind: Kind, inputs: Sequence[forms.Input]) -> None:
    """Have what is wrong with a form told by the words that stand beside its fields."""
    word = words.WORDS[request.state.language]
    request.state.labels = {name: word[label] for name, label in forms.labels_of(kind, inputs).items()}


async def new_key(unit: Unit, provider: str, kind: Kind, key: str, entry: AnyEntry, there: Known) -> str:
    """The key of an entry that is not there yet; one is made of its name where that is the way. Raises BadInput."""
    await unit.alone("directory")
    if key or kind not in _NAMED:
        checked = check_key(kind, key, there.region)
        if await queries.get(unit, provider, kind, checked) is not None:
            raise BadInput(field="key", problem="is there already", mend="open it and change it, or choose another")
        return checked
    name = str(getattr(entry, "name", ""))
    begun = slug(f"{entry.account} {name}" if isinstance(entry, ContactEntry) else name)
    for number in range(1, _TRIES):
        made = begun if number == 1 else f"{begun[:36]}-{number}"
        if await queries.get(unit, provider, kind, made) is None:
            return made
    raise BadInput(field="key", problem="is missing", mend="give one; those made of the name are taken")


async def conflict(
    request: Request, provider: str, kind: Kind, key: str, *, typed: Mapping[str, Any], inputs: Sequence[forms.Input]
) -> Response:
    """Somebody changed it in the meantime: what is there now beside what was typed, which stays in the form."""
    has = line_of(request)
    async with has.store.reading() as unit:
        now = await _get(unit, provider, kind, key)
    part = bool(request.headers.get("hx-request"))
    response = pages.page(
        request,
        "conflict_part.html.j2" if part else "conflict.html.j2",
        status=409,
        differing=forms.differences(forms.shown(now.entry), typed, inputs),
        etag=now.etag,
    )
    if part:
        response.headers.update({"HX-Retarget": "#problem", "HX-Reswap": "innerHTML", "HX-Reselect": ".refusal"})
    return response


def secret_page(request: Request, provider: str, name: str, secret: str, entry: AnyEntry) -> Response:
    """A phone's secret, this once: to read, as a picture, and as a file."""
    account = getattr(entry, "account", None)
    handed = phone_credentials.of(request, name, secret)
    return pages.page(
        request, "phone_secret.html.j2", name=name, account=account, handed=handed, **common(request, provider)
    )


@router.post("/phones/secret")
@may("administrator")
async def renew_secret(request: Request) -> Response:
    """Another secret for a phone; the one it had is worthless from now on."""
    has = line_of(request)
    form = await request.form()
    mine, name = provider_of(has, str(form.get("provider", ""))), str(form.get("key", ""))
    async with has.store.unit() as unit:
        found = await _get(unit, mine, "phones", name)
        secret = await has.editor(mine, by=who(request), source="console").renew_secret(unit, name)
    return secret_page(request, mine, name, secret, found.entry)


@router.post("/phones/configuration")
@may("administrator")
async def offer_configuration(request: Request) -> Response:
    """An address where the phone's device takes its configuration, once and within a day; shown once."""
    has = line_of(request)
    form = await request.form()
    mine, name = provider_of(has, str(form.get("provider", ""))), str(form.get("key", ""))
    async with has.store.unit() as unit:
        await _get(unit, mine, "phones", name)
        token = await provisioning.make(unit, name, by=who(request), at=has.clock())
    found = addresses(folder_of(has, request, token))
    picture = phone_credentials.drawn(found["linphone"])
    return pages.page(
        request, "phone_address.html.j2", name=name, addresses=found, picture=picture, **common(request, mine)
    )


@router.get("/{kind}/remove")
@may("administrator")
async def ask_to_remove(kind: OneKind, request: Request, key: Key, provider: Provider = "") -> Response:
    """Return what still uses an entry, or the question whether it is to go."""
    has = line_of(request)
    mine = provider_of(has, provider)
    async with has.store.reading() as unit:
        found = await _get(unit, mine, kind, key)
        uses = await service.uses(unit, mine, kind, key, known=known(has, mine))
    return pages.page(request, "directory_remove.html.j2", kind=kind, found=found, uses=uses, **common(request, mine))


@router.post("/{kind}/remove")
@may("administrator")
async def remove_entry(kind: OneKind, request: Request) -> Response:
    """Remove it, unless something still uses it or somebody changed it in the meantime."""
    has = line_of(request)
    form = await request.form()
    mine, key = provider_of(has, str(form.get("provider", ""))), str(form.get("key", ""))
    async with has.store.unit() as unit:
        found = await _get(unit, mine, kind, key)
        editor = has.editor(mine, by=who(request), source="console")
        await editor.delete(unit, kind, key, expected_etag=str(form.get("etag", "")) or None)
    account = getattr(found.entry, "account", None) if kind in OF_A_CUSTOMER else None
    at = common(request, mine)["at"]
    return done(request, at("accounts", key=account) if account else at(kind, "list"))
