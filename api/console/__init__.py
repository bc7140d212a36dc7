"""The console: where staff run the line and partners see their own. Pages made here, without a build step."""
