"""Service requests: what they hold, their deadlines, and their fees with the reason for each (OV-30 to OV-34).

Pure; money is in Canadian dollars before tax, exact to the cent (half a cent goes up).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ivr.desk.hours import Calendar
from ivr.errors import BadInput
from ivr.tickets.sla import working_moment, working_moment_before, working_time

CURRENCY = "CAD"
#: OV-30: dollars an hour, and the shortest time that is billed.
PLANNED_RATE, PLANNED_LEAST = Decimal(90), timedelta(minutes=30)
UNPLANNED_RATE, UNPLANNED_LEAST = Decimal(150), timedelta(hours=1)
PLANNED_NOTICE = timedelta(hours=48)
#: OV-32
RETURN_DAYS = 10
RETURN_FEE = Decimal("0.20")
RESHIPPING = Decimal("25.00")
#: OV-33
RMA_DAYS = 15
_FARTHEST = timedelta(days=366)
_CENT = Decimal("0.01")
_HOUR = timedelta(hours=1)

_Text = Annotated[str, StringConstraints(min_length=1, max_length=5000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
_Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Number = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ().-]{3,25}$")]
#: For which holidays and daylight saving are known.
_Moment = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2099, 1, 1, tzinfo=UTC))]
_Day = Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2099, 1, 1))]
_Price = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=2, allow_inf_nan=False)]


class Details(BaseModel):
    """The fields of one kind of request beyond OV-12; None for what is not known yet."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Intervention(Details):
    """An installation or a move outside of hours (OV-30)."""

    start: _Moment | None = None
    end: _Moment | None = None
    work: Literal["installation", "move"] | None = None
    description: _Text | None = None
    help: _Text | None = None


class ChangeRequest(Details):
    """A change or a development (OV-31)."""

    use_cases: _Text | None = None


class Transfer(Details):
    """Numbers go to another account or provider (OV-31)."""

    transfer_to: _Line | None = None
    numbers: Annotated[list[_Number], Field(min_length=1, max_length=500)] | None = None


class Addition(Details):
    """A service is added (OV-31)."""


class Removal(Details):
    """A service is removed (OV-31)."""

    remove_on: _Day | None = None


class Return(Details):
    """Something does not suit (OV-32)."""

    item: _Line | None = None
    price: _Price | None = None
    received_on: _Day | None = None
    #: When it was, or will be, on its way back.
    returned_on: _Day | None = None
    our_error: bool = False
    #: Used, damaged or incomplete.
    unfit: bool = False
    delivery_refused: bool = False


class Rma(Details):
    """An exchange under warranty (OV-33)."""

    item: _Line | None = None
    diagnosed: bool | None = None
    invoice: _Line | None = None
    accepted_on: _Day | None = None


class TemporaryNumber(Details):
    """A number that is lent for a port (OV-34)."""

    number: _Number | None = None
    lent_on: _Day | None = None
    ported_on: _Day | None = None


DETAILS: Mapping[str, type[Details]] = {
    "planned-intervention": Intervention,
    "unplanned-intervention": Intervention,
    "change-request": ChangeRequest,
    "transfer": Transfer,
    "add-service": Addition,
    "remove-service": Removal,
    "return": Return,
    "rma": Rma,
    "temporary-number": TemporaryNumber,
}


@dataclass(frozen=True, kw_only=True)
class Said:
    """The same in both languages."""

    fr: str
    en: str


@dataclass(frozen=True, kw_only=True)
class Fee:
    """One line of a quote. A credit is negative."""

    reason: Said
    amount: Decimal


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """A day (the whole of it) or a moment by which something must have happened."""

    what: Said
    at: datetime | date


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The quote of a request: fees, deadlines, conditions, and the reason for a refusal if there is one."""

    kind: str
    fees: tuple[Fee, ...] = ()
    deadlines: tuple[Deadline, ...] = ()
    conditions: tuple[Said, ...] = ()
    refused: Said | None = None

    @property
    def total(self) -> Decimal:
        """Of the fees, less the credits."""
        return sum((fee.amount for fee in self.fees), Decimal("0.00"))


def details_of(kind: str, given: Mapping[str, Any]) -> Details | None:
    """A kind's details, checked; None for a kind that has none. Raises BadInput for what does not fit."""
    model = DETAILS.get(kind)
    if model is None:
        if given:
            raise BadInput(field="details", problem=f"kind {kind} has no details", mend="leave details out")
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        first: Any = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(("details", *(str(part) for part in first["loc"])))
        known = f"kind {kind} has {', '.join(model.model_fields) or 'none'}"
        if first["type"] == "extra_forbidden":
            mend = known
        else:
            mend = "correct it; the form is described in /docs"
        raise BadInput(field=_printable(field), problem=str(first["msg"]), mend=mend) from error


def quote(kind: str, details: Details, *, now: datetime, calendar: Calendar) -> Quote:
    """Return what a request costs. Raises BadInput for what must be known first, or cannot be."""
    return _QUOTES[kind](kind, details, now, calendar)


