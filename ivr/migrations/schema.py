"""Every feature's tables, for the migrations."""

from __future__ import annotations

import ivr.access_log.tables
import ivr.accounts.tables
import ivr.announcements.tables
import ivr.callbacks.tables
import ivr.calls.tables
import ivr.calltrace.tables
import ivr.directory.tables
import ivr.incidents.tables
import ivr.mail.tables
import ivr.maintenance.tables
import ivr.notify.tables
import ivr.oncall.tables
import ivr.probing.tables
import ivr.provisioning.tables
import ivr.queueing.tables
import ivr.reports.tables
import ivr.sms_inbox.tables
import ivr.subscriptions.tables
import ivr.tickets.tables  # noqa: F401 - importing them enters them into the metadata
from ivr.store.metadata import metadata

__all__ = ["metadata"]
