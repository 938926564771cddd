"""From scores to decisions: temperature, thresholds, levels by group, sets, costs."""
