"""What the simulator cannot do. Apart from the line's own errors: the simulator judges the line."""

from __future__ import annotations


class SimulatorError(Exception):
    """The simulator could not do its part."""


class FarmFailed(SimulatorError):
    """A phone's process refused a command or is gone; says which and why."""


class PhoneTimeout(SimulatorError):
    """What was waited for did not come; says what came instead."""


class RegistrationFailed(SimulatorError):
    """The registrar refused a phone, or did not answer."""


class SoundsUnusable(SimulatorError):
    """The built sounds or their manifest cannot be read."""


class RecordingUnusable(SimulatorError):
    """A recording is not 16-bit mono WAV at 8 kHz."""


class LoadFailed(SimulatorError):
    """SIPp could not run to its end; says its last words."""


class WitnessFailed(SimulatorError):
    """Asterisk's manager interface refused the witness or did not answer."""
