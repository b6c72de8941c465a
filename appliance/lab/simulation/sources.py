"""The kinds of source that the simulation offers to cameras, named so that only who has one imports it."""

from __future__ import annotations

SIMULATED = {"street": "appliance.lab.simulation.street:open_street"}
"""Scheme to who opens it, as `camera.sources.open.open_source` takes it."""
