"""The front door: the command `pedalflow`. It is light, and starts the runtime that a subcommand needs as a process."""
