"""The event services, killed at one exact moment: `python stopped_events.py MOMENT COUNT …`, the rest as for `serving.event_server`.

committed   after the commit of the COUNT-th group of changes, before anybody hears of it
sent        after the broker took the COUNT-th event, before the outbox knows it
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from serving.event_server import main
from serving.outbox import Sender
from serving.state import State

_MOMENTS: dict[str, tuple[type, str]] = {"committed": (State, "_committed"), "sent": (Sender, "_post")}


def _killed_after(method: Callable[..., Any], count: int) -> Callable[..., Any]:
    calls = iter(range(1, count + 1))

    def killed(*arguments: Any) -> Any:
        result = method(*arguments)
        if next(calls) == count:
            os.killpg(0, signal.SIGKILL)
        return result

    return killed


if __name__ == "__main__":
    owner, name = _MOMENTS[sys.argv[1]]
    setattr(owner, name, _killed_after(getattr(owner, name), int(sys.argv[2])))
    sys.exit(main(sys.argv[3:]))
