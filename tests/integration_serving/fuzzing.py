"""Malformed requests by the thousand, the same ones for the same seed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.integration_serving.servers import Server
from tests.samples.small_release import sample_rows

ROWS = sample_rows(4)
NAMES = list(ROWS[0])
PATHS = (
    "/predict",
    "/api/v1.0/predictions",
    "/v2/models/pedalflow/infer",
    "/send-feedback",
    "/api/v1.0/feedback",
)
ODD: tuple[Any, ...] = (
    None, True, False, "", "x", "NaN", -1, 2.5, 1e308, -1e308, 10**30, 2**63, [], {}, [[]], [None], {"a": 1}, "2011-13-45", "é" * 50,
    "0000-00-00", [[[[[]]]]], "\u0000", 1e-320,
)  # fmt: skip
TYPES = (
    "application/json",
    "text/plain",
    "multipart/form-data; boundary=B",
    "application/x-www-form-urlencoded",
    "",
)


def fuzz(server: Server, count: int, seed: int) -> Counter[int]:
    """Send so many requests; how often each HTTP code came back."""
    codes: Counter[int] = Counter()
    for path, body, content_type in malformed(count, seed):
        codes[server.post(path, body, {"Content-Type": content_type}).code] += 1
    return codes


def malformed(count: int, seed: int) -> Iterator[tuple[str, bytes, str]]:
    """Path, body and content type of requests of which most are wrong in one way or in several."""
    chance = random.Random(seed)
    for _ in range(count):
        path = chance.choice(PATHS)
        body = json.dumps(_mutated(chance, _message(chance, path))).encode()
        content_type = TYPES[0]
        if chance.random() < 0.3:
            body = chance.choice(DAMAGES)(chance, body)
        if chance.random() < 0.1:
            content_type = chance.choice(TYPES)
        yield path, body, content_type


def resident_bytes(pid: int) -> int:
    """The memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def _message(chance: random.Random, path: str) -> Any:
    rows = chance.sample(ROWS, chance.randint(1, 3))
    lists = [list(row.values()) for row in rows]
    flat = [value for row in lists for value in (14976, *row[1:])]
    shape = [len(rows), len(NAMES)]
    if path.startswith("/v2"):
        tensor = {"name": "rows", "shape": shape, "datatype": "FP64", "data": flat}
        return {"id": "a", "parameters": {"names": list(NAMES)}, "inputs": [tensor]}
    if "feedback" in path:
        truth = {"data": {"ndarray": [[1.0]] * len(rows)}}
        return {"response": {"meta": {"puid": "a"}}, "truth": truth, "reward": 1.0}
    data = chance.choice(
        (
            {"data": {"names": list(NAMES), "ndarray": lists}},
            {"data": {"names": list(NAMES), "tensor": {"shape": shape, "values": flat}}},
            {"jsonData": [dict(row) for row in rows]},
            {"jsonData": dict(rows[0])},
        )
    )
    return {**data, "meta": {"puid": "a", "tags": {"outlier": [False] * len(rows)}}}


def _mutated(chance: random.Random, value: Any) -> Any:
    """The value with something in it replaced, removed, doubled or added; seldom nothing."""
    roll = chance.random()
    if roll < 0.15:
        return chance.choice(ODD)
    if isinstance(value, dict) and value:
        changed = dict(value)
        key = chance.choice(sorted(changed))
        if roll < 0.25:
            del changed[key]
        elif roll < 0.32:
            changed[chance.choice(("data", "jsonData", "inputs", "strData", "binData", "x"))] = chance.choice(
                ODD
            )
        else:
            changed[key] = _mutated(chance, changed[key])
        return changed
    if isinstance(value, list) and value:
        place = chance.randrange(len(value))
        if roll < 0.25:
            return value[:place]
        if roll < 0.32:
            return [*value, value[place]]
        return [*value[:place], _mutated(chance, value[place]), *value[place + 1 :]]
    return chance.choice(ODD)


DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    lambda chance, body: body[: chance.randrange(len(body) + 1)],
    lambda chance, body: body.replace(b"1", b"NaN", 1),
    lambda chance, body: body.replace(b"1", b"1e999", 1),
    lambda chance, body: b"[" * chance.choice((10, 1000, 30_000)) + body,
    lambda chance, body: body[:10] + bytes(chance.randrange(256) for _ in range(5)) + body[10:],
    lambda chance, body: b"json=" + body,
    lambda chance, body: b"--B\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n" + body + b"\r\n--B--\r\n",
    lambda chance, body: b"--B\r\nContent-Disposition: form-data; name=\"binData\"; filename=\"x\"\r\n\r\n" + body + b"\r\n--B--\r\n",
    lambda chance, body: b"",
    lambda chance, body: body * 400,
)  # fmt: skip
