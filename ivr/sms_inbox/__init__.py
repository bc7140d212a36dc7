"""Text messages that come in: an answer to a page takes it, STOP ends them, and anything else learns where to call."""
