"""From photos to templates, to a sealed file, to the index that probes are compared with."""
