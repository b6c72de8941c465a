"""Live facial recognition appliance: finds the wanted person, stops nobody else, keeps nothing about anybody else."""

__version__ = "0.1.0"
