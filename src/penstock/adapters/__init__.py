"""The outside world, one file each. Stages are handed these; they never import them."""
