"""From a candidate to an officer: message, journal, hub and subscriber."""
