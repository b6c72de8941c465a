"""Trying and measuring the appliance: a simulated street, accuracy, benchmarks and the demo."""
