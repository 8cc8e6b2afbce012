"""How the evaluation rows are cut into slices, each of which has to pass the gates of its own."""

from __future__ import annotations

from pedalflow.use_case import SliceFeature

SLICES: tuple[SliceFeature, ...] = (
    SliceFeature("season", "season", {"winter": (1,), "spring": (2,), "summer": (3,), "autumn": (4,)}),
    SliceFeature("working_day", "workingday", {"no": (0,), "yes": (1,)}),
    SliceFeature(
        "hour_band",
        "hr",
        {
            "night": (0, 1, 2, 3, 4, 5),
            "morning_peak": (6, 7, 8, 9),
            "midday": (10, 11, 12, 13, 14, 15),
            "evening_peak": (16, 17, 18, 19),
            "evening": (20, 21, 22, 23),
        },
    ),
    # Code 4 (heavy rain) has three rows in two years: alone it could never be judged.
    SliceFeature("weather", "weathersit", {"clear": (1,), "mist": (2,), "rain": (3, 4)}),
)
