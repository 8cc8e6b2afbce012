"""What the report, its picture and the terminal say of the loop."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pedalflow.loop_record import BAD_RELEASE, LoopRecord, from_json, to_json
from pedalflow.loop_table import apart_from_staged, errors_apart_from_staged, loop_table
from pedalflow.run_record import to_json as run_to_json
from pipelines.report import write
from pipelines.report.drawings import NARROW
from pipelines.report.html import render
from pipelines.report.loop import loop_section, others, sentence
from pipelines.report.loop_picture import LEFT_NARROW, RIGHT, lanes_of, picture
from pipelines.report.loop_story import story_of
from pipelines.report.loop_svg import colours_resolved, standalone
from tests.samples.loop_record_sample import BAD, LATE, R1, R2, R4, R6, R7, loop_record_sample
from tests.samples.run_record import tiny_predictions, tiny_record

RECORD = loop_record_sample()
RUN = (tiny_record(), tiny_predictions())
SECTIONS = ("picture", "scores", "events", "rollouts", "staged", "versions", "phases")
HOSTILE = "</style><script>alert(1)</script>"


def page(record: LoopRecord = RECORD) -> str:
    return render([RUN], unit="rentals an hour", loop=record)


def bare(record: LoopRecord = RECORD) -> LoopRecord:
    """The same hours, in which nothing else happened."""
    hours = tuple(replace(hour, release=R1) for hour in record.hours)
    first = tuple(release for release in record.releases if release.name == R1)
    return replace(
        record, champion=R1, hours=hours, releases=first, scores=(), events=(), runs=(), rollouts=(), staged=(), phases=()
    )  # fmt: skip


def test_the_sample_is_the_same_at_every_call_and_survives_its_json() -> None:
    assert loop_record_sample() == RECORD
    assert from_json(to_json(RECORD)) == RECORD


def test_the_loop_comes_before_the_runs() -> None:
    text = page()

    places = [text.index(f'<section id="{name}"') for name in (*(f"loop-{s}" for s in SECTIONS), "newest")]
    assert places == sorted(places)
    assert places[-1] < text.index('<section id="comparison"')


def test_the_first_sentence_has_the_figures() -> None:
    said = sentence(RECORD)

    assert f"RMSE {RECORD.rmse:.1f} against {RECORD.rmse_without:.1f}" in said
    assert "lower error with retraining" in said and "5 retrainings, 4 of them promoted" in said
    assert said.endswith("17,568 requests, none failed.")


def test_a_loop_that_was_no_better_or_failed_requests_says_so() -> None:
    worse = replace(RECORD, rmse=RECORD.rmse_without * 1.28, failed_requests=3)

    assert "28 % higher error" in sentence(worse) and "3 failed" in sentence(worse)
    assert "28 % higher" in loop_table(worse) and "3 failed" in loop_table(worse)
    assert loop_section(worse).badge == ("bad", "✗ The loop")
    assert loop_section(RECORD).badge == ("good", "✓ The loop")


def test_a_staged_fault_that_nobody_caught_is_bad_news() -> None:
    missed = replace(RECORD.staged[0], caught=False, champion_after=BAD)
    record = replace(RECORD, staged=(missed, *RECORD.staged[1:]))

    assert loop_section(record).badge[0] == "bad"
    assert "✗ not by the door for new data" in page(record) and "✗ changed" in page(record)
    assert "NOT caught by the door for new data" in loop_table(record)


def test_the_error_apart_from_what_was_staged_leaves_the_same_hours_out_on_both_sides() -> None:
    apart = errors_apart_from_staged(RECORD)
    staged = [hour for hour in RECORD.hours if hour.release == BAD]

    assert apart.hours == len(RECORD.hours) - len(staged)
    total = apart.rmse_without**2 * apart.hours + sum((hour.without - hour.actual) ** 2 for hour in staged)
    assert total == pytest.approx(RECORD.rmse_without**2 * len(RECORD.hours))
    assert f"Without the {len(staged)} hours that the staged release answered" in page()


def test_where_nothing_staged_answered_there_is_no_second_figure() -> None:
    assert apart_from_staged(bare()) == ""
    assert "staged release" not in page(bare())


def test_releases_are_named_in_the_order_in_which_they_served() -> None:
    story = story_of(RECORD)

    assert list(story.names) == [R1, R2, BAD, R4, LATE, R6, R7]
    assert [story.name(reign.release) for reign in story.reigns] == ["R1", "R2", "R4", "R6", "R7"]
    assert story.reigns[0].first == 0.0 and story.reigns[-1].last == story.days == 366
    assert all(a.last == b.first for a, b in zip(story.reigns, story.reigns[1:]))


def test_a_canary_answers_before_it_is_champion_or_never_becomes_one() -> None:
    story = story_of(RECORD)
    since = {reign.release: reign.first for reign in story.reigns}

    assert [stretch.release for stretch in story.canaries] == [R2, BAD, R4, LATE, R6, R7]
    assert all(stretch.last <= since.get(stretch.release, 366) + 1e-6 for stretch in story.canaries)


def test_every_run_and_every_rollout_by_hand_has_one_number_in_the_order_of_asking() -> None:
    chapters = story_of(RECORD).chapters

    assert [chapter.number for chapter in chapters] == list(range(1, len(RECORD.runs) + 2))
    assert [chapter.asked for chapter in chapters] == sorted(chapter.asked for chapter in chapters)
    assert [chapter.staged for chapter in chapters if not chapter.run] == [BAD_RELEASE]


def test_each_number_of_the_picture_is_a_row_of_the_table() -> None:
    text = page()

    shown = {sign.number for lane in lanes_of(story_of(RECORD)) for sign in lane.signs}
    rows = {int(number) for number in re.findall(r'<tr id="loop-(\d+)">', text)}
    assert shown <= rows and rows == {chapter.number for chapter in story_of(RECORD).chapters}


@pytest.mark.parametrize(
    ("lane", "outcomes"),
    [
        ("Promoted", {"promoted"}),
        ("Rolled back", {"rolled back"}),
        ("Refused", {"refused", "data refused"}),
    ],
)
def test_a_lane_holds_what_ended_so_and_marks_what_was_staged(lane: str, outcomes: set[str]) -> None:
    story = story_of(RECORD)
    signs = next(row for row in lanes_of(story) if row.name == lane).signs

    expected = {
        chapter.number: bool(chapter.staged) for chapter in story.chapters if chapter.outcome in outcomes
    }
    assert {sign.number: sign.staged for sign in signs} == expected
    assert expected, "the sample has one of each"


def test_an_alarm_is_numbered_by_what_it_led_to_and_is_a_dot_where_it_led_to_nothing() -> None:
    alarms = next(row for row in lanes_of(story_of(RECORD)) if row.name == "Drift alarm")

    assert [sign.number for sign in alarms.signs] == [1, 2, 3, 8, 9]
    assert len(alarms.dots) == 1 and "drift of" in alarms.dots[0][1]


def test_drift_that_goes_on_and_leads_to_nothing_is_one_dot() -> None:
    unheard = next(score for score in RECORD.scores if score.is_drift and not score.run)
    longer = replace(unheard, day="2012-06-17", event="e-again")
    record = replace(RECORD, scores=(*(s for s in RECORD.scores if s.detector != "drift"), unheard, longer))

    assert [alarm.text[:10] for alarm in story_of(record).alarms if not alarm.number] == [unheard.day]


def test_a_verdict_that_does_not_say_its_day_is_left_out_of_the_drawings() -> None:
    scores = tuple(replace(score, day="") for score in RECORD.scores[:3])

    assert story_of(replace(RECORD, scores=scores)).scores == ()
    assert "gave no verdict" in page(replace(RECORD, scores=scores))


def test_many_signs_stay_inside_their_lane() -> None:
    runs = tuple(replace(RECORD.runs[3], id=f"q-{index}") for index in range(40))
    root = picture(story_of(replace(RECORD, runs=runs)), NARROW, "x")
    left, right = LEFT_NARROW, NARROW - RIGHT

    placed = [float(circle.get("cx", "nan")) for circle in root.iter("circle") if circle.get("r") == "8"]
    assert len(placed) > 80
    assert all(left - 0.1 <= at <= right + 0.1 for at in placed)


def test_a_run_that_only_judged_again_is_no_second_retraining() -> None:
    again = replace(RECORD.runs[1], id="q-again")

    assert sentence(replace(RECORD, runs=(*RECORD.runs, again))) == sentence(RECORD)


def test_of_many_runs_the_terminal_shows_those_that_count() -> None:
    dull = tuple(replace(RECORD.runs[3], id=f"q-dull-{index}", staged="") for index in range(20))
    table = loop_table(replace(RECORD, runs=(*RECORD.runs, *dull)))

    assert "and 20 more, which the report lists" in table
    assert "q-dull" not in table and "rolled back" in table and "(staged)" in table


def test_events_that_led_to_nothing_are_one_sentence() -> None:
    quiet = sum(not score.is_drift for score in RECORD.scores)

    assert f"{quiet} verdicts found no drift" in others(RECORD)
    assert "1 verdict saw drift and led to nothing (1 of the last 3 windows drift" in others(RECORD)
    assert "1 other event was only recorded (1 outliers)" in others(RECORD)
    assert "1 repeated delivery started nothing twice" in others(RECORD)


def test_a_row_tells_event_decision_run_and_outcome() -> None:
    text = page()
    row = text[text.index('<tr id="loop-2">') : text.index('<tr id="loop-3">')]

    ordered = ("2 days of concept drift", "asks for a run: the labels no longer follow", "an upload", "take in data first",
        "took in hours.csv", "trained until span 2", "promoted R2", "the canary is no worse")  # fmt: skip
    places = [row.index(words) for words in ordered]
    assert places == sorted(places)


def test_what_is_staged_is_marked_wherever_it_is_told() -> None:
    text = page()

    for start, end in (("loop-events", "loop-rollouts"), ("loop-rollouts", "loop-staged"), ("loop-versions", "loop-phases")):  # fmt: skip
        section = text[text.index(f'<section id="{start}"') : text.index(f'<section id="{end}"')]
        assert "staged: bad release" in section, start
    assert "staged: bad batch" in text and "staged: bad parameters" in text


def test_each_span_is_listed_once_with_its_hash_and_who_learned_from_it() -> None:
    rows = loop_section(RECORD).spans

    assert [row.span.number for row in rows] == list(range(1, 12))
    assert rows[0].releases[:2] == ("R1", "R2") and rows[-1].releases == ("R7",)
    assert all(row.span.md5 in page() for row in rows)


def test_two_contents_of_one_span_are_two_rows() -> None:
    old = RECORD.releases[0]
    other = replace(old, spans=(replace(old.spans[0], md5="f" * 32),))
    rows = loop_section(replace(RECORD, releases=(other, *RECORD.releases[1:]))).spans

    assert [row.span.number for row in rows[:3]] == [1, 1, 2]


def test_a_loop_in_which_nothing_happened_has_all_its_sections() -> None:
    text = page(bare())

    for words in ("No event led to anything", "No release was rolled out", "Nothing was staged", "gave no verdict"):  # fmt: skip
        assert words in text
    assert "no retraining" in sentence(bare())


def test_hostile_text_is_shown_and_not_run() -> None:
    run = replace(RECORD.runs[1], note=HOSTILE, outcome=HOSTILE)
    record = replace(
        RECORD,
        runs=(RECORD.runs[0], run, *RECORD.runs[2:]),
        events=tuple(replace(event, summary=HOSTILE, kind=HOSTILE) for event in RECORD.events),
    )

    assert "<script" not in page(record)
    assert "<script" not in standalone(record)


def test_ids_are_unique_and_the_page_is_the_same_every_time() -> None:
    text = page()
    ids = re.findall(r'\bid="([^"]+)"', text)

    assert len(ids) == len(set(ids))
    assert text == page()


def test_the_picture_is_a_whole_file_with_its_own_ground_and_colours() -> None:
    text = standalone(RECORD, "rentals an hour")
    root = ElementTree.fromstring(text)

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in text and "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert any(part.get("class") == "ground" for part in root)
    assert "promoted R2" in text and "staged bad batch: data refused" in text
    assert "Over all hours" in text and "rentals an hour" in text


def test_a_colour_that_the_page_does_not_know_is_an_error() -> None:
    assert colours_resolved(".a { fill: var(--paper); }") == ".a { fill: #fff; }"
    with pytest.raises(KeyError):
        colours_resolved(".a { fill: var(--nowhere); }")


def test_the_picture_is_written_beside_the_page(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(run_to_json(RUN[0]), encoding="utf-8")
    RUN[1].to_csv(run / "predictions.csv", index=False)

    path = write([run], tmp_path / "reports" / "report.html", loop=RECORD)

    assert sorted(item.name for item in path.parent.iterdir()) == ["loop.svg", "report.html"]
    assert (path.parent / "loop.svg").read_text(encoding="utf-8") == standalone(RECORD)


def test_the_terminal_tells_runs_faults_and_where_the_report_is() -> None:
    lines = loop_table(RECORD, Path("run/state/reports/report.html")).splitlines()

    assert lines[0].endswith("5 retrainings, 4 of them promoted; 17,568 requests, none failed.")
    assert sum(line.startswith("q-") for line in lines) == sum(bool(run.started) for run in RECORD.runs)
    assert "concept-drift, storage (staged)" in loop_table(RECORD)
    assert sum("caught by" in line for line in lines) == 3
    assert lines[-1] == "Report:   run/state/reports/report.html"
    assert len(lines) < 25


def test_the_terminal_says_of_a_run_that_never_started_what_it_waits_for() -> None:
    waits = [run for run in RECORD.runs if not (run.started or run.ended)]
    assert waits
    lines = [line for line in loop_table(RECORD).splitlines() if line.startswith("Waits:")]
    assert [line.split()[1].rstrip(",") for line in lines] == [run.id for run in waits]
    assert all(line.endswith(run.note) for line, run in zip(lines, waits))
