"""*57: a call that went badly becomes a ticket, with its evidence and a verdict."""
