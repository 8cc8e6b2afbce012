"""Runs a trigger of Google Cloud Build, and follows the build.

The key travels as the substitution `_KEY`, by which the build is found again; `_REASONS` says why it was started.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triggers.errors import LaunchStopped
from triggers.launchers.following import believed, web_address
from triggers.launchers.launcher import DONE, Launched, Order, Seen, State
from triggers.launchers.launcher_settings import CloudBuildSettings, Name
from triggers.launchers.remote import Elsewhere, JsonApi

KEY, REASONS = "_KEY", "_REASONS"
_LONGEST_REASONS = 500  # characters that `pedalflow submit --reason` takes; Cloud Build would take more
_PAGE = 50
STATES: Mapping[str, State] = {
    "STATUS_UNKNOWN": State.ACTIVE,
    "PENDING": State.ACTIVE,
    "QUEUED": State.ACTIVE,
    "WORKING": State.ACTIVE,
    "SUCCESS": State.SUCCEEDED,
    "FAILURE": State.FAILED,
    "INTERNAL_ERROR": State.FAILED,
    "TIMEOUT": State.FAILED,
    "EXPIRED": State.FAILED,
    "CANCELLED": State.CANCELED,
}


class CloudBuildLauncher(Elsewhere):
    """Runs of one trigger."""

    name = Name.CLOUD_BUILD.value

    def __init__(self, settings: CloudBuildSettings) -> None:
        self._settings = settings
        self._api = JsonApi(
            "Cloud Build", settings.api, settings.token_file, settings.timeout_s, settings.ca_file
        )
        self._location = f"/v1/projects/{settings.project}/locations/{settings.location}"

    def find(self, key: str) -> Launched | None:
        """The build with this key, whichever page of the list it is on."""
        query: dict[str, str | int] = {"filter": f'substitutions.{KEY}="{key}"', "pageSize": _PAGE}
        while True:
            found = self._api.get(f"{self._location}/builds", **query)
            for build in found.get("builds", []):
                if build.get("substitutions", {}).get(KEY) == key:
                    return _launched(build)
            if not found.get("nextPageToken"):
                return None
            query["pageToken"] = found["nextPageToken"]

    def submit(self, order: Order) -> Launched:
        """Run the trigger, on the commit of the order or else on the branch of the settings."""
        reasons = "; ".join(order.reasons)[:_LONGEST_REASONS]
        source: dict[str, Any] = {"substitutions": {KEY: order.key, REASONS: reasons}}
        source |= {"commitSha": order.commit} if order.commit else {"branchName": self._settings.branch}
        body = {"projectId": self._settings.project, "triggerId": self._settings.trigger, "source": source}
        operation = self._api.post(f"{self._location}/triggers/{self._settings.trigger}:run", body)
        return _launched(operation.get("metadata", {}).get("build", {}))

    def look(self, run: str) -> Seen:
        """How the build stands. What its steps made of the model it does not say."""
        build = self._api.get(f"{self._location}/builds/{run}")
        status = str(build.get("status", ""))
        state = STATES.get(status, State.ACTIVE)
        if state is State.ACTIVE:
            url = web_address(build.get("logUrl"))
            return believed(
                Seen(state, step=status.lower()), build.get("createTime"), self._settings.run_s, url
            )
        failure = build.get("failureInfo", {}).get("detail", "")
        note = str(failure or build.get("statusDetail", "") or f"the build ended with {status}")
        return Seen(state, outcome=DONE if state is State.SUCCEEDED else "", note=note)

    def close(self) -> None:
        """Close its connections; the builds go on."""
        self._api.close()


def _launched(build: Mapping[str, Any]) -> Launched:
    if not build.get("id"):
        raise LaunchStopped(
            "Cloud Build answered without a build; compare `api` and `trigger` in the launcher's settings"
        )
    return Launched(str(build["id"]), web_address(build.get("logUrl")))
