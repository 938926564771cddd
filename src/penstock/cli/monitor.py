"""``penstock monitor``."""
