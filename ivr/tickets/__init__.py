"""Tickets: what a request holds, and how it becomes a ticket exactly once."""
