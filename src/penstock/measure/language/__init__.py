"""Sums about text that is predicted token by token: codes, repetition, memory, baselines."""
