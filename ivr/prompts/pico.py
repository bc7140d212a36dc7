"""The Pico voice in a process of its own: python pico.py LIBRARY LANGUAGES.

Reads one JSON object a line, {"text": ..., "language": "fr", "out": FILE}, writes 16-bit samples at RATE, and
answers each with a line. The library is called directly, since its own program looks for its languages in
one fixed folder; in its own process, since it is C and keeps what it allocates.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

RATE = 16000
#: Resource files of each voice: text analysis, and the speech sounds of its one speaker.
VOICES = {"fr": ("fr-FR_ta.bin", "fr-FR_nk0_sg.bin"), "en": ("en-US_ta.bin", "en-US_lh0_sg.bin")}

_MEMORY = 2_500_000
_IDLE, _BUSY = 200, 201


class _Voice:
    """One language's engine (svox Pico, picoapi.h)."""

    def __init__(self, library: ctypes.CDLL, languages: Path, language: str) -> None:
        self._library = library
        self._memory = ctypes.create_string_buffer(_MEMORY)
        self._system = ctypes.c_void_p()
        self._engine = ctypes.c_void_p()
        self._check(library.pico_initialize(self._memory, _MEMORY, ctypes.byref(self._system)))
        name = b"voice"
        self._check(library.pico_createVoiceDefinition(self._system, name))
        for file in VOICES[language]:
            resource = ctypes.c_void_p()
            path = str(languages / file).encode()
            self._check(library.pico_loadResource(self._system, path, ctypes.byref(resource)))
            resource_name = ctypes.create_string_buffer(200)
            self._check(library.pico_getResourceName(self._system, resource, resource_name))
            self._check(library.pico_addResourceToVoiceDefinition(self._system, name, resource_name))
        self._check(library.pico_newEngine(self._system, name, ctypes.byref(self._engine)))

    @staticmethod
    def _check(status: int) -> None:
        if status != 0:
            raise RuntimeError(f"Pico answers {status}")

    def speak(self, text: str) -> bytes:
        """16-bit samples at RATE, in this machine's byte order."""
        data = text.encode() + b"\0"
        buffer = ctypes.create_string_buffer(256)
        taken, got, kind = ctypes.c_int16(), ctypes.c_int16(), ctypes.c_int16()
        speech = bytearray()
        offset = 0
        while offset < len(data):
            chunk = data[offset : offset + 4000]
            self._check(self._library.pico_putTextUtf8(self._engine, chunk, len(chunk), ctypes.byref(taken)))
            offset += taken.value
            status = _BUSY
            while status == _BUSY:
                status = self._library.pico_getData(
                    self._engine, buffer, len(buffer), ctypes.byref(got), ctypes.byref(kind)
                )
                if got.value:
                    speech += buffer.raw[: got.value]
            if status != _IDLE:
                raise RuntimeError(f"Pico answers {status}")
        return bytes(speech)


def _load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    pointer = ctypes.c_void_p
    signatures: dict[str, list[Any]] = {
        "pico_initialize": [pointer, ctypes.c_uint32, pointer],
        "pico_createVoiceDefinition": [pointer, ctypes.c_char_p],
        "pico_loadResource": [pointer, ctypes.c_char_p, pointer],
        "pico_getResourceName": [pointer, pointer, ctypes.c_char_p],
        "pico_addResourceToVoiceDefinition": [pointer, ctypes.c_char_p, ctypes.c_char_p],
        "pico_newEngine": [pointer, ctypes.c_char_p, pointer],
        "pico_putTextUtf8": [pointer, ctypes.c_char_p, ctypes.c_int16, pointer],
        "pico_getData": [pointer, ctypes.c_char_p, ctypes.c_int16, pointer, pointer],
    }
    for name, arguments in signatures.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = ctypes.c_int32
    return library


def main(library_path: str, languages: str) -> None:
    """Speak until standard input ends."""
    library = _load(library_path)
    voices: dict[str, _Voice] = {}
    for line in sys.stdin:
        wish = json.loads(line)
        language = wish["language"]
        if language not in voices:
            voices[language] = _Voice(library, Path(languages), language)
        Path(wish["out"]).write_bytes(voices[language].speak(wish["text"]))
        sys.stdout.write("spoken\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
