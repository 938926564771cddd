"""The story, in Prefect: the flows are what a user copies and changes."""

import logging

# Prefect sends penstock's log to the run's page, but lets its level be; Python's is WARNING.
if logging.getLogger("penstock").level == logging.NOTSET:
    logging.getLogger("penstock").setLevel(logging.INFO)
