"""What is shown of the address of a database: enough to know which one, and nothing that is secret."""

from __future__ import annotations

import pytest

from triggers.errors import StoreFailed
from triggers.store.database import Database


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@127.0.0.1:1/events?password=hidden",
        "postgresql+psycopg:///events?host=127.0.0.1&port=1&password=hidden&sslpassword=hidden",
        "mysql://me@db/events?password=hidden",
    ],
)
def test_no_password_is_shown_wherever_it_stands_in_the_address(url: str) -> None:
    with pytest.raises(StoreFailed) as refused:
        Database(url)
    assert "hidden" not in str(refused.value) and "/events" in str(refused.value)
