"""Everything that would stop a deployment, found before it starts."""
