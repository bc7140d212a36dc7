"""The service behind the support line: it decides, Asterisk carries the calls."""
