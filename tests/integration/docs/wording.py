"""A script of the docs as it is executed here: addresses are those of the test, placeholders are filled, what runs until Ctrl-C goes to
another terminal, and what takes long takes less. Each is a rule, none is about one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FIRST_PORT = 9000
TRIGGERS = 100  # above the first port


@dataclass(frozen=True)
class Addresses:
    """Where things are that the docs have at a usual place: the first port of a block, and the services that stand-ins are."""

    first_port: int
    kubeflow: str
    registry: str
    prometheus: str


_UNTIL_CTRL_C = (  # the terminal, what the command begins with, what it prints once it is ready, and the options that it gets
    ("serve", r"pedalflow (?:--json )?(?:--workspace \S+ )?serve\b", "127.0.0.1", "--port {port}"),
    ("triggers", r"pedalflow triggers serve\b", "Ctrl-C stops the service", "--port {triggers}"),
    (
        "notebook",
        r"pedalflow (?:--workspace \S+ )?notebook\b",
        "/lab?token=",
        "--no-browser --port {notebook}",
    ),
    (
        "prometheus",
        r"\.venv/delivery/bin/python -m tools\.monitoring\.local\b",
        "Ctrl-C stops it",
        "--first-port {port} --port {prometheus}",
    ),
)
_SMALLER = (
    (r"(pedalflow rollout \S+ --cluster[^#\n]*)", r"\1 {cluster} "),
    (r"((?<!-n )pedalflow rollout (?!.*--cluster)[^#\n]+)", r"\1 --patience-s 1 "),  # nobody sends labels
    # Without a host it stands in a pod, where the registry's own name leads to it.
    (r"(pedalflow submit (?!.*--host |.*--registry-uri )[^#\n]*)", r"\1 --registry-uri {registry} "),
    (r"(pedalflow rehearse \S+)(?!.*--help|.*--until-span)", r"\1 --until-span 1 "),
    # The environments are those of another checkout, which is the one thing that it finds wrong.
    (r"^( *)pedalflow doctor\b", r"\1{{ pedalflow doctor || [ $? = 1 ]; }}"),
    (r"^( *)(pedalflow rehearse )(?!.*--help)", r"\1once \2"),
    (
        r"(pedalflow [^#\n]*\bserve\b[^#\n]*--seconds )\d+",
        r"\g<1>1800",
    ),  # the blocks after it speak to it, however slow
)
_PLACEHOLDERS = (
    (r"(?<=pedalflow rollout )r-[\w…]+(?![\w…])(?! --cluster)", "$(another_release)"),
    (r"\br-(?:…|[0-9a-f]{4,12}\b)", "$(release)"),
    (r"(?<=pedalflow trace )ID", "$(release)"),
    (r"(?<=pedalflow trace )q-[\w…]+", "$(run)"),
    (r"(?<=pedalflow trace )e-[\w…]+", "$(event)"),
    (r"sha256:…", "sha256:" + "0123456789abcdef" * 4),
    (r"(?<=--version )(?:version-\d+|[0-9a-f]{12}-[0-9a-f]{8})", "$(version)"),
    (r"(?<=pedalflow submit )… ", ""),
    (r"(?<=[0-9a-f]{7})…", ""),
    (r"(?<=dist/)\S+\.whl", "*.whl"),
    (r"\.venv/pipelines/bin/pedalflow", "pedalflow"),
    (r"(?<=--data )/tmp/prometheus", "$DOCS_PLACE/prometheus"),
)


def as_executed(script: str, at: Addresses) -> str:
    """The script, with all rules applied. What single quotes hold is data and stays, but for addresses."""
    ports = {
        "port": at.first_port,
        "triggers": at.first_port + TRIGGERS,
        "notebook": at.first_port + TRIGGERS - 1,
        "prometheus": at.first_port + TRIGGERS - 2,
    }
    cluster = f"--prometheus {at.prometheus} --steps 50 --hold-s 0.01 --available-s 60"
    for pattern, filled in _SMALLER:
        script = re.sub(
            pattern, filled.format(cluster=cluster, registry=at.registry), script, flags=re.MULTILINE
        )
    for pattern, filled in _PLACEHOLDERS:
        script = _outside_quotes(pattern, filled, script)
    for name, command, ready, options in _UNTIL_CTRL_C:
        found = rf"^( *)({command})([^#\n]*)"
        moved = rf"\1in_another_terminal {name} '{ready}' \2\3 {options.format(**ports)} "
        script = re.sub(found, moved, script, flags=re.MULTILINE)
    return _addressed(script, at)


def _addressed(script: str, at: Addresses) -> str:
    def moved(found: re.Match[str]) -> str:
        return f"{found[1]}:{at.first_port + int(found[2]) - FIRST_PORT}"

    host = r"(127\.0\.0\.1|localhost)"
    for pattern, address in (
        (rf"http://{host}:8888\b", at.kubeflow),
        (rf"http://{host}:5000\b", at.registry),
        (rf"http://{host}:9090\b(?!/)", at.prometheus),
    ):
        script = re.sub(pattern, address, script)
    script = re.sub(rf"{host}:8000\b", rf"\1:{FIRST_PORT}", script)  # the executor by a port-forward
    return re.sub(rf"{host}:(90[0-3]\d|9100)\b(?!:)", moved, script)


def _outside_quotes(pattern: str, filled: str, script: str) -> str:
    """Replace what stands neither in single quotes nor in a comment."""
    kept = re.compile(r"'[^']*'|(?:^|\s)#[^\n]*|" + f"(?P<found>{pattern})", re.MULTILINE)
    return kept.sub(lambda match: filled if match["found"] is not None else match[0], script)


def unfilled(script: str) -> list[str]:
    """What is left of placeholders outside of comments."""
    lines = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in script.splitlines())
    return [line for line in lines if "…" in line]
