"""The report of a loop: one self-contained HTML page, its picture as a file of its own, and the table that the terminal shows."""

from pipelines.report.files import load, write
from pipelines.report.html import render
from pipelines.report.summary import terminal_table

__all__ = ["load", "render", "terminal_table", "write"]
