"""The table of what is started on one machine: ports, wiring, and what may be left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from serving import local
from serving.event_server import read_arguments
from serving.executor_stand_in import ExecutorSettings, settings_from
from serving.local import Wish, parts
from serving.supervisor import Part

WISH = Wish(Path("/w/state/serving/champion.json"), Path("/w/state/serving"), port=22000)


def named(wish: Wish) -> dict[str, Part]:
    return {part.name: part for part in parts(wish)}


def executor_of(wish: Wish) -> ExecutorSettings:
    return settings_from(named(wish)[local.EXECUTOR].command[3:])


def parameters(part: Part) -> dict[str, str]:
    given = json.loads(part.command[part.command.index("--parameters") + 1])
    return {entry["name"]: entry["value"] for entry in given}


def test_the_edge_comes_first_because_it_is_stopped_first() -> None:
    assert next(part.name for part in parts(WISH)) == local.EXECUTOR


def test_no_two_parts_want_the_same_port_and_all_are_inside_the_block() -> None:
    ports = [port for part in parts(replace(WISH, canary=True)) for port in part.ports]
    assert len(set(ports)) == len(ports)
    assert all(22000 <= port < 22000 + local.BLOCK for port in ports)


def test_the_executor_is_wired_to_the_others() -> None:
    settings = executor_of(WISH)
    assert settings.predictor == named(WISH)["predictor"].address
    assert settings.outliers == named(WISH)["outliers"].address
    assert settings.explainer == named(WISH)["explainer"].address
    assert settings.events == named(WISH)["events"].address + "/"


@pytest.mark.parametrize("name", local.OPTIONAL)
def test_what_is_left_out_is_not_started_and_not_wired(name: str) -> None:
    wish = replace(WISH, without=frozenset({name}))
    assert name not in named(wish)
    assert getattr(executor_of(wish), name) == ""


@pytest.mark.parametrize("without", [frozenset(), frozenset({local.EVENTS})])
def test_the_predictor_keeps_its_own_log_so_that_no_answered_request_is_lost(without: frozenset[str]) -> None:
    given = parameters(named(replace(WISH, without=without))["predictor"])
    assert given["request_log"] == "/w/state/serving/requests"


def test_every_part_listens_on_the_host_that_is_asked_for_and_is_reached_on_this_machine() -> None:
    everywhere = replace(WISH, host="0.0.0.0")
    for part in parts(everywhere):
        assert "0.0.0.0" in " ".join(part.command)
        assert all("127.0.0.1" in probe.address for probe in part.probes)


def test_the_predictors_processes_are_as_many_as_asked_for() -> None:
    command = named(replace(WISH, workers=3))["predictor"].command
    assert command[command.index("--workers") + 1] == "3"


def test_grpc_is_probed_where_it_is_served() -> None:
    kinds = {part.name: [probe.kind for probe in part.probes] for part in parts(WISH)}
    assert kinds["predictor"] == ["http", "grpc"]
    assert kinds["outliers"] == ["http"]


def test_without_being_asked_for_there_is_no_canary() -> None:
    assert local.CANARY not in named(WISH)
    assert (executor_of(WISH).canary, executor_of(WISH).traffic) == ("", "")


def test_a_canary_is_a_predictor_that_follows_its_own_pointer_and_may_die() -> None:
    wish = replace(WISH, canary=True)
    canary, predictor = named(wish)["canary"], named(wish)["predictor"]
    assert (executor_of(wish).canary, executor_of(wish).traffic) == (canary.address, str(wish.traffic))
    assert parameters(canary) == {**parameters(predictor), "release": "/w/state/serving/canary.json"}
    assert (predictor.vital, canary.vital) == (True, False)


def test_the_event_services_are_told_of_the_broker_and_of_the_file_with_its_token() -> None:
    wish = replace(
        WISH, broker="http://127.0.0.1:9100/events/cloudevents", broker_token_file=Path("/w/token")
    )
    settings = read_arguments(named(wish)["events"].command[3:])
    assert (settings.broker, settings.broker_token_file) == (wish.broker, "/w/token")
    assert read_arguments(named(WISH)["events"].command[3:]).broker == ""
