"""Erases personal data whose time is over, once an hour: files first, then the rows that name them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from ivr.clock import Clock
from ivr.desk.load import main_of
from ivr.desk.schema import Desk, Keeping
from ivr.errors import Unavailable
from ivr.retention.declarations import Declared, FileSweep, Folder, StraySweep
from ivr.store.engine import BATCH, Store

log = structlog.get_logger()


class Eraser:
    """Runs what features declare: a desk's rows by the rules of that desk, what belongs to none by the main desk's."""

    def __init__(
        self,
        store: Store,
        desks: Mapping[str, Desk],
        clock: Clock,
        *,
        declared: Declared,
        messages: Path,
        mails: Path,
    ) -> None:
        self._store, self._desks, self._clock, self._declared = store, desks, clock, declared
        self._folders: Mapping[Folder, Path] = {"messages": messages, "mails": mails}

    async def run(self, every_s: float = 3600.0, first_s: float = 120.0) -> None:
        """Erase until cancelled; at first when callers are long served."""
        await asyncio.sleep(first_s)
        while True:
            erased = 0
            try:
                erased = await self.once()
            except (Unavailable, OSError) as error:
                log.warning("erasure of personal data postponed", error=str(error))
            # The rest of what is many, a little later.
            await asyncio.sleep(1.0 if erased else every_s)

    async def once(self) -> int:
        """Erase what is due, at most some hundred of each; how many. Raises StoreUnavailable, OSError."""
        now = self._clock()
        main = main_of(self._desks)
        erased: Counter[str] = Counter()
        for desk in self._desks.values():
            await self._files(desk, now, erased, of_desk=True)
            await self._of_desk(desk, now, erased)
        await self._of_the_line(main.keep, now, erased)
        await self._files(main, now, erased, of_desk=False)
        for feature in self._declared.features:
            for stray in feature.stray_sweeps:
                erased[stray.name] += await self._strays(stray, main.keep)
        total = sum(erased.values())
        if total:
            log.info("personal data erased", **{name: count for name, count in erased.items() if count})
        return total

    async def _of_desk(self, desk: Desk, now: datetime, erased: Counter[str]) -> None:
        async with self._store.unit() as unit:
            for feature in self._declared.features:
                for sweep in feature.desk_sweeps:
                    erased[sweep.name] += await sweep.erase(unit, desk.id, now - _days(desk.keep, sweep.keep))

    async def _of_the_line(self, keep: Keeping, now: datetime, erased: Counter[str]) -> None:
        async with self._store.unit() as unit:
            for feature in self._declared.features:
                for sweep in feature.sweeps:
                    if sweep.keep is None:
                        before = now
                    else:
                        before = now - _days(keep, sweep.keep)
                    erased[sweep.name] += await sweep.erase(unit, before)

    async def _files(self, desk: Desk, now: datetime, erased: Counter[str], *, of_desk: bool) -> None:
        for feature in self._declared.features:
            for sweep in feature.file_sweeps:
                if sweep.of_desk == of_desk:
                    erased[sweep.name] += await self._with_files(sweep, desk, now)

    async def _with_files(self, sweep: FileSweep, desk: Desk, now: datetime) -> int:
        async with self._store.reading() as unit:
            due = await sweep.due(unit, desk.id, now - _days(desk.keep, sweep.keep))
        for key, file in due:
            if Path(file).name == file:
                await asyncio.to_thread((self._folders[sweep.folder] / file).unlink, missing_ok=True)
            async with self._store.unit() as unit:
                await self._declared.forget(unit, sweep.table, [key])
        return len(due)

    async def _strays(self, sweep: StraySweep, keep: Keeping) -> int:
        """Erase files that no row names: nobody spoke in them, or their ticket is gone. By their files' own age."""
        longest = _days(keep, sweep.keep).total_seconds()
        old = await asyncio.to_thread(_older, self._folders[sweep.folder], time.time() - longest)
        async with self._store.reading() as unit:
            known = await sweep.known(unit, [path.name for path in old])
        strays = [path for path in old if path.name not in known]
        for path in strays:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return len(strays)


def _days(keep: Keeping, field: str) -> timedelta:
    return timedelta(days=getattr(keep, field))


def _older(folder: Path, than: float) -> list[Path]:
    """At most some hundred files of a folder that were last written before then, in seconds since 1970."""
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.is_file() and path.stat().st_mtime < than)
    return list(itertools.islice(files, BATCH))
