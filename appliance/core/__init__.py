"""What every room may use and that knows nobody: errors, values, clock, files, logs and heartbeats."""
