"""The service behind the support line: it decides, Asterisk carries the calls."""

#: As in pyproject.toml.
VERSION = "0.1.0"
