"""E-mail that comes in: each opens a ticket, continues one, or is left alone for a reason that is kept."""
