"""The messages of alerts and decisions, and the journal that keeps them."""
