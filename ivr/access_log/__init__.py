"""Who listened to whose voice, and when: every listening leaves a line (Quebec's Law 25)."""
