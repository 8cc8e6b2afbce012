"""The family of errors that Pedalflow raises on purpose.

Each message says what went wrong, with which thing, and what to do about it. Nothing below the command line turns them
into exit codes: `pedalflow.command.exits` holds that table.
"""

from __future__ import annotations


class PedalflowError(Exception):
    """Base of every error that is meant for a reader and not for a debugger."""


class SettingsError(PedalflowError):
    """A parameter file, a flag or an environment variable holds something that cannot be used."""


class EnvironmentMissing(PedalflowError):
    """An interpreter, a lock or a virtual environment is missing or broken."""


class DataRefused(PedalflowError):
    """A batch of data broke a rule and was not taken in."""


class DataMissing(PedalflowError):
    """A file of data that should be there is not, or does not match its recorded hash."""


class AnomaliesFound(PedalflowError):
    """The examples break the curated schema, so the run stopped before it trained."""


class GateRefused(PedalflowError):
    """A trained model failed at least one acceptance rule and was not registered."""


class ReleaseBroken(PedalflowError):
    """A release does not hold what its manifest says it holds."""


class RunFailed(PedalflowError):
    """A pipeline run stopped for another reason than data or gates."""


class RunCanceled(PedalflowError):
    """Somebody canceled a run that was waited for."""


class RunUnfinished(PedalflowError):
    """A run that was waited for had not ended when the time was up; it goes on."""


class ServingFailed(PedalflowError):
    """A server did not start, or stopped by itself."""
