"""From any id to everything it is tied to, on a small history that was written with the real store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pedalflow.request_log import LoggedRequest
from pedalflow.workspace import Workspace
from tests.samples.triggers_story import (
    ACCUSING,
    FIRST,
    FIRST_TRAINING,
    NEW_COMMIT,
    NOT_ENOUGH,
    OLD_COMMIT,
    REFUSED_TRAINING,
    ROLLOUT,
    SECOND,
    SECOND_TRAINING,
    Names,
    write_log,
    write_records,
    write_story,
)
from triggers.store.store import Store
from triggers.trace import Thing, Tie, Trace, trace
from triggers.tracing.graph import as_json
from triggers.tracing.ids import NotTraceable
from triggers.tracing.readers import NothingKept, Readers, workspace_readers
from triggers.tracing.text import as_text
from triggers.tracing.weaving import MOST


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture(scope="module")
def names(workspace: Workspace) -> Names:
    return write_story(workspace)


@pytest.fixture(scope="module")
def readers(workspace: Workspace, names: Names) -> Iterator[Readers]:
    with closing(Store(f"sqlite:///{workspace.triggers_database}", read_only=True)) as store:
        yield workspace_readers(workspace, store)


def ties(found: Trace) -> set[tuple[str, Tie, str]]:
    return {(edge.source, edge.said, edge.target) for edge in found.edges}


def test_a_request_leads_to_its_release_run_data_commit_and_the_event_that_caused_all_of_it(
    readers: Readers, names: Names
) -> None:
    assert ties(trace("order-2", readers)) >= {
        (SECOND, Tie.ANSWERED, "order-2"),
        (SECOND_TRAINING, Tie.MADE, SECOND),
        ("span-01", Tie.TRAINED, SECOND_TRAINING),
        ("span-02", Tie.TRAINED, SECOND_TRAINING),
        (NEW_COMMIT, Tie.BUILT, SECOND_TRAINING),
        (names.run, Tie.STARTED, SECOND_TRAINING),
        (names.accusing, Tie.ASKED_FOR, names.run),
        ("2012-01-09", Tie.JUDGED_BY, names.accusing),
        (FIRST, Tie.ACCUSED_BY, names.accusing),
        ("order-2", Tie.CAME_WITH, names.clearing),
    }


def test_the_span_of_a_trace_carries_the_hash_by_which_dvc_knows_it(readers: Readers) -> None:
    assert trace("order-1", readers).node("span-01").facts["md5"] == "1" * 32


def test_a_request_tells_its_prediction_and_the_label_that_came_back(readers: Readers) -> None:
    title = trace("order-1", readers).node("order-1").title
    assert title == "1 row at 2026-01-01 12:00, predicted 12.5; labels that came back: 11.0"


def test_a_release_knows_who_accuses_it_what_replaced_it_and_what_it_replaced(
    readers: Readers, names: Names
) -> None:
    first, second = trace(FIRST, readers), trace(SECOND, readers)
    assert {
        (FIRST, Tie.REPLACED_BY, SECOND),
        (FIRST, Tie.ACCUSED_BY, names.accusing),
        (names.accusing, Tie.ASKED_FOR, names.run),
    } <= ties(first)
    assert {(FIRST, Tie.REPLACED_BY, SECOND), (SECOND, Tie.ACCUSED_BY, names.lonely)} <= ties(second)
    assert (SECOND, Tie.CLEARED_BY, names.clearing) not in ties(second)
    assert second.notes == (f"events about {SECOND} that found no drift: 1",)


@pytest.mark.parametrize(
    ("id", "said"),
    [
        (FIRST, f"{FIRST} was replaced by {SECOND}."),
        (SECOND, f"{SECOND} serves now."),
        (FIRST_TRAINING, f"No event is known that asked for training {FIRST_TRAINING}"),
        ("unanswered", "Nothing in the logs says which release answered request unanswered."),
        ("span-02", f"span-02 was used by 2 trainings: {REFUSED_TRAINING}, {SECOND_TRAINING}."),
        ("span-03", "No training is known that span-03 was used by."),
        (OLD_COMMIT, f"{OLD_COMMIT} was the code of 1 training: {FIRST_TRAINING}."),
    ],
)
def test_the_answer_says_first_what_one_wants_to_know(readers: Readers, id: str, said: str) -> None:
    assert said in trace(id, readers).answer


def test_why_did_this_run_start(readers: Readers, names: Names) -> None:
    found = trace(names.run, readers)
    assert found.answer == (
        f"Run {names.run} started because the labels no longer follow the predictions ({names.accusing}: "
        f"{ACCUSING.summary}). It succeeded (promoted) 2 min after its start at 2026-01-01 00:01."
    )
    assert {(names.run, Tie.STARTED, SECOND_TRAINING), (SECOND_TRAINING, Tie.MADE, SECOND)} <= ties(found)


def test_why_has_this_run_not_started(readers: Readers, names: Names) -> None:
    answer = trace(names.waiting, readers).answer
    assert f"Run {names.waiting} has not started: it waits, and is due at 2012-01-10 00:01" in answer
    assert names.upload in answer and names.commit in answer


def test_why_did_this_alert_not_start_a_run(readers: Readers, names: Names) -> None:
    found = trace(names.lonely, readers)
    assert found.answer == f"Event {names.lonely} started no run: {NOT_ENOUGH}."
    assert ties(found) == {
        ("2012-01-10..2012-01-16", Tie.JUDGED_BY, names.lonely),
        (SECOND, Tie.ACCUSED_BY, names.lonely),
    }


def test_an_event_that_joined_says_so_and_leads_to_what_it_joined(readers: Readers, names: Names) -> None:
    found = trace(names.commit, readers)
    assert found.answer.startswith(f"Event {names.commit} joined run {names.waiting}: ")
    assert {
        (names.commit, Tie.JOINED, names.waiting),
        (names.upload, Tie.ASKED_FOR, names.waiting),
        ("span-02", Tie.PUSHED, names.commit),
        (NEW_COMMIT, Tie.PUSHED, names.commit),
    } <= ties(found)


def test_an_event_that_is_not_decided_says_so(readers: Readers, names: Names) -> None:
    assert trace(names.undecided, readers).answer == f"Event {names.undecided} is not decided yet."


def test_a_refused_training_names_the_rule_that_refused_it(readers: Readers) -> None:
    assert "refused (rmse, overall: 90.0 is above 60.0)" in trace(REFUSED_TRAINING, readers).nodes[0].title


@pytest.mark.parametrize(("id", "event"), [("span-02", "commit"), (NEW_COMMIT, "commit")])
def test_data_and_commits_lead_to_what_announced_them_and_what_they_went_into(
    readers: Readers, names: Names, id: str, event: str
) -> None:
    found = trace(id, readers)
    assert (id, Tie.PUSHED, getattr(names, event)) in ties(found)
    assert {edge.target for edge in found.edges if edge.source == id} >= {SECOND_TRAINING, REFUSED_TRAINING}
    assert (names.run, Tie.STARTED, SECOND_TRAINING) in ties(found)


def test_a_release_was_tried_in_its_rollout_which_can_be_asked_for(readers: Readers) -> None:
    assert (SECOND, Tie.TRIED_IN, ROLLOUT) in ties(trace(SECOND, readers))
    assert trace(ROLLOUT, readers).answer == (
        f"Release {SECOND} was tried on live requests: promoted, 2026-01-01 00:00: its errors are lower."
    )


def test_a_day_leads_to_the_verdict_on_it_and_to_what_that_started(readers: Readers, names: Names) -> None:
    found = trace("2012-01-09", readers)
    assert found.answer.startswith(f"Event {names.accusing} asked for run {names.run}: the labels no longer")
    assert (SECOND_TRAINING, Tie.MADE, SECOND) in ties(found)


def test_whatever_a_trace_shows_can_be_asked_for_itself(readers: Readers, names: Names) -> None:
    starts = (names.run, names.lonely, names.commit, FIRST, SECOND, REFUSED_TRAINING, "span-02", "order-2")
    shown = {node.id for id in starts for node in trace(id, readers).nodes}
    assert {trace(id, readers).start for id in shown} == shown


def test_the_start_comes_first_and_every_tie_has_its_two_nodes(readers: Readers, names: Names) -> None:
    for id in (names.run, names.commit, FIRST, SECOND_TRAINING, "span-01", NEW_COMMIT, "order-1"):
        found = trace(id, readers)
        known = {node.id for node in found.nodes}
        assert found.nodes[0].id == found.start == id
        assert {end for edge in found.edges for end in (edge.source, edge.target)} <= known
        assert len(known) == len(found.nodes)


@pytest.mark.parametrize(
    ("beginning", "whole"),
    [
        ("span-01-a", FIRST_TRAINING),
        ("bbbb", NEW_COMMIT),
        ("order-1", "order-1"),
        ("unans", "unanswered"),
        ("span-03", "span-03"),
    ],
)
def test_a_beginning_that_only_one_id_has_is_enough(readers: Readers, beginning: str, whole: str) -> None:
    assert trace(beginning, readers).start == whole


def test_a_whole_id_counts_though_others_begin_with_it() -> None:
    assert trace("span-1", Readers(NothingKept(), spans=frozenset(("span-10", "span-1")))).start == "span-1"


def test_a_run_and_an_event_are_found_by_their_beginning(readers: Readers, names: Names) -> None:
    assert trace(names.run[:-1], readers).start == names.run
    assert trace(names.accusing[:-1], readers).start == names.accusing


@pytest.mark.parametrize(
    ("beginning", "candidates"),
    [
        ("r-0", (SECOND, FIRST)),
        ("order-", ("order-1", "order-2")),
        ("span-0", ("span-01", "span-02", "span-03")),
        ("span-02-", (SECOND_TRAINING, REFUSED_TRAINING)),
    ],
)
def test_a_beginning_that_several_ids_have_lists_them(
    readers: Readers, beginning: str, candidates: tuple[str, ...]
) -> None:
    with pytest.raises(NotTraceable, match="is the beginning of several ids") as refused:
        trace(beginning, readers)
    assert sorted(refused.value.candidates) == sorted(candidates)


@pytest.mark.parametrize("unknown", ["q-000", "e-000", "r-9", "span-77", "deadbeef", "nobody", "", "%", "*"])
def test_an_unknown_id_says_which_kinds_of_ids_there_are(readers: Readers, unknown: str) -> None:
    with pytest.raises(NotTraceable, match=r"a run \(q-…\), an event \(e-…\), a release") as refused:
        trace(unknown, readers)
    assert refused.value.candidates == ()


def test_what_looks_like_another_kind_of_id_may_be_a_request(readers: Readers) -> None:
    logged = {"q-from-a-client": LoggedRequest("q-from-a-client", release=FIRST, predictions=(1.0,))}
    asked = replace(readers, request=logged.get)
    assert trace("q-from-a-client", asked).nodes[0].kind is Thing.REQUEST


def test_without_a_database_trainings_and_requests_are_still_tied(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_records(workspace)
    write_log(workspace)
    found = trace("order-1", workspace_readers(workspace, NothingKept()))
    assert (FIRST_TRAINING, Tie.MADE, FIRST) in ties(found)
    assert found.node(FIRST).facts == {"serves": False}


def test_a_record_that_cannot_be_read_is_named_and_the_rest_is_told(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_records(workspace)
    broken = workspace.runs / REFUSED_TRAINING / "run.json"
    broken.write_text("{", encoding="utf-8")
    found = trace(FIRST_TRAINING, workspace_readers(workspace, NothingKept()))
    assert len(found.notes) == 1 and str(broken) in found.notes[0]


def test_many_events_behind_one_run_are_cut_and_that_is_said(tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{tmp_path / 'events.sqlite'}")) as store:
        store.accept(
            [
                replace(ACCUSING, delivery=str(number), facts=dict(ACCUSING.facts))
                for number in range(MOST + 5)
            ]
        )
        found = trace(FIRST, Readers(store, champion=FIRST))
    assert len(found.edges) == 2 * MOST
    assert found.notes == (f"only {MOST} of the events that accuse it are shown",)


def test_the_tree_tells_every_tie_once_and_every_thing_in_full_once(readers: Readers, names: Names) -> None:
    found = trace(FIRST, readers)
    text = as_text(found)
    lines = text.splitlines()
    assert lines[0] == found.answer
    assert lines[2] == f"release {FIRST}: served before"
    assert len([line for line in lines if "─ " in line or line.startswith("Also: ")]) == len(found.edges)
    assert f"└─ was accused by event {names.accusing}" in text
    assert text.count("span-01: 8645 rows") == 1 and text.count("trained on span-01") == 2


def test_the_tree_shows_what_was_decided_and_why(readers: Readers, names: Names) -> None:
    assert f"(recorded only: {NOT_ENOUGH})" in as_text(trace(SECOND, readers))


def test_the_json_names_both_ends_of_every_tie(readers: Readers, names: Names) -> None:
    found = as_json(trace(names.lonely, readers))
    assert found["start"] == names.lonely
    assert {"from": SECOND, "to": names.lonely, "said": "was accused by"} in found["edges"]
    assert found["nodes"][0]["kind"] == "event"


def test_every_tie_reads_both_ways() -> None:
    assert all(tie.back != tie.value or tie is Tie.CAME_WITH for tie in Tie)
