"""The workspaces of the arrivals' unit tests."""

from tests.unit.arrivals.conftest import first_year, january, workspace  # noqa: F401  # fixtures are found by name
