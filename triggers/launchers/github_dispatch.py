"""Asks a workflow on GitHub to retrain, to rebuild or to take data in, by a `repository_dispatch` event, and follows the workflow's run.

GitHub cannot be asked for a dispatch by its key, so the key has to show in the list of workflow runs. The workflow says for that

    run-name: retrain ${{ github.event.client_payload.key }}
    concurrency: retrain-${{ github.event.client_payload.key }}

A dispatch shows a few seconds after it was sent: a service that is killed within those sends it again (at least once), and the
second line keeps two runs for one key from being at work together. GitHub lists the newest first;
the oldest counts. What the workflow made of the model GitHub does not say.

A dispatch is called `<key>@<seconds since 1970>` here, a workflow run that was found again by its number.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from triggers.launchers.following import believed, utc_text, web_address
from triggers.launchers.launcher import DISPATCHED, DONE, Launched, Order, Seen, State
from triggers.launchers.launcher_settings import GithubSettings, Name
from triggers.launchers.objects import patterns_of
from triggers.launchers.remote import Elsewhere, JsonApi
from triggers.policy import Action, span_text

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_NEWEST = 100  # runs that are looked through for a key; a key is only looked for soon after it was sent
_LONGEST_REASONS = 500  # characters that `pedalflow submit --reason` takes
_SKEW_S = 600.0  # between this machine's clock and GitHub's
_TITLE = "its title has to carry the key (`run-name` of the workflow)"
CONCLUSIONS: Mapping[str, State] = {
    "success": State.SUCCEEDED,
    "neutral": State.SUCCEEDED,
    "cancelled": State.CANCELED,
    "failure": State.FAILED,
    "skipped": State.FAILED,  # nothing was trained
    "timed_out": State.FAILED,
    "startup_failure": State.FAILED,
    "action_required": State.FAILED,
    "stale": State.FAILED,
}


class GithubLauncher(Elsewhere):
    """Dispatches to the workflows of one repository."""

    name = Name.GITHUB.value

    def __init__(self, settings: GithubSettings) -> None:
        self._settings = settings
        self._api = JsonApi(
            "GitHub", settings.api, settings.token_file, settings.timeout_s, settings.ca_file, _HEADERS
        )
        self._repository = f"/repos/{settings.repository}"

    def find(self, key: str) -> Launched | None:
        """The workflow run whose title carries the key."""
        run = self._titled(key)
        return None if run is None else Launched(str(run["id"]), web_address(run.get("html_url")))

    def submit(self, order: Order) -> Launched:
        """Send the event."""
        takes_in = order.action is Action.TAKE_IN
        payload = {
            "key": order.key,
            "reasons": "; ".join(order.reasons)[:_LONGEST_REASONS],
            "commit": order.commit,
            "objects": patterns_of(order.objects, self._settings.marker),
        }
        event_type = self._settings.take_in_event_type if takes_in else self._settings.event_type
        body = {"event_type": event_type, "client_payload": payload}
        self._api.post(f"{self._repository}/dispatches", body)
        return Launched(f"{order.key}@{time.time():.0f}")

    def look(self, run: str) -> Seen:
        """How the workflow's run stands, once there is one to be seen; it is waited for as long as a run may take."""
        if run.isdigit():
            return self._seen(self._api.get(f"{self._repository}/actions/runs/{run}"))
        key, _, sent = run.partition("@")
        asked = float(sent or 0)
        found = self._titled(key, created=f">={utc_text(asked - _SKEW_S)}")
        return self._unseen(asked) if found is None else self._seen(found)

    def close(self) -> None:
        """Close its connections; the workflows go on."""
        self._api.close()

    def _titled(self, key: str, **query: str) -> Mapping[str, Any] | None:
        """The oldest workflow run whose title carries the key: a dispatch that arrived twice starts another, which has nothing to do."""
        path = f"{self._repository}/actions/runs"
        found = self._api.get(path, event="repository_dispatch", per_page=_NEWEST, **query)
        runs = found.get("workflow_runs", [])
        return next((run for run in reversed(runs) if key in str(run.get("display_title", "")).split()), None)

    def _unseen(self, asked: float) -> Seen:
        """Of a dispatch that no workflow run is known of."""
        repository = self._settings.repository
        if time.time() - asked <= self._settings.run_s:
            return Seen(State.ACTIVE, step=f"{repository} was asked, and shows no workflow run yet; {_TITLE}")
        waited = span_text(self._settings.run_s)
        note = f"{repository} was asked, and showed no workflow run within {waited}; {_TITLE}"
        return Seen(State.SUCCEEDED, outcome=DISPATCHED, note=note)

    def _seen(self, run: Mapping[str, Any]) -> Seen:
        status, url = str(run.get("status", "")), web_address(run.get("html_url"))
        facts = {"workflow_run": url or str(run.get("id", ""))}
        if status != "completed":
            step = f"the workflow's run is {status.replace('_', ' ')}"
            active = Seen(State.ACTIVE, step=step, facts=facts)
            return believed(active, run.get("created_at"), self._settings.run_s, url)
        conclusion = str(run.get("conclusion", ""))
        state = CONCLUSIONS.get(conclusion, State.FAILED)
        note = f"the workflow's run ended with {conclusion.replace('_', ' ')}: {url}"
        return Seen(state, outcome=DONE if state is State.SUCCEEDED else "", note=note, facts=facts)
