"""The e-mail that asks whether an announcement still holds."""

from __future__ import annotations

from datetime import datetime

from ivr import wording
from ivr.announcements.model import Announcement
from ivr.desk.schema import Desk
from ivr.notify.outbox import Email

_WORDS = wording.texts("announcements.reminder")


def reminder(one: Announcement, desk: Desk) -> Email:
    """To whom the desk file names, else to the department where the human is; in the desk's first language."""
    language = desk.languages[0]
    words = _WORDS[language]
    facts = {
        "desk": desk.name,
        "id": desk.id,
        "text": one.texts.get(language, words["recording"]),
        "since": _local(one.starts_at, desk),
        "zone": desk.timezone,
        "who": one.created_by,
    }
    lines = [words["title"], "", *(words[name] for name in ("said", "since", "who")), "", words["mend"]]
    return Email(
        to=desk.announcement.ops_email or desk.departments[desk.menu.operator].email,
        subject=words["subject"].format(**facts),
        # The text is somebody's: it is filled in, and never read for more to fill in.
        body="\n".join(line.format(**facts) for line in lines) + "\n",
        language=language,
    )


def _local(moment: datetime, desk: Desk) -> datetime:
    return moment.astimezone(desk.zone)
