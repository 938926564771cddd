"""Pure sums: metrics, intervals, calibration, independence. No I/O, no torch."""
