"""From authority to certificate of destruction: what may run, for how long, and what is left afterwards."""
