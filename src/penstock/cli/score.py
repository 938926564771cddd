"""``penstock score``."""
