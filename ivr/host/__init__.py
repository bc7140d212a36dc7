"""The machine beneath: how many files may be open, which ports are free, files only we may read, writes that last."""
