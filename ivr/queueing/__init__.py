"""Queues: who waits, in which order, for how long, and what they are told of it."""
