"""The configuration file: a root for each product, made of shared parts."""
