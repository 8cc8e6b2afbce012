"""Writes the dashboards of `panels.py` as Grafana reads them: `python -m tools.monitoring.dashboards`, by hand and after each change."""

from __future__ import annotations

import json
import sys
from typing import Any

from tools.monitoring.panels import DASHBOARDS
from tools.monitoring.plain import MANIFESTS
from tools.monitoring.shape import Dashboard, Panel, Query

FOLDER = MANIFESTS / "dashboards"
SCHEMA_VERSION = 39  # of Grafana 10.4 and later, which bring older ones up to theirs by themselves
_WIDTH, _HEIGHT = 12, 8  # of a panel; a row is 24 wide
_LINES = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
_STATES = {"legend": {"showLegend": False}, "mergeValues": True, "showValue": "never"}
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def model(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON model of a dashboard."""
    return {
        "uid": f"pedalflow-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["pedalflow"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
            ]
        },
        "panels": [_panel(number, panel) for number, panel in enumerate(dashboard.panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, 2)
    return {
        "id": number + 1,
        "type": "state-timeline" if panel.states else "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **_limit(panel.limit)}, "overrides": []},
        "options": _STATES if panel.states else _LINES,
        "targets": [_target(chr(ord("A") + index), query) for index, query in enumerate(panel.queries)],
    }


def _limit(limit: float | None) -> dict[str, Any]:
    if limit is None:
        return {}
    steps = [{"color": "green", "value": None}, {"color": "red", "value": limit}]
    return {
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {"thresholdsStyle": {"mode": "line"}},
    }


def _target(letter: str, query: Query) -> dict[str, Any]:
    return {"refId": letter, "datasource": _SOURCE, "expr": query.expression, "legendFormat": query.legend}


def text(dashboard: Dashboard) -> str:
    """The file of a dashboard."""
    return json.dumps(model(dashboard), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write every file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.name}.json").write_text(text(dashboard), encoding="utf-8")
    print(f"wrote {len(DASHBOARDS)} dashboards to {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
