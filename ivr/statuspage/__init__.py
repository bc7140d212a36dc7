"""The public status page as data: a summary of the services, and the feed of incidents and maintenance. Pure."""
