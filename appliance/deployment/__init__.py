"""The life of a deployment: authority, state, guard, end and report."""
