"""The officer's page: a subscriber of the alert stream like any other."""
