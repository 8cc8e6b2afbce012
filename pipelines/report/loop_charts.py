"""The smaller charts of the loop: how near the detectors came to their limits, and where the time went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from pedalflow import svg
from pedalflow.loop_record import LoopScore, Phase
from pedalflow.svg import Element, Scale
from pipelines.report import drawings
from pipelines.report import plot as plots
from pipelines.report.drawings import FULL, NARROW
from pipelines.report.loop_picture import SIGN, Sign, month_names, signs
from pipelines.report.loop_story import ASKS, Story, alarm_text, verdict_place
from pipelines.report.plot import BOTTOM, LEFT, TEXT_DROP, Plot
from pipelines.report.wording import Model, seconds, shortened

DETECTORS: Mapping[str, Model] = {
    "concept-drift": Model("concept-drift", "Concept drift", "Concept", "new"),
    "drift": Model("drift", "Data drift", "Data", "previous"),
}
HIGHEST = 6.0  # times the limit; what lies above is drawn at the top
SIGNS_TOP, SCORES_TOP, HEIGHT, RIGHT = 10.0, 40.0, 250.0, 66.0
ROW, ROW_GAP = 15.0, 9.0


@dataclass(frozen=True)
class Verdict:
    """A verdict as it is drawn: where, its score as a multiple of its limit, and which chapter it led to (0: none)."""

    score: LoopScore
    day: float
    ratio: float
    number: int


def verdicts(story: Story) -> tuple[Verdict, ...]:
    """The verdicts whose score can be compared with their limit, in the order of their days."""
    numbers = {chapter.run.id: chapter.number for chapter in story.chapters if chapter.run}
    found = (
        Verdict(
            score,
            verdict_place(story.record, score),
            score.score / score.threshold,
            numbers.get(score.run, 0),
        )
        for score in story.scores
        if score.threshold > 0
    )
    return tuple(sorted(found, key=lambda verdict: (verdict.score.detector, verdict.day)))


def scores(story: Story, name: str) -> Markup:
    """Score ÷ limit of every verdict, a line for each detector and release, and above it the numbers of what they led to."""
    known = verdicts(story)
    highest = min(max((verdict.ratio for verdict in known), default=1.0), HIGHEST)
    drifted = sum(verdict.score.is_drift for verdict in known)
    asked = [verdict for verdict in known if verdict.score.outcome == ASKS]
    text = f"{len(known)} verdicts, {drifted} of them drift, {len(asked)} asked for a run."

    def draw(width: int, key: str) -> Element:
        root = svg.canvas(width, HEIGHT, key, "Scores of the detectors, divided by their limits", text)
        left = LEFT - 8
        plot = plots.axes(
            root,
            Scale(0, story.days, left, width - RIGHT),
            (0, max(highest, 1.2)),
            SCORES_TOP,
            HEIGHT - BOTTOM,
        )
        month_names(plot, story, width == NARROW)
        _limit(plot)
        for _, group in groupby(known, key=lambda verdict: verdict.score.detector):
            _detector(plot, tuple(group))
        signs(root, [_sign(verdict) for verdict in asked], plot.x, SIGNS_TOP, SCORES_TOP - SIGN)
        return root

    return drawings.responsive(draw, name, FULL)


def _sign(verdict: Verdict) -> Sign:
    return Sign(verdict.day, verdict.number, "calm", False, alarm_text(verdict.score))


def _limit(plot: Plot) -> None:
    y = svg.number(plot.y(1))
    line = f"M{svg.number(plot.x.start)} {y}H{svg.number(plot.x.end)}"
    svg.add(plot.root, "path", d=line, class_="limit")
    svg.add(plot.root, "text", "limit", x=plot.x.end + 8, y=plot.y(1) + TEXT_DROP, class_="label bad")


def _detector(plot: Plot, found: Sequence[Verdict]) -> None:
    """A line for each release that was judged, a dot for each verdict of drift."""
    model = DETECTORS.get(
        found[0].score.detector, Model("", found[0].score.detector, found[0].score.detector, "naive")
    )
    for release in dict.fromkeys(verdict.score.release for verdict in found):
        of_release = [verdict for verdict in found if verdict.score.release == release]
        plots.line(plot, ((v.day, min(v.ratio, HIGHEST)) for v in of_release), f"{model.style} thin")
        for verdict in of_release:
            _dot(plot, verdict, model)


def _dot(plot: Plot, verdict: Verdict, model: Model) -> None:
    style = "drifted" if verdict.score.is_drift else model.style
    radius = 2.4 if verdict.score.is_drift else 1.4
    x, y = plot.x(verdict.day), plot.y(min(verdict.ratio, HIGHEST))
    dot = svg.add(plot.root, "circle", cx=x, cy=y, r=radius, class_=f"dot {style}")
    svg.add(dot, "title", alarm_text(verdict.score))


def phases(parts: Sequence[Phase], name: str) -> Markup:
    """Wall seconds of each phase as bars."""
    longest = max((phase.wall_s for phase in parts), default=0.0) or 1.0
    total = sum(phase.wall_s for phase in parts)

    def draw(width: int, key: str) -> Element:
        root = svg.canvas(
            width,
            len(parts) * (2 * ROW + ROW_GAP if width == NARROW else ROW + ROW_GAP),
            key,
            "Time of each phase",
            f"{seconds(total)} in {len(parts)} phases.",
        )
        for index, phase in enumerate(parts):
            _phase(root, phase, index, longest, width)
        return root

    return drawings.responsive(draw, name, FULL)


def _phase(root: Element, phase: Phase, index: int, longest: float, width: int) -> None:
    """The name to the left of its bar; on a telephone above it."""
    narrow = width == NARROW
    top = index * (2 * ROW + ROW_GAP if narrow else ROW + ROW_GAP)
    x = Scale(0, longest, 0 if narrow else 290, width - 90)
    if narrow:
        svg.add(root, "text", shortened(phase.name, 50), x=0, y=top + 11, class_="tick strong")
        top += ROW
    else:
        name = shortened(phase.name, 46)
        svg.add(root, "text", name, x=282, y=top + ROW / 2 + TEXT_DROP, class_="tick strong end")
    right = x(phase.wall_s)
    svg.add(root, "rect", x=x.start, y=top, width=max(right - x.start, 1), height=ROW, class_="bar new")
    text = seconds(phase.wall_s)
    svg.add(root, "text", text, x=right + 8, y=top + ROW / 2 + TEXT_DROP, class_="tick strong")
