"""Hears all callers of a benchmark at one socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping

_PACKET = 160


class Ear:
    """Hears all callers at once: whose packets come, and when each first hears what is listened for."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self.packets: dict[int, int] = {}
        #: Sequence numbers that never came (RFC 3550), of all callers together.
        self.gaps = 0
        self.heard: dict[int, float] = {}
        self._awaited: dict[bytes, int] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._listen, name="ear")
        self._thread.start()

    def _listen(self) -> None:
        receive, packets, heard = self._socket.recvfrom, self.packets, self.heard
        awaited: dict[tuple[int, bytes], int] = {}
        while not self._closed:
            try:
                data, (_, port) = receive(2048)
            except TimeoutError:
                continue
            packets[port] = packets.get(port, 0) + 1
            sequence, stream = int.from_bytes(data[2:4], "big"), (port, data[8:12])
            skipped = (sequence - awaited.get(stream, sequence)) & 0xFFFF
            if skipped < 0x8000:
                self.gaps += skipped
                awaited[stream] = (sequence + 1) & 0xFFFF
            else:
                # It came after a later one.
                self.gaps -= 1
            index = self._awaited.get(data[12:])
            if index is not None and port not in heard:
                heard[port] = time.monotonic() - index * 0.020

    def listen_for(self, sound: bytes) -> None:
        """From now on, note who hears the beginning of this sound, µ-law."""
        heads = [sound[n * _PACKET : (n + 1) * _PACKET] for n in range(25)]
        # A packet that comes twice, or is silence, does not tell where we are.
        self._awaited = {one: n for n, one in enumerate(heads) if heads.count(one) == 1 and len(set(one)) > 8}
        self.heard.clear()

    def wait(self, those: Mapping[int, object], count: int, patience_s: float) -> None:
        """Until there are so many callers in `packets` or in `heard`, or patience ends."""
        deadline = time.monotonic() + patience_s
        while len(those) < count and time.monotonic() < deadline:
            time.sleep(0.1)

    def close(self) -> None:
        """End it."""
        self._closed = True
        self._thread.join()
        self._socket.close()
