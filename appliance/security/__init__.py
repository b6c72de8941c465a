"""Keys, encryption at rest and TLS."""
