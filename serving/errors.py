"""The errors of a serving process. What is wrong with a request is `serving.scoring.errors.BadRequest`."""

from __future__ import annotations

from pedalflow.errors import PedalflowError, ServingFailed


class ServingError(PedalflowError):
    """A request could not be served, and the request is not to blame. `code` and `reason` go into the reply."""

    code = 500
    reason = "SERVING_ERROR"


class ModelFailed(ServingError):
    """The model gave no usable prediction for a request that is right."""

    reason = "MODEL_FAILED"


class LogFailed(ServingError):
    """The request log cannot be written, and the settings say that no request is answered without it."""

    code = 503
    reason = "LOG_FAILED"


class StartFailed(ServingError, ServingFailed):
    """A serving process cannot start with what it was given."""

    code = 503
    reason = "START_FAILED"
