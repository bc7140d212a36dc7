"""When an Asterisk that does not answer is to be killed: the rule alone, without clock or socket."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.asterisk.options_ping import Answer

#: Silence for so long, in seconds, of SIP and of the manager means frozen; of SIP alone, where nobody listens any more.
FROZEN_S = 6.0
#: SIP alone may be silent for so long, in seconds: a storm of packets drowns ours while calls go on.
DEAF_S = 20.0
#: A look that took longer, in seconds, was held up by this machine: it counts for no more than this.
LONGEST_LOOK_S = 1.5


@dataclass(kw_only=True)
class Silence:
    """For how long, in seconds, we have looked without an answer. A stopped machine ages nothing: we did not look."""

    seconds: float = 0.0
    last: Answer = Answer.YES

    def looked(self, answer: Answer, took_s: float) -> None:
        """One look, and how long it took with the rest before it, in seconds."""
        self.last = answer
        if answer is Answer.YES:
            self.seconds = 0.0
        else:
            self.seconds = self.seconds + min(took_s, LONGEST_LOOK_S)

    @property
    def doubtful(self) -> bool:
        """Return whether it is time for a second opinion."""
        return self.seconds >= FROZEN_S

    def verdict(self, *, manager_answers: bool) -> str | None:
        """Return why it is to be killed, with the second opinion; None while it is not."""
        if not self.doubtful:
            return None
        if not manager_answers:
            return "frozen: neither SIP nor the manager answers"
        if self.last is Answer.NOBODY:
            return "nobody listens on the SIP address"
        if self.seconds >= DEAF_S:
            return "SIP is not answered"
        return None
