"""Parsers, one for each source: pure functions from headers and body to events, or to a refusal."""
