"""The chained record of acts: who did what, when, bound together so that a change is found."""
