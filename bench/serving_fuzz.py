"""Malformed requests, the same ones every time: what clients with bugs and people with bad intentions send."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PREDICT, V2_INFER, FEEDBACK = "/api/v1.0/predictions", "/v2/models/pedalflow/infer", "/api/v1.0/feedback"
JSON = "application/json"
SEED = 20110101

Row = Mapping[str, Any]
ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        "",
        "NaN",
        "1",
        "2012-02-30",
        [],
        {},
        [1],
        -1,
        1e308,
        -1e308,
        2**63,
        -(2**63) - 1,
        10**30,
        0.5,
    ),
    *(float("nan"), float("inf"), "\u0000", "\ud800", "💥" * 50, "x" * 10_000),
)


@dataclass(frozen=True)
class Malformed:
    """One request and the kind of fault it has."""

    kind: str
    path: str
    body: bytes
    content_type: str = JSON


def requests(row: Row, count: int) -> Iterator[Malformed]:
    """So many malformed requests, made of one good `row`, all kinds in turn."""
    random_ = random.Random(SEED)
    makers = tuple(KINDS.items())
    for number in range(count):
        kind, make = makers[number % len(makers)]
        yield make(random_, row, kind)


def _message(row: Row) -> dict[str, Any]:
    return {"data": {"names": list(row), "ndarray": [list(row.values())]}}


def _encoded(content: Any) -> bytes:
    return json.dumps(content).encode("ascii")  # a lone surrogate stays an escape


def _random_bytes(chance: random.Random, row: Row, kind: str) -> Malformed:
    return Malformed(kind, PREDICT, chance.randbytes(chance.randrange(0, 300)))


def _cut_short(chance: random.Random, row: Row, kind: str) -> Malformed:
    body = _encoded(_message(row))
    return Malformed(kind, PREDICT, body[: chance.randrange(0, len(body))])


def _flipped_bytes(chance: random.Random, row: Row, kind: str) -> Malformed:
    body = bytearray(_encoded(_message(row)))
    for _ in range(chance.randrange(1, 6)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return Malformed(kind, PREDICT, bytes(body))


def _odd_value(chance: random.Random, row: Row, kind: str) -> Malformed:
    name = chance.choice(list(row))
    return Malformed(kind, PREDICT, _encoded(_message({**row, name: chance.choice(ODD_VALUES)})))


def _odd_value_in_a_batch(chance: random.Random, row: Row, kind: str) -> Malformed:
    rows = [list(row.values()) for _ in range(chance.randrange(2, 40))]
    chance.choice(rows)[chance.randrange(len(row))] = chance.choice(ODD_VALUES)
    return Malformed(kind, PREDICT, _encoded({"data": {"names": list(row), "ndarray": rows}}))


def _odd_names(chance: random.Random, row: Row, kind: str) -> Malformed:
    names: list[Any] = list(row)
    at = chance.randrange(len(names))
    faults: tuple[Callable[[], Any], ...] = (
        lambda: names.pop(at),
        lambda: names.append(chance.choice(("count", "", "x" * 5000))),
        lambda: names.__setitem__(at, chance.choice(ODD_VALUES)),
        lambda: names.__setitem__(at, names[at - 1]),
    )
    chance.choice(faults)()
    return Malformed(kind, PREDICT, _encoded({"data": {"names": names, "ndarray": [list(row.values())]}}))


def _odd_shape(chance: random.Random, row: Row, kind: str) -> Malformed:
    values = [0.5] * chance.randrange(0, 40)
    shape = [
        chance.choice((-1, 0, 1, 2, 3, 10**9, 2**40, "x", None, 1.5)) for _ in range(chance.randrange(0, 4))
    ]
    return Malformed(kind, PREDICT, _encoded({"data": {"tensor": {"shape": shape, "values": values}}}))


def _odd_form(chance: random.Random, row: Row, kind: str) -> Malformed:
    forms: tuple[Any, ...] = (
        *(
            chance.choice(ODD_VALUES),
            {"data": chance.choice(ODD_VALUES)},
            {"jsonData": chance.choice(ODD_VALUES)},
        ),
        *({"data": {"ndarray": chance.choice(ODD_VALUES)}}, {"data": {"tensor": chance.choice(ODD_VALUES)}}),
        *(
            {"strData": "x"},
            {"binData": "%%%"},
            {"binData": "AAAA"},
            {"data": {"tftensor": {}}},
            {"instances": [1]},
        ),
        *(
            {**_message(row), "meta": chance.choice(ODD_VALUES)},
            {**_message(row), "meta": {"puid": chance.choice(ODD_VALUES)}},
        ),
        *(
            {**_message(row), "meta": {"tags": chance.choice(ODD_VALUES)}},
            {**_message(row), "jsonData": [dict(row)]},
        ),
    )
    return Malformed(kind, PREDICT, _encoded(chance.choice(forms)))


def _deep(chance: random.Random, row: Row, kind: str) -> Malformed:
    depth = chance.choice((10, 500, 2000, 100_000))
    opening, closing = chance.choice((("[", "]"), ('{"data":', "}")))
    return Malformed(kind, PREDICT, (opening * depth + "1" + closing * depth).encode())


def _odd_v2(chance: random.Random, row: Row, kind: str) -> Malformed:
    tensor = {"name": "rows", "shape": [1, len(row)], "datatype": "FP64", "data": [0.5] * len(row)}
    name = chance.choice(list(tensor))
    faulty = {**tensor, name: chance.choice(ODD_VALUES)}
    inputs = chance.choice(([faulty], [], [tensor, tensor], chance.choice(ODD_VALUES)))
    return Malformed(kind, V2_INFER, _encoded({"inputs": inputs}))


def _odd_feedback(chance: random.Random, row: Row, kind: str) -> Malformed:
    parts: dict[str, Any] = {
        "request": _message(row),
        "response": {"meta": {"puid": chance.choice(ODD_VALUES)}},
        "truth": {"data": {"ndarray": chance.choice(ODD_VALUES)}},
        "reward": chance.choice(ODD_VALUES),
    }
    for name in chance.sample(list(parts), chance.randrange(0, 4)):
        parts[name] = chance.choice(ODD_VALUES)
    return Malformed(kind, FEEDBACK, _encoded(parts))


def _odd_content_type(chance: random.Random, row: Row, kind: str) -> Malformed:
    content_type = chance.choice(
        ("text/plain", "application/xml", "multipart/form-data", "", "application/json; charset=utf-16")
    )
    return Malformed(kind, PREDICT, chance.choice((b"", b"x=1", b"<a/>", b"--b\r\n")), content_type)


KINDS: Mapping[str, Callable[[random.Random, Row, str], Malformed]] = {
    "random bytes": _random_bytes,
    "cut short": _cut_short,
    "flipped bytes": _flipped_bytes,
    "a value": _odd_value,
    "a value in a batch": _odd_value_in_a_batch,
    "the names": _odd_names,
    "the shape": _odd_shape,
    "the form": _odd_form,
    "nested deeply": _deep,
    "V2": _odd_v2,
    "feedback": _odd_feedback,
    "content type": _odd_content_type,
}
