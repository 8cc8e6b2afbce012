"""What GitHub says becomes events of code and of data, by the files of all commits of a push."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.samples.trigger_deliveries import Delivery, delivery
from triggers.errors import Refused
from triggers.events import COMMIT, PATHS, Kind, Source
from triggers.sources.github import CALLED
from triggers.sources.source_settings import SourceSettings

ID = "b5f6a310-51bd-11e1-8a6b-0d1c6e2f9a0"


def body_hash(name: str) -> str:
    return hashlib.sha256(delivery(f"github/{name}").body).hexdigest()


def push_of(*paths: str, **more: Any) -> Delivery:
    """A push of one commit that modified these files."""
    change = {"commits.0.modified": list(paths), "commits.0.added": [], "commits.0.removed": [], **more}
    return delivery("github/push_code").with_content(change)


def test_a_push_of_code_is_one_event_of_code():
    event = delivery("github/push_code").event()

    assert (event.source, event.kind) == (Source.GITHUB, Kind.CODE)
    assert event.delivery == f"{body_hash('push_code')}/code" and event.facts[CALLED] == f"{ID}1"
    assert event.subject == "pedal-example/pedalflow@main"
    assert event.summary == "1 commit changed code in 2 files: components/acceptance.py, params.yaml"
    assert event.facts[COMMIT] == "3f1c2b9e7d6a5f4e8c0b1a2d3e4f5a6b7c8d9e0f"
    assert event.facts[PATHS] == ["components/acceptance.py", "params.yaml"]
    assert event.facts["by"] == "ada-wheeler"


def test_it_happened_when_it_was_pushed_and_not_when_it_was_committed():
    assert delivery("github/push_code").event().occurred == 1328097004


def test_a_push_of_data_names_the_spans():
    event = delivery("github/push_data").event()

    assert (event.kind, event.delivery) == (Kind.DATA, f"{body_hash('push_data')}/data")
    assert event.facts["spans"] == ["span-02", "dvc.lock"]
    assert event.facts[PATHS] == ["data/spans/span-02.csv.dvc", "dvc.lock"]
    assert event.summary == "1 commit brought other versions of the data: span-02, dvc.lock"


def test_a_push_of_both_is_two_events_with_names_of_their_own():
    code, data = delivery("github/push_both").parsed()

    assert (code.kind, code.delivery) == (Kind.CODE, f"{body_hash('push_both')}/code")
    assert (data.kind, data.delivery) == (Kind.DATA, f"{body_hash('push_both')}/data")
    assert code.facts[COMMIT] == data.facts[COMMIT] == "9a8b7c6d5e4f30211203948576a5b4c3d2e1f001"


def test_the_form_and_the_json_say_the_same():
    (form,), (plain,) = delivery("github/push_form").parsed(), delivery("github/push_data").parsed()

    assert (form.kind, form.subject, form.summary) == (plain.kind, plain.subject, plain.summary)
    assert {**form.facts, CALLED: ""} == {**plain.facts, CALLED: ""}


@pytest.mark.parametrize(
    ("name", "subject", "summary"),
    [
        ("ping", "pedal-example/pedalflow", "GitHub says hello"),
        ("star", "pedal-example/pedalflow", "GitHub reports star"),
        ("push_other_branch", "pedal-example/pedalflow", "A push to ada/fortnight, not to main"),
        ("push_tag", "pedal-example/pedalflow", "A tag was pushed: v0.3.0"),
        ("branch_deleted", "pedal-example/pedalflow", "The branch main was deleted"),
        (
            "push_docs",
            "pedal-example/pedalflow@main",
            "A push of 1 commit, in which neither code nor data changed",
        ),
    ],
)
def test_what_changes_neither_code_nor_data_is_recorded(name: str, subject: str, summary: str):
    event = delivery(f"github/{name}").event()

    assert (event.kind, event.subject, event.summary) == (Kind.OTHER, subject, summary)
    assert event.delivery == body_hash(name)
    assert event.facts[CALLED] == delivery(f"github/{name}").headers["x-github-delivery"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("triggers/policy.py", Kind.CODE),
        ("Makefile", Kind.CODE),
        ("bikeshare/docs.py", Kind.CODE),
        ("data/raw/hour.csv.gz.dvc", Kind.DATA),
        ("span.dvc", Kind.DATA),
        ("dvc.lock", Kind.DATA),
        ("sub/dvc.lock", Kind.DATA),
        ("docs/images/a.png", Kind.OTHER),
        ("pipelines/README.md", Kind.OTHER),
        ("tests/unit/test_docs.py", Kind.OTHER),
        ("notebooks/look.ipynb", Kind.OTHER),
    ],
)
def test_a_file_says_what_a_push_is_about(path: str, kind: Kind):
    assert push_of(path).event().kind is kind


@pytest.mark.parametrize("change", ["added", "removed", "modified"])
def test_a_file_counts_however_it_changed(change: str):
    push = push_of().with_content({f"commits.0.{change}": ["data/spans/span-03.csv.dvc"]})

    assert push.event().kind is Kind.DATA


def test_the_files_of_every_commit_count():
    commit = delivery("github/push_code").content["commits"][0]
    first = {**commit, "modified": ["data/spans/span-03.csv.dvc"], "added": []}
    last = {**commit, "modified": ["README.md"], "added": []}

    assert push_of(commits=[first, last]).event().kind is Kind.DATA


def test_the_lists_of_paths_and_the_branch_are_settings():
    settings = SourceSettings(
        branch="release", data_paths=("*.parquet",), ignored_paths=(), code_paths=("src/*",)
    )

    def kind(path: str) -> Kind:
        return push_of(path, ref="refs/heads/release").event(settings).kind

    assert [kind("x/a.parquet"), kind("src/a.py"), kind("README.md")] == [Kind.DATA, Kind.CODE, Kind.OTHER]
    assert delivery("github/push_code").event(settings).kind is Kind.OTHER


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": 30}, "GitHub does not list all of its commits"),
        ({"commits.0.modified": ...}, "GitHub does not list its files"),
        ({"commits.0.added": ["docs/a.md"] * 3000}, "GitHub does not list all of its files"),
        ({"commits.0.modified": []}, "it lists no files"),
        ({"forced": True}, "it replaced commits, whose files nobody lists"),
    ],
)
def test_a_push_whose_files_are_not_all_known_counts_as_code_and_says_so(change: dict[str, Any], why: str):
    event = push_of("docs/a.md").with_content(change).event()

    assert event.kind is Kind.CODE
    assert event.summary == f"1 commit changed code, counted as code because {why}"


def test_a_push_of_more_commits_than_github_lists_counts_as_code():
    commit = {"added": [], "removed": [], "modified": ["docs/a.md"]}

    event = push_of(commits=[commit] * 2048).event()

    assert event.kind is Kind.CODE
    assert event.summary.startswith(
        "2,048 commits changed code, counted as code because GitHub does not list all"
    )


def test_a_forced_push_without_commits_counts_as_code():
    assert delivery("github/push_forced").event().kind is Kind.CODE


def test_a_push_of_which_data_is_known_and_more_is_not_is_both():
    events = push_of("dvc.lock", forced=True).parsed()

    assert [event.kind for event in events] == [Kind.CODE, Kind.DATA]


def test_only_a_hundred_paths_are_kept_and_the_summary_says_how_many_there_were():
    event = push_of(*(f"src/{number}.py" for number in range(250))).event()

    assert len(event.facts[PATHS]) == 100
    assert event.summary == "1 commit changed code in 250 files: src/0.py, src/1.py, src/2.py"


def test_no_header_makes_another_delivery_of_the_same_body_because_no_signature_covers_headers():
    sent = delivery("github/push_code")
    again = sent.with_headers(x_github_delivery="another").event()
    other_push = sent.with_content({"repository.pushed_at": 1328097005}).event()

    assert again.delivery == sent.event().delivery
    assert other_push.delivery != sent.event().delivery


@pytest.mark.parametrize("missing", ["x_github_event", "x_github_delivery"])
def test_a_delivery_without_githubs_headers_is_refused(missing: str):
    with pytest.raises(Refused, match=missing.replace("_", "-")) as refused:
        delivery("github/push_code").with_headers(**{missing: None}).parsed()

    assert refused.value.rule == "HEADER"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ref": ...}, "ref must be a string"),
        ({"after": "main"}, "after must be the full hash"),
        ({"commits": {}}, "commits must be an array, but is an object"),
        ({"commits": [3]}, r"commits\[0\] must be a JSON object, but is a number"),
        ({"commits.0.added": "a"}, r"commits\[0\].added must be an array, but is a string"),
        ({"commits.0.added": [None]}, r"commits\[0\].added must be a string"),
    ],
)
def test_a_push_of_another_form_is_refused_by_the_field(change: dict[str, Any], message: str):
    with pytest.raises(Refused, match=message) as refused:
        delivery("github/push_code").with_content(change).parsed()

    assert refused.value.rule == "FIELD"


@pytest.mark.parametrize("body", ["", "payload", "other=1", "payload=%ff", "payload=", "é=1"])
def test_a_form_without_a_payload_is_refused(body: str):
    form = delivery("github/push_form")

    with pytest.raises(Refused):
        Delivery(form.source, form.headers, body).parsed()


def test_the_recorded_form_is_what_its_content_type_says():
    form = delivery("github/push_form")

    assert form.content.startswith("payload=%7B")
    with pytest.raises(json.JSONDecodeError):
        json.loads(form.body)
