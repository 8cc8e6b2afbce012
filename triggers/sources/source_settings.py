"""What the parsers have to know of this installation: the branch, which files are code or data, the object that completes an upload."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceSettings:
    """Settings of the parsers. In the lists of paths `*` stands for any characters, slashes included.

    Args:
        branch: pushes to this branch count; pushes to others are recorded only.
        data_paths: files whose change is a commit of data. They are looked at first.
        ignored_paths: files whose change is no reason to do anything.
        code_paths: files whose change is a change of code, if they are in none of the other two lists.
        marker: name of the object that is uploaded last, and so says that a batch is complete.
        model: what the subject of an event is called where the event does not name the model.
    """

    branch: str = "main"
    data_paths: tuple[str, ...] = ("*.dvc", "dvc.lock", "*/dvc.lock")
    ignored_paths: tuple[str, ...] = ("docs/*", "*.md", "tests/*", "notebooks/*")
    code_paths: tuple[str, ...] = ("*",)
    marker: str = "_SUCCESS"
    model: str = "model"
