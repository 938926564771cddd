"""The story, at a terminal: ``penstock init | train | score | monitor | up | ...``.

Entry points translate only: words into calls, results into lines and exit statuses. Nothing
heavy is imported before a command needs it. Commands stand in modules by theme; importing one
here is what registers its commands.
"""

from penstock.cli import champion, house, monitor, project, pruning, score, training
from penstock.cli.app import app, main

__all__ = ["app", "champion", "house", "main", "monitor", "project", "pruning", "score", "training"]
