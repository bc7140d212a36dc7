"""An independent observer of Asterisk's state, by its manager interface, with an account of its own that only reads.

It shares no code with the line's own manager client, so that one does not hide the other's mistakes.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from asterisk.ami import AMIClient, LoginAction, SimpleAction

from sipsim.errors import WitnessFailed
from sipsim.patience import patient

T = TypeVar("T")
Fields = Mapping[str, str]

#: asterisk-ami takes a silence this long, in seconds, for a lost connection; its own 3 s would end it at once.
_SILENCE_S = 86400
_ANSWER_S = patient(5.0)
#: For what should happen, where nothing else is said.
_SEEN_S = patient(10.0)


class Witness:
    """Sees what Asterisk says of its channels and queues."""

    def __init__(self, port: int, *, username: str = "witness", secret: str, host: str = "127.0.0.1") -> None:
        """Log in. Raises WitnessFailed."""
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()
        self._responses: dict[str, Fields] = {}
        self._events: list[tuple[float, str, Fields]] = []
        self._client = AMIClient(address=host, port=port, timeout=_SILENCE_S)
        # Not the library's own futures: they call what Python has deprecated, and hold a lock when that raises.
        self._client.add_listener(on_response=self._on_response, on_event=self._on_event)
        try:
            self._client.connect()
            self._send(LoginAction(username, secret))
        except (OSError, WitnessFailed) as error:
            self.close()
            raise WitnessFailed(f"{username} at {host}:{port}: {error}") from error

    def __enter__(self) -> Witness:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave."""
        if self._client.finished is None:
            return
        with contextlib.suppress(OSError):
            # Its reading thread would wait for ever on a socket that is only closed.
            self._client._socket.shutdown(socket.SHUT_RDWR)
        self._client.disconnect()

    # What there is now ------------------------------------------------------------------------------------

    def channels(self) -> list[Fields]:
        """Every channel: `Channel`, `CallerIDNum`, `CallerIDName`, `Context`, `Exten`, `Application`, ..."""
        return self.ask("CoreShowChannels", of="CoreShowChannel", until="CoreShowChannelsComplete")

    def members(self, queue: str) -> list[Fields]:
        """A queue's members: `Name`, `Paused`, `InCall`, `Status`, ..."""
        return self.ask("QueueStatus", of="QueueMember", until="QueueStatusComplete", Queue=queue)

    def waiting(self, queue: str) -> list[Fields]:
        """A queue's callers: `Position`, `Channel`, `CallerIDNum`, `Wait`, ..."""
        return self.ask("QueueStatus", of="QueueEntry", until="QueueStatusComplete", Queue=queue)

    def ask(self, action: str, *, of: str, until: str, **fields: str) -> list[Fields]:
        """The events that answer an action. Raises WitnessFailed."""
        number = self._send(SimpleAction(action, **fields))

        def look() -> list[Fields] | None:
            mine = [(name, one) for _, name, one in self._events if one.get("ActionID") == number]
            done = any(name == until for name, _ in mine)
            if done:
                return [one for name, one in mine if name == of]
            return None

        return self._wait(look, _ANSWER_S, f"{until} after {action}")

    # What happened ----------------------------------------------------------------------------------------

    def events(self, name: str, since: float = 0.0) -> list[Fields]:
        """Events of a name, since a monotonic time."""
        with self._changed:
            return [one for at, kind, one in self._events if kind == name and at >= since]

    def wait_event(self, name: str, *, since: float = 0.0, timeout_s: float = _SEEN_S, **fields: str) -> Fields:
        """The first event of a name with these fields. Raises WitnessFailed."""

        def look() -> Fields | None:
            found = (one for at, kind, one in self._events if kind == name and at >= since)
            return next((one for one in found if fields.items() <= one.items()), None)

        return self._wait(look, timeout_s, f"{name} {fields or ''}")

    def wait_until(self, look: Callable[[], T | None], what: str, timeout_s: float = _SEEN_S) -> T:
        """What `look` finds when asked again and again; it may ask this witness. Raises WitnessFailed."""
        deadline = time.monotonic() + timeout_s
        while (found := look()) is None:
            if time.monotonic() > deadline:
                raise WitnessFailed(f"no {what} within {timeout_s:g} s")
            with self._changed:
                self._changed.wait(0.1)
        return found

    def _send(self, action: Any) -> str:
        number = f"witness-{next(self._numbers)}"
        action.keys["ActionID"] = number
        try:
            self._client.send(action)
        except OSError as error:
            raise WitnessFailed(f"{action.name}: {error}") from error
        answer = self._wait(lambda: self._responses.pop(number, None), _ANSWER_S, f"an answer to {action.name}")
        if answer["Response"].lower() != "success":
            raise WitnessFailed(f"{action.name}: {answer.get('Message', answer['Response'])}")
        return number

    def _wait(self, look: Callable[[], T | None], timeout_s: float, what: str) -> T:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while (found := look()) is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WitnessFailed(f"no {what} within {timeout_s:g} s")
                self._changed.wait(left)
            return found

    def _on_response(self, source: Any, response: Any) -> None:
        with self._changed:
            self._responses[response.keys.get("ActionID", "")] = {"Response": response.status, **response.keys}
            self._changed.notify_all()

    def _on_event(self, source: Any, event: Any) -> None:
        with self._changed:
            self._events.append((time.monotonic(), event.name, dict(event.keys)))
            self._changed.notify_all()
