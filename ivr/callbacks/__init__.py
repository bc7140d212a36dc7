"""Being called back while keeping one's place (OV-9)."""
