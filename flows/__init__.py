"""The story, in Prefect: the flows are what a user copies and changes."""
