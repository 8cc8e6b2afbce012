"""Exit handler: tells the retraining service that a run is over, as a CloudEvent in the convention of Kubeflow's operator."""

import json
import logging
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tfx.dsl.component.experimental.annotations import Parameter
from tfx.orchestration.kubeflow.decorators import exit_handler

from pedalflow.errors import RunFailed

EVENT = "org.kubeflow.pipelines.run-completion"
TIMEOUT_S = 20.0
logger = logging.getLogger(__name__)


@exit_handler
def RunCompletion(
    status: Parameter[str],
    pipeline: Parameter[str],
    run_id: Parameter[str],
    run_name: Parameter[str],
    reason: Parameter[str],
    idempotency_key: Parameter[str],
    events_url: Parameter[str],
    events_token_file: Parameter[str],
) -> None:
    """`status` is the final status of all other tasks, as JSON. Raises RunFailed where the event was not taken."""
    run = {"pipelineName": pipeline, "runId": run_id, "runName": run_name}
    event = completion(json.loads(status), {**run, "reason": reason, "idempotencyKey": idempotency_key})
    if not events_url:
        logger.info("the run %s; events_url is empty, so nobody is told", event["data"]["status"])
        return
    post(event, events_url, _token(Path(events_token_file)))


def completion(status: dict[str, Any], run: dict[str, str]) -> dict[str, Any]:
    """The event, structured. The same run gives the same id, so a repeated delivery is known as one."""
    state = str(status.get("state", "unknown")).lower()
    data = {"provider": "kfp", "status": state, **run, "artifacts": []}
    if said := status.get("error", {}).get("message"):
        data["error"] = said
    return {
        "specversion": "1.0",
        "id": f"{run['runId']}-completed",
        "source": f"/pipelines/{run['pipelineName']}",
        "type": EVENT,
        "subject": run["pipelineName"],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "datacontenttype": "application/json",
        "data": data,
    }


def post(event: dict[str, Any], url: str, token: str | None) -> None:
    """Post the event once; Kubeflow repeats the task if it fails. Raises RunFailed, which never holds the token."""
    headers = {"Content-Type": "application/cloudevents+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(event).encode(), headers, method="POST")
    try:
        with _opener(request.type).open(request, timeout=TIMEOUT_S) as answer:
            logger.info("the run's completion was told to %s: %s", url, answer.status)
    except HTTPError as error:
        raise RunFailed(
            f"{url} answered {error.code} to the run's completion; look at its log and its token"
        ) from error
    except (OSError, ValueError) as error:
        raise RunFailed(f"{url} could not be told of the run's completion: {error}") from error


def _opener(scheme: str) -> urllib.request.OpenerDirector:
    """Over http no proxy, which could read the token; such an address is one of the cluster's own."""
    proxies = [urllib.request.ProxyHandler({})] if scheme == "http" else []
    return urllib.request.build_opener(*proxies)


def _token(file: Path) -> str | None:
    return file.read_text(encoding="utf-8").strip() if file.is_file() else None
