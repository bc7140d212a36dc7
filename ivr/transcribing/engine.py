"""The recogniser's own process: `python -m ivr.transcribing.engine MODEL_FOLDER FILE LANGUAGE` prints what is said.

faster-whisper is not among the line's own packages; whoever wants it installs it into the line's environment.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module


def main() -> None:
    """Print the text. Ends with status 3 where faster-whisper is missing."""
    model_folder, file, language = sys.argv[1:4]
    # Calls come first.
    os.nice(10)
    try:
        whisper = import_module("faster_whisper")
    except ImportError as error:
        sys.stderr.write(f"{error}; install it with: pip install faster-whisper\n")
        raise SystemExit(3) from error
    model = whisper.WhisperModel(model_folder, device="cpu", compute_type="int8", local_files_only=True, cpu_threads=1)
    segments, _ = model.transcribe(file, language=language, vad_filter=False)
    sys.stdout.write(" ".join(segment.text.strip() for segment in segments))


if __name__ == "__main__":
    main()
