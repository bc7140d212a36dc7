"""What the line tells everybody who waits: the state of the services, or the announcement in force (OV-10)."""
