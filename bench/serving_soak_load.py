"""The client of `bench.serving_soak`: malformed requests, or a mixed load. Prints what came back as JSON.

python -m bench.serving_soak_load fuzz|mixed '{"port": …, "grpc_port": …, "requests": …, "rows": "FILE"}'
"""

from __future__ import annotations

import http.client
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format
from seldon_core.proto.prediction_pb2 import SeldonMessage

from bench.serving_contenders import SELDON_METHOD, seldon_named
from bench.serving_fuzz import FEEDBACK, JSON, PREDICT, requests
from bench.serving_load import FAILURE, HOST
from bench.serving_soak import BATCH_ROWS, MALFORMED, MIX

THREADS = 4


class Client:
    """One connection to each of the server's ports; counts answers by kind and status."""

    def __init__(self, plan: Mapping[str, Any], number: int = 0) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        self.rows = json.loads(Path(plan["rows"]).read_bytes())
        self._http = http.client.HTTPConnection(HOST, plan["port"], timeout=60)
        self._channel = grpc.insecure_channel(
            f"{HOST}:{plan['grpc_port']}", options=[("bench.client", number)]
        )
        self._call = self._channel.unary_unary(SELDON_METHOD)
        self._puid = "never-seen"
        self._messages = {count: self._message(count) for count in (1, BATCH_ROWS)}

    def _message(self, count: int) -> bytes:
        message = json_format.ParseDict(seldon_named(self.rows[:count]), SeldonMessage())
        return bytes(message.SerializeToString())

    def post(self, kind: str, path: str, body: bytes, content_type: str = JSON) -> bytes:
        """POST and count.

        A server may close a connection between two requests, for example after one whose body it has not read: the request is sent again
        on a new connection, and counted as `reopened` too. A request that fails on a new connection is `broken`.
        """
        headers = {"Content-Type": content_type} if content_type else {}
        for last in (False, True):
            try:
                self._http.request("POST", path, body, headers)
                answer = self._http.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                self._http.close()
                self.seen[kind, "broken" if last else "reopened"] += 1
            else:
                self.seen[kind, str(answer.status)] += 1
                return content
        return b""

    def predict(self, kind: str, count: int) -> None:
        """Predict over REST and remember the request's id for feedback."""
        content = self.post(kind, PREDICT, json.dumps(seldon_named(self.rows[:count])).encode())
        if count == 1 and content:
            self._puid = json.loads(content).get("meta", {}).get("puid", self._puid)

    def feedback(self, kind: str) -> None:
        """Send the label of the last single row."""
        truth = {"data": {"ndarray": [[123.0]]}}
        response = {"meta": {"puid": self._puid}}
        self.post(kind, FEEDBACK, json.dumps({"response": response, "truth": truth, "reward": 0}).encode())

    def over_grpc(self, kind: str, count: int) -> None:
        """Predict over gRPC; the status is gRPC's, or FAILURE where the message says so."""
        try:
            reply = self._call(self._messages[count], timeout=60)
            self.seen[kind, "FAILURE" if FAILURE in reply else "OK"] += 1
        except grpc.RpcError as error:
            self.seen[kind, str(error.code().name)] += 1

    def close(self) -> None:
        """Let go of both connections."""
        self._http.close()
        self._channel.close()


def fuzz(plan: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Send malformed requests, one after the other."""
    client = Client(plan)
    for wrong in requests(client.rows[0], plan["requests"]):
        client.post(wrong.kind, wrong.path, wrong.body, wrong.content_type)
    client.close()
    return client.seen


def mixed(plan: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Send the mix, a share of it from each thread."""
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(partial(_mixed, plan), range(THREADS)), Counter())


def _mixed(plan: Mapping[str, Any], thread: int) -> Counter[tuple[str, str]]:
    client = Client(plan, thread)
    send: dict[str, Callable[[str], None]] = {
        "REST, 1 row": lambda kind: client.predict(kind, 1),
        "REST, 64 rows": lambda kind: client.predict(kind, BATCH_ROWS),
        MALFORMED: lambda kind: _send_wrong(client, kind),
        "feedback": client.feedback,
        "gRPC, 1 row": lambda kind: client.over_grpc(kind, 1),
        "gRPC, 64 rows": lambda kind: client.over_grpc(kind, BATCH_ROWS),
    }
    order = [kind for kind, share in MIX.items() for _ in range(share)]
    for number in range(plan["requests"] // THREADS):
        kind = order[number * 7 % len(order)]  # 7 and 20 have no common factor: every kind comes in its share
        send[kind](kind)
    client.close()
    return client.seen


def _send_wrong(client: Client, kind: str) -> None:
    row = {**client.rows[0], "hum": 7.5}
    client.post(kind, PREDICT, json.dumps(seldon_named([row])).encode())


if __name__ == "__main__":
    what, plan = sys.argv[1], json.loads(sys.argv[2])
    counted = {"fuzz": fuzz, "mixed": mixed}[what](plan)
    print(json.dumps([[kind, status, count] for (kind, status), count in sorted(counted.items())]))
