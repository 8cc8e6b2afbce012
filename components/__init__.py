"""Pedalflow's own TFX components: for each, a file of pure functions and a thin wrapper that TFX runs."""
