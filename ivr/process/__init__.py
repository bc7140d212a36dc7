"""The processes of a line: supervisor, service and control socket, their files, ports and privileges."""