def quoted(
    kind: str, details: Mapping[str, Any] | None, *, asked_at: datetime, calendar: Calendar, offered: Collection[str]
) -> Quote | None:
    """Return what a ticket of this kind, asked for at `asked_at`, costs.

    None while not enough is known, and for others.
    """
    if kind not in offered or kind not in DETAILS:
        return None
    conditions: tuple[Said, ...] = ()
    try:
        known = DETAILS[kind].model_validate(details or {})
        if isinstance(known, Intervention) and known.start is not None and known.end is None:
            # The guide asks when it begins, and not when it ends.
            least = PLANNED_LEAST if kind == "planned-intervention" else UNPLANNED_LEAST
            known, conditions = known.model_copy(update={"end": known.start + least}), (_AS_IT_LASTS,)
        found = quote(kind, known, now=asked_at, calendar=calendar)
    except (BadInput, ValidationError):
        return None
    return replace(found, conditions=(*conditions, *found.conditions))


_AS_IT_LASTS = Said(
    fr="Facturé selon la durée réelle ; le minimum est indiqué ici.",
    en="Billed as long as it takes; the minimum is given here.",
)


def _planned(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    start, end = _times(asked, now)
    latest = working_moment_before(calendar, start, PLANNED_NOTICE)
    refused = None
    earliest = working_moment(calendar, now, PLANNED_NOTICE)
    if working_time(calendar, now, start) < PLANNED_NOTICE:
        if earliest is None:
            when = "–"
        else:
            when = f"{earliest.astimezone(calendar.zone):%Y-%m-%d %H:%M}"
        refused = Said(
            fr=f"La demande doit être faite au moins 48 heures ouvrables d’avance, donc pour {when} ou plus tard ; "
            "sinon, appelez le soutien technique, option 2 (non planifiée, 150 $/h).",
            en=f"It must be asked for at least 48 working hours ahead, so for {when} or later; "
            "otherwise call technical support, option 2 (unplanned, $150/h).",
        )
    fees = _hourly(start, end, calendar, PLANNED_RATE, PLANNED_LEAST)
    deadlines = () if latest is None else (_deadline("Demande au plus tard", "Ask at the latest", latest, calendar),)
    by_mail = Said(
        fr="Demande par courriel à service@omnivigil.com, à accepter par nous.",
        en="Asked by e-mail at service@omnivigil.com, to be accepted by us.",
    )
    return Quote(kind=kind, fees=fees, deadlines=deadlines, conditions=(by_mail,), refused=refused)


def _unplanned(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    start, end = _times(asked, now)
    by_phone = Said(
        fr="Demande par téléphone, option 2 ; elle peut être refusée ou retardée.",
        en="Asked by telephone, option 2; it may be refused or delayed.",
    )
    return Quote(kind=kind, fees=_hourly(start, end, calendar, UNPLANNED_RATE, UNPLANNED_LEAST), conditions=(by_phone,))


def _times(asked: Any, now: datetime) -> tuple[datetime, datetime]:
    start, end = _known(asked, "start"), _known(asked, "end")
    if end <= start:
        raise BadInput(field="details.end", problem="the end is not after the start", mend="give a later end")
    if abs(start - now) > _FARTHEST:
        raise BadInput(field="details.start", problem="more than a year away", mend="give a moment within a year")
    if end - start > timedelta(days=7):
        raise BadInput(field="details.end", problem="longer than a week", mend="ask for each part by itself")
    return start, end


def _hourly(start: datetime, end: datetime, calendar: Calendar, rate: Decimal, least: timedelta) -> tuple[Fee, ...]:
    """The time outside of hours, by the second, and no less than the minimum; within hours nothing is owed."""
    outside = (end - start) - working_time(calendar, start, end)
    if outside <= timedelta(0):
        return ()
    billed = max(outside, least)
    amount = _cents(rate * Decimal(billed // timedelta(seconds=1)) / Decimal(_HOUR // timedelta(seconds=1)))
    minutes = _cents(Decimal(billed // timedelta(seconds=1)) / 60).normalize()
    if outside < least:
        least_fr = f" (minimum {least // timedelta(minutes=1)} min)"
    else:
        least_fr = ""
    if outside < least:
        least_en = f" ({least // timedelta(minutes=1)} min minimum)"
    else:
        least_en = ""
    reason = Said(
        fr=f"{minutes:f} min hors des heures ouvrables à {rate} $/h{least_fr}",
        en=f"{minutes:f} min outside of working hours at ${rate}/h{least_en}",
    )
    return (Fee(reason=reason, amount=amount),)


def _return(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    price = _known(asked, "price")
    if asked.our_error:
        refund = Said(
            fr="Remboursement intégral ou nouvel envoi : erreur d’OMNIVIGIL, sans frais",
            en="Full refund or a new shipment: OMNIVIGIL’s error, no fee",
        )
        return Quote(kind=kind, fees=(Fee(reason=refund, amount=_cents(-price)),))
    deadlines: tuple[Deadline, ...] = ()
    late = False
    if not asked.delivery_refused:
        received, returned = _known(asked, "received_on"), _known(asked, "returned_on")
        if returned < received:
            problem = "it was returned before it was received"
            raise BadInput(field="details.returned_on", problem=problem, mend="give a later date")
        last = received + timedelta(days=RETURN_DAYS)
        late = returned > last
        deadlines = (Deadline(what=Said(fr="Retour au plus tard", en="Returned at the latest"), at=last),)
    if asked.unfit or late:
        if late:
            why_fr = f"retour après {RETURN_DAYS} jours"
        else:
            why_fr = "impropre à la revente"
        why_en = f"returned after {RETURN_DAYS} days" if late else "unfit for resale"
        sent_back = Said(fr=f"Non remboursable, réexpédié : {why_fr}", en=f"Not refundable, sent back to you: {why_en}")
        return Quote(kind=kind, fees=(Fee(reason=sent_back, amount=RESHIPPING),), deadlines=deadlines)
    refund = Said(fr="Remboursement de l’achat", en="Refund of the purchase")
    fee = Said(
        fr="Frais de retour de 20 %" + (" (livraison refusée)" if asked.delivery_refused else ""),
        en="Return fee of 20%" + (" (delivery refused)" if asked.delivery_refused else ""),
    )
    shipping = Said(fr="Les frais de livraison sont à la charge de l’expéditeur.", en="The sender pays the shipping.")
    fees = (Fee(reason=refund, amount=_cents(-price)), Fee(reason=fee, amount=_cents(price * RETURN_FEE)))
    return Quote(kind=kind, fees=fees, deadlines=deadlines, conditions=() if asked.delivery_refused else (shipping,))


def _rma(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    deadlines: tuple[Deadline, ...] = ()
    if asked.accepted_on is not None:
        last = asked.accepted_on + timedelta(days=RMA_DAYS)
        deadlines = (Deadline(what=Said(fr="Reçu chez nous au plus tard", en="With us at the latest"), at=last),)
    steps = (
        Said(fr="Diagnostic à distance.", en="Remote diagnosis."),
        Said(fr="Copie de la facture d’achat.", en="Copy of the invoice."),
        Said(fr="Autorisation du service à la clientèle.", en="Authorisation by customer service."),
        Said(fr="Inspection de l’appareil.", en="Inspection of the device."),
        Said(fr="Numéro de retour.", en="Return number."),
        Said(
            fr="La boîte contient l’appareil, l’adaptateur de courant, le fil réseau, l’imprimé complet de la demande "
            "et la preuve d’achat.",
            en="The box holds the device, the power adapter, the network cable, the complete printed request and the "
            "proof of purchase.",
        ),
    )
    return Quote(kind=kind, deadlines=deadlines, conditions=steps)


def _removal(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    day = _known(asked, "remove_on")
    month_end = (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    billed = Said(fr="Service facturé jusqu’à la fin du mois", en="The service is billed to the end of the month")
    ask = Said(
        fr="Demande au partenaire du compte, puis à service@omnivigil.com.",
        en="Asked of the account’s partner, then of service@omnivigil.com.",
    )
    return Quote(kind=kind, deadlines=(Deadline(what=billed, at=month_end),), conditions=(ask,))


def _temporary(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    removed = Said(
        fr="À retirer du compte une fois la portabilité complétée, sinon facturé chaque mois ; "
        "avisez service@omnivigil.com.",
        en="To be removed from the account once the port is done, else billed monthly; tell service@omnivigil.com.",
    )
    what = Said(fr="À retirer depuis la portabilité du", en="To be removed since the port of")
    deadlines = (Deadline(what=what, at=asked.ported_on),) if asked.ported_on is not None else ()
    return Quote(kind=kind, deadlines=deadlines, conditions=(removed,))


def _by_service(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    ask = Said(fr="Demande à service@omnivigil.com.", en="Asked of service@omnivigil.com.")
    return Quote(kind=kind, conditions=(ask,))


def _by_partner(kind: str, asked: Any, now: datetime, calendar: Calendar) -> Quote:
    ask = Said(fr="Demande au partenaire du compte.", en="Asked of the account’s partner.")
    return Quote(kind=kind, conditions=(ask,))


_QUOTES: Mapping[str, Callable[[str, Any, datetime, Calendar], Quote]] = {
    "planned-intervention": _planned,
    "unplanned-intervention": _unplanned,
    "change-request": _by_service,
    "transfer": _by_service,
    "add-service": _by_partner,
    "remove-service": _removal,
    "return": _return,
    "rma": _rma,
    "temporary-number": _temporary,
}


def _known(asked: Details, name: str) -> Any:
    value = getattr(asked, name)
    if value is None:
        raise BadInput(field=f"details.{name}", problem="it is not known", mend=f"give details.{name}")
    return value


def _deadline(fr: str, en: str, at: datetime, calendar: Calendar) -> Deadline:
    return Deadline(what=Said(fr=fr, en=en), at=at.astimezone(calendar.zone))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "�" for sign in text)[:100]
