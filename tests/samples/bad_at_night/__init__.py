"""A use case for tests: bike sharing with a model that is good by day and ten times too high at night."""
