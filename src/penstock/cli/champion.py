"""Who is the champion: ``promote``, ``rollback``, ``retrain``."""
