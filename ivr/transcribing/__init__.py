"""What voice messages say, written down by a speech recogniser: optional, beside everything else, never a condition."""
