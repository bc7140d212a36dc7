"""Partners look after contacts and phones of their own customers (OV-20, OV-36); another's are not there (404).

They change administrators and rights as the rules let them. What a phone may cost is not theirs: neither rights to dial
nor limits of calls; and a number that it shows must be one of the customer's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from api.console import directory_forms as forms
from api.console import pages, phone_credentials
from api.console.directory import conflict, known, labelled, new_key
from api.console.guard import ConsoleRoute, done, may, session_of, who
from api.console.pages import line_of
from api.console.partner_scope import NotTheirs
from ivr.directory import queries, store
from ivr.directory.desk_references import Known
from ivr.directory.entries import AccountEntry, ContactEntry, Kind, PhoneEntry, read_entry
from ivr.directory.errors import Changed
from ivr.directory.queries import Found
from ivr.errors import BadInput
from ivr.store.engine import Unit

router = APIRouter(prefix="/console/portal/directory", route_class=ConsoleRoute, include_in_schema=False)

TheirKind = Annotated[Literal["contacts", "phones"], Path(alias="kind")]
Key = Annotated[str, Query(min_length=1, max_length=80)]
#: Of a phone, what is theirs to choose.
_OF_A_PHONE = ("account", "contact", "display", "caller_id", "language")
_MOST = 500


@dataclass(frozen=True, kw_only=True)
class Partner:
    """Whose portal it is."""

    provider: str
    key: str


async def _partner(unit: Unit, request: Request) -> Partner:
    """The partner of whoever is signed in. Raises NotTheirs."""
    found = await store.partner_key(unit, session_of(request).account.partner_id)
    if found is None:
        raise NotTheirs
    provider, key = found
    return Partner(provider=provider, key=key)


async def _account(unit: Unit, partner: Partner, key: str) -> Found:
    """One of their customers. Raises NotTheirs."""
    found = await queries.get(unit, partner.provider, "accounts", key)
    if found is None or cast(AccountEntry, found.entry).partner != partner.key:
        raise NotTheirs
    return found


async def _entry(unit: Unit, partner: Partner, kind: Kind, key: str) -> Found:
    """A contact or phone of one of their customers. Raises NotTheirs."""
    found = await queries.get(unit, partner.provider, kind, key)
    account = None
    if found is not None:
        account = cast(ContactEntry | PhoneEntry, found.entry).account
    if found is None or account is None:
        raise NotTheirs
    await _account(unit, partner, account)
    return found


def _inputs(kind: Kind, there: Known) -> tuple[forms.Input, ...]:
    every = forms.inputs_of(kind, there)
    if kind == "phones":
        return tuple(one for one in every if one.name in _OF_A_PHONE)
    return every


@router.get("/customer")
@may("partner")
async def their_customer(request: Request, key: Key) -> Response:
    """A customer of theirs: contacts, numbers and phones."""
    has = line_of(request)
    whole: dict[str, Sequence[Found]] = {}
    async with has.store.reading() as unit:
        partner = await _partner(unit, request)
        found = await _account(unit, partner, key)
        for kind in ("contacts", "numbers", "phones"):
            part = await queries.find(unit, partner.provider, kind, filters={"account": key}, limit=_MOST)
            whole[kind] = part.entries
    if whole["phones"]:
        registered = await has.registered([one.key for one in whole["phones"]])
    else:
        registered = {}
    return pages.page(request, "portal_customer.html.j2", found=found, whole=whole, registered=registered)


@router.get("/{kind}/new")
@may("partner")
async def new_of_theirs(kind: TheirKind, request: Request, account: Key) -> Response:
    """The form for one more of a customer's."""
    has = line_of(request)
    async with has.store.reading() as unit:
        partner = await _partner(unit, request)
        await _account(unit, partner, account)
    values = forms.defaults_of(kind) | {"account": account}
    return _form(request, kind, partner, values=values, found=None, account=account)


@router.get("/{kind}/entry")
@may("partner")
async def entry_of_theirs(kind: TheirKind, request: Request, key: Key) -> Response:
    """One contact or phone, and the form that changes it."""
    has = line_of(request)
    async with has.store.reading() as unit:
        partner = await _partner(unit, request)
        found = await _entry(unit, partner, kind, key)
    values = forms.shown(found.entry)
    return _form(request, kind, partner, values=values, found=found, account=values["account"])


