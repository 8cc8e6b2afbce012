"""The dashboards as tables, one file each."""

from __future__ import annotations

from tools.monitoring.panels_model import MODEL
from tools.monitoring.panels_platform import PLATFORM
from tools.monitoring.panels_retraining import RETRAINING
from tools.monitoring.panels_serving import SERVING
from tools.monitoring.shape import Query

DASHBOARDS = (SERVING, MODEL, RETRAINING, PLATFORM)


def queries() -> list[Query]:
    """Every query of every panel."""
    return [query for dashboard in DASHBOARDS for panel in dashboard.panels for query in panel.queries]
