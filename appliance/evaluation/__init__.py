"""Simulated passers-by, open-set accuracy and benchmarks."""
