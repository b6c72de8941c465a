"""Keeps the processes alive and says truthfully how they are."""
