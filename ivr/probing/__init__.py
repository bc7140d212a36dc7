"""Whether what the line lives on works: a call that can come in, a row that can be written, room on the disk."""
