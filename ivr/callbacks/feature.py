"""Callbacks as a feature of the line."""

from __future__ import annotations

from ivr.callbacks.reconciler import Keeper
from ivr.feature import Feature, Part


def feature(keeper: Keeper) -> Feature:
    """Places that are held for callers who are called back (OV-9)."""
    return Feature(name="callbacks", parts=(Part(name="callbacks", run=keeper.run),), on_event=keeper.enter)
