"""A street with passers-by whose faces are real and whose names are known."""