def _form(
    request: Request, kind: Kind, partner: Partner, *, values: Mapping[str, Any], found: Found | None, account: str
) -> Response:
    there = known(line_of(request), partner.provider)
    inputs = [one for one in _inputs(kind, there) if one.name != "account"]
    return pages.page(
        request,
        "portal_entry.html.j2",
        kind=kind,
        inputs=inputs,
        values=values,
        people=[],
        offered={},
        found=found,
        account=account,
    )


@router.post("/{kind}/save")
@may("partner")
async def save_of_theirs(kind: TheirKind, request: Request) -> Response:
    """Enter one more or change one, unless somebody else did in the meantime."""
    has = line_of(request)
    form = await request.form()
    etag, key = str(form.get("etag", "")), str(form.get("key", "")).strip()
    async with has.store.reading() as unit:
        partner = await _partner(unit, request)
    there = known(has, partner.provider)
    inputs = _inputs(kind, there)
    labelled(request, kind, inputs)
    values = forms.given(form, inputs)
    editor = has.editor(partner.provider, by=who(request), source="console")
    try:
        async with has.store.unit() as unit:
            await unit.alone("directory")
            await _account(unit, partner, str(values.get("account", "")))
            if etag:
                before = await _entry(unit, partner, kind, key)
                mine = {one.name for one in inputs}
                kept = {name: value for name, value in forms.shown(before.entry).items() if name not in mine}
                values = kept | values
            elif kind == "phones":
                values |= {"kind": "customer"}
            entry = read_entry(kind, values, there.region)
            if isinstance(entry, PhoneEntry):
                await _check_caller_id(unit, partner, entry)
            if not etag:
                key = await new_key(unit, partner.provider, kind, key, entry, there)
            made = await editor.put(unit, kind, key, entry, expected_etag=etag or None)
    except Changed:
        return await conflict(request, partner.provider, kind, key, typed=forms.shown(entry), inputs=inputs)
    if made.secret is not None:
        return _secret(request, key, made.secret, values["account"])
    return done(request, _customer(values["account"]))


async def _check_caller_id(unit: Unit, partner: Partner, phone: PhoneEntry) -> None:
    """A phone shows a number of its own customer's, or none. Raises BadInput."""
    if phone.caller_id is None:
        return
    number = await queries.get(unit, partner.provider, "numbers", phone.caller_id)
    if number is None or getattr(number.entry, "account", None) != phone.account:
        mend = "give one of the customer's numbers, or none"
        raise BadInput(field="caller_id", problem="is not a number of this customer's", mend=mend)


def _customer(account: str) -> str:
    return f"/console/portal/directory/customer?{forms.query(key=account)}"


def _secret(request: Request, name: str, secret: str, account: str) -> Response:
    handed = phone_credentials.of(request, name, secret)
    return pages.page(request, "portal_secret.html.j2", name=name, account=account, handed=handed)


@router.post("/phones/secret")
@may("partner")
async def secret_of_theirs(request: Request) -> Response:
    """Another secret for a phone of theirs; the one it had is worthless from now on."""
    has = line_of(request)
    name = str((await request.form()).get("key", ""))
    async with has.store.unit() as unit:
        await unit.alone("directory")
        partner = await _partner(unit, request)
        found = await _entry(unit, partner, "phones", name)
        editor = has.editor(partner.provider, by=who(request), source="console")
        secret = await editor.renew_secret(unit, name)
    return _secret(request, name, secret, cast(PhoneEntry, found.entry).account or "")


@router.post("/{kind}/remove")
@may("partner")
async def remove_of_theirs(kind: TheirKind, request: Request) -> Response:
    """Remove it, unless something still uses it or somebody changed it in the meantime."""
    has = line_of(request)
    form = await request.form()
    key, etag = str(form.get("key", "")), str(form.get("etag", "")) or None
    async with has.store.unit() as unit:
        await unit.alone("directory")
        partner = await _partner(unit, request)
        found = await _entry(unit, partner, kind, key)
        editor = has.editor(partner.provider, by=who(request), source="console")
        await editor.delete(unit, kind, key, expected_etag=etag)
    return done(request, _customer(forms.shown(found.entry)["account"]))
