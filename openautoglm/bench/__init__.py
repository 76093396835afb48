"""Measurements: latency, paired statistics, and the JSON they stand in."""
