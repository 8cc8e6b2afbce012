"""A use case for tests: bike sharing with a curated schema that the real data breaks."""
