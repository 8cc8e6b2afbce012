"""What comes from outside, as its real senders would say it: an upload with its notification, a push to the repository, a person's wish.

The payloads follow S3's event notifications and GitHub's webhook; the senders prove who they are with the service's own secrets.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pedalflow.errors import RunFailed

MARKER, HOURS_FILE = "_SUCCESS", "hours.csv"
BRANCH, REPOSITORY_NAME = "refs/heads/main", "pedalflow/loop"
WHO, PAUSE = "the loop", "pause"
TIMEOUT_S = 30.0
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Source:
    """An address of the service, and the file with the secret of whoever may send there."""

    address: str
    secret_file: Path

    @property
    def secret(self) -> str:
        """The newest secret; the file may hold several, one a line."""
        return self.secret_file.read_text(encoding="utf-8").split()[0]


@dataclass(frozen=True)
class Doors:
    """The sources that the loop speaks for."""

    s3: Source
    github: Source
    person: Source


def put_in_bucket(bucket: Path, folder: str, content: bytes) -> None:
    """Lay a file of hours into a folder of the bucket, and then the marker that says that it is complete."""
    place = bucket / folder
    place.mkdir(parents=True, exist_ok=True)
    (place / HOURS_FILE).write_bytes(content)
    (place / MARKER).touch()


def s3_notification(bucket: str, key: str, at: datetime) -> dict[str, Any]:
    """What S3 says when an object was put."""
    made = {"key": key, "size": 0, "eTag": hashlib.md5(b"", usedforsecurity=False).hexdigest()}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "local",
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%S}.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {**made, "sequencer": f"{int(at.replace(tzinfo=timezone.utc).timestamp()):016X}"},
        },
    }
    return {"Records": [record]}


def push(commit: str, message: str, modified: Sequence[str]) -> dict[str, Any]:
    """What GitHub says of a push of one commit to the branch."""
    pushed = {"id": commit, "message": message, "added": [], "removed": [], "modified": [*modified]}
    return {
        "ref": BRANCH,
        "before": "0" * 40,
        "after": commit,
        "deleted": False,
        "forced": False,
        "repository": {"full_name": REPOSITORY_NAME},
        "pusher": {"name": "somebody"},
        "commits": [pushed],
        "head_commit": pushed,
    }


def notify_upload(source: Source, bucket: str, folder: str, at: datetime) -> str:
    """Report that a folder of the bucket is complete; the event's id."""
    body = json.dumps(s3_notification(bucket, f"{folder}/{MARKER}", at)).encode()
    return _delivered(source, body, {"Authorization": f"Bearer {source.secret}"})


def notify_push(source: Source, content: Mapping[str, Any], delivery: str) -> str:
    """Report a push under a delivery id, signed; the event's id."""
    body = json.dumps(content).encode()
    signature = hmac.new(source.secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return _delivered(source, body, headers)


def pause(source: Source, reason: str) -> str:
    """Ask, as a person does, that no run starts from now on; the event's id."""
    content = {"wish": PAUSE, "reason": reason, "who": WHO, "id": str(uuid.uuid4())}
    return _delivered(source, json.dumps(content).encode(), {"Authorization": f"Bearer {source.secret}"})


def _delivered(source: Source, body: bytes, headers: Mapping[str, str]) -> str:
    """The id of the (first) event that the service committed. Raises RunFailed where it did not take the delivery."""
    request = urllib.request.Request(
        source.address, body, {"Content-Type": "application/json", **headers}, method="POST"
    )
    try:
        with _NO_PROXY.open(request, timeout=TIMEOUT_S) as answer:
            taken = json.loads(answer.read())
        return str(taken["events"][0]["id"])
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:300]
        raise RunFailed(
            f"the triggers service refused a delivery to {source.address} ({error.code}): {said}"
        ) from error
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise RunFailed(
            f"the triggers service at {source.address} did not take a delivery ({error}); its log is in state/loop/logs"
        ) from error
