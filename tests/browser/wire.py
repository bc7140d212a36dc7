"""A wire between the browser and the line that can be held (nothing passes, nobody is told) or cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Wire:
    """Passes what comes to `port` on to the line, while it is whole."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._held: set[socket.socket] = set()
        self._state = "whole"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """What is connected now stays so, and nothing passes any more, not even once the wire is mended."""
        self._state = "held"
        self._held |= self._open

    def cut(self) -> None:
        """What is connected is told so, and nobody can connect."""
        self._state = "cut"
        for one in list(self._open):
            _close(one)

    def mend(self) -> None:
        """Whoever connects again gets through."""
        self._state = "whole"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.cut()
        _close(self._listening)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                if self._state == "cut":
                    _close(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {near, far}
                if self._state == "held":
                    self._held |= {near, far}
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._held:
                    target.sendall(data)
        if source not in self._held:
            _close(source)
            _close(target)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
