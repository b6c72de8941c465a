"""How many of the people looked for are found, and at what cost in false alerts."""
