"""The life of a deployment: authority, state, audit record, guard, end, certificate and report."""
