"""Which voices a line has, from its settings and what the machine offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ivr.asterisk.runtime import Runtime
from ivr.desk.schema import Desk
from ivr.prompts.build import Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import Engine, Pico, Piper, Recordings, Voices
from ivr.settings import Settings

#: Sounds are named by content, so every line of this checkout can share them.
SHARED_CACHE = Path(__file__).parents[2] / "var" / "cache" / "sounds"


def sounds_of(settings: Settings, runtime: Runtime, desks: Mapping[str, Desk]) -> Sounds:
    """The line's sounds: recordings first, then Piper where a model is given, then the embedded voice."""
    engines: list[Engine] = []
    if settings.recordings is not None:
        engines.append(Recordings(settings.recordings))
    if settings.piper_models:
        engines.append(Piper({language: Path(model) for language, model in settings.piper_models}))
    engines.append(Pico(runtime.pico_library, runtime.pico_languages))
    return Sounds(
        folder=settings.sounds,
        cache=_cache(settings),
        catalog=Catalog(desks),
        voices=Voices(engines),
        core_sounds=runtime.core_sounds,
        languages=sorted({language for desk in desks.values() for language in desk.languages}),
    )


def _cache(settings: Settings) -> Path:
    try:
        SHARED_CACHE.mkdir(parents=True, exist_ok=True)
        probe = SHARED_CACHE / f".probe-{settings.sip.port}"
        probe.touch()
        probe.unlink()
    except OSError:
        # An image's or a package's own folder cannot be written.
        return settings.state / "cache" / "sounds"
    return SHARED_CACHE
