"""Commits the pointers of data that was taken in, if there are new ones, and pushes them on top of the newest main.

GITHUB_TOKEN=… python -m tools.push_pointers --message "Take in data"
"""

from __future__ import annotations

import argparse
import base64
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

POINTERS = "data/spans"
AUTHOR = ("-c", "user.name=Pedalflow CI", "-c", "user.email=pedalflow-ci@users.noreply.github.com")
SERVER = "https://github.com"


def with_token(surroundings: Mapping[str, str]) -> dict[str, str]:
    """The environment in which git hands the token to GitHub's server, and to nobody else; it stands in no command line and no file."""
    token = surroundings.get("GITHUB_TOKEN", "")
    kept = {name: value for name, value in surroundings.items() if name != "GITHUB_TOKEN"}
    if not token:
        return kept
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    server = surroundings.get("GITHUB_SERVER_URL", SERVER)
    return {
        **kept,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{server}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"AUTHORIZATION: basic {basic}",
        "GIT_TERMINAL_PROMPT": "0",
    }


def push(message: str, remote: str, branch: str, surroundings: Mapping[str, str]) -> bool:
    """Commit and push; whether there was anything to commit. Raises CalledProcessError where git refuses."""

    def git(*words: str, check: bool = True) -> int:
        return subprocess.run(["git", *AUTHOR, *words], env=surroundings, check=check).returncode

    git("add", POINTERS)
    if git("diff", "--cached", "--quiet", check=False) == 0:
        return False
    git("commit", "--message", message)
    git("fetch", remote, branch)
    git("rebase", "FETCH_HEAD")
    git("push", remote, f"HEAD:{branch}")
    return True


def main(argv: Sequence[str]) -> int:
    """Commit and push what there is; 1 where git refuses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--message", required=True, metavar="TEXT")
    parser.add_argument("--remote", default="origin", metavar="NAME|URL")
    parser.add_argument("--branch", default="main", metavar="NAME")
    asked = parser.parse_args(argv)
    try:
        made = push(asked.message, asked.remote, asked.branch, with_token(os.environ))
    except subprocess.CalledProcessError as error:
        print(
            f"{error}; where others took in the same span meanwhile, run the whole flow again",
            file=sys.stderr,
        )
        return 1
    print(
        f"the pointers are on {asked.branch}"
        if made
        else "nothing is new: the pointers are committed already"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
