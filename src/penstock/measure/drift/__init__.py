"""Two windows of one world: what changed between them, and whether it matters."""
