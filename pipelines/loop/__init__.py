"""The loop: a year is replayed against the served model, and whatever happens in it enters by the triggers' door."""
