"""Calendars as people's programs send them (RFC 5545): read by one reader, for the rota, closures and maintenance."""
