"""Opening the database of events to look only, beside a service that runs or does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pedalflow.workspace import Workspace
from triggers.settings import database_url, own_database, read_settings
from triggers.store.store import Store


@contextmanager
def looking(workspace: Workspace, url: str | None = None) -> Iterator[Store | None]:
    """The store to read from: at `url`, else where the environment says, else in the workspace; None where that has none yet.

    Raises:
        StoreFailed: the database does not answer, or is none of ours.
        SettingsError: the environment names a database in a way that cannot be used.
    """
    url = url or database_url(read_settings(), workspace)
    if url == own_database(workspace) and not workspace.triggers_database.is_file():
        yield None
        return
    with closing(Store(url, read_only=True)) as store:
        yield store
