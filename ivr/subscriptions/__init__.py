"""Who asked to be told of what the status page tells (OV-27)."""
