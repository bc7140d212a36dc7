"""Every feature's personal data, in the order in which one person's rows lead to others of theirs."""

from __future__ import annotations

from typing import Final

from ivr.access_log import retention as access_log
from ivr.accounts import retention as accounts
from ivr.announcements import retention as announcements
from ivr.callbacks import retention as callbacks
from ivr.calls import retention as calls
from ivr.calltrace import retention as calltrace
from ivr.directory import retention as directory
from ivr.incidents import retention as incidents
from ivr.mail import retention as mail
from ivr.maintenance import retention as maintenance
from ivr.notify import retention as notify
from ivr.oncall import retention as oncall
from ivr.probing import retention as probing
from ivr.provisioning import retention as provisioning
from ivr.queueing import retention as queueing
from ivr.reports import retention as reports
from ivr.retention.declarations import Declared
from ivr.sms_inbox import retention as sms_inbox
from ivr.subscriptions import retention as subscriptions
from ivr.tickets import retention as tickets

DECLARED: Final = Declared(
    features=(
        # Calls first, then tickets, whose messages and e-mails lead to them, then what belongs to either.
        calls.PERSONAL,
        callbacks.PERSONAL,
        tickets.PERSONAL,
        mail.PERSONAL,
        oncall.PERSONAL,
        calltrace.PERSONAL,
        directory.PERSONAL,
        incidents.PERSONAL,
        notify.PERSONAL,
        sms_inbox.PERSONAL,
        access_log.PERSONAL,
        announcements.PERSONAL,
        subscriptions.PERSONAL,
        reports.PERSONAL,
        maintenance.PERSONAL,
        accounts.PERSONAL,
        queueing.PERSONAL,
        provisioning.PERSONAL,
        probing.PERSONAL,
    )
)
