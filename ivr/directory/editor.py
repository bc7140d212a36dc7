"""Somebody who changes one provider's directory: what they do is on record with who, when and from where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivr.directory import service
from ivr.directory.desk_references import Known
from ivr.directory.entries import AnyEntry, Kind
from ivr.events import EventBus
from ivr.store.engine import Unit


@dataclass(frozen=True, kw_only=True)
class Editor:
    """One editor at one moment. `known` is what the provider's desk files allow."""

    provider: str
    by: str
    at: datetime
    source: str
    bus: EventBus
    known: Known

    async def put(
        self,
        unit: Unit,
        kind: Kind,
        key: str,
        entry: AnyEntry,
        *,
        expected_etag: str | None = None,
        must_be_new: bool = False,
    ) -> service.Put:
        """Create or replace an entry. Raises as `ivr.directory.service.put`."""
        return await service.put(
            unit,
            self.provider,
            kind,
            key,
            entry,
            by=self.by,
            at=self.at,
            source=self.source,
            bus=self.bus,
            known=self.known,
            expected_etag=expected_etag,
            must_be_new=must_be_new,
        )

    async def patch(
        self, unit: Unit, kind: Kind, key: str, changes: Mapping[str, Any], *, expected_etag: str | None = None
    ) -> service.Put:
        """Change some fields of an entry (RFC 7396). Raises as `ivr.directory.service.patch`."""
        return await service.patch(
            unit,
            self.provider,
            kind,
            key,
            changes,
            by=self.by,
            at=self.at,
            source=self.source,
            bus=self.bus,
            known=self.known,
            expected_etag=expected_etag,
        )

    async def delete(self, unit: Unit, kind: Kind, key: str, *, expected_etag: str | None = None) -> None:
        """Remove an entry. Raises as `ivr.directory.service.delete`."""
        await service.delete(
            unit,
            self.provider,
            kind,
            key,
            by=self.by,
            at=self.at,
            source=self.source,
            bus=self.bus,
            known=self.known,
            expected_etag=expected_etag,
        )

    async def renew_secret(self, unit: Unit, name: str, *, expected_etag: str | None = None) -> str:
        """Give a phone a new secret and return it, this once. Raises as `ivr.directory.service.renew_secret`."""
        return await service.renew_secret(
            unit,
            self.provider,
            name,
            by=self.by,
            at=self.at,
            source=self.source,
            bus=self.bus,
            expected_etag=expected_etag,
        )
