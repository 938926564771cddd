"""torch: network, losses, the loop, checkpoints. Knows tensors, nothing of tables."""
