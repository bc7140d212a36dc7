"""The night: who is on call, and who is told of an emergency when, until somebody takes it (OV-7)."""
