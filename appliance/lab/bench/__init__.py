"""What things cost in time and memory, measured here and now."""
