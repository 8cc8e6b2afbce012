"""Renders every overlay, and every component that docs/manifests.md names, into build/manifests/, and checks all of them: `make manifests`.

    .venv/delivery/bin/python -m tools.manifests [--only NAME …] [--json]

Exit code 1 where something is wrong, with a sentence for each; 2 where it cannot be judged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.manifest_rules.expected import VARIANTS, Variant
from tools.manifest_rules.models import NotCompiled
from tools.manifest_rules.objects import Bundle, Finding
from tools.manifest_rules.rendering import ROOT, NotRendered, Rendering, render, written
from tools.manifest_rules.schemas import check_schemas, missing_schemas
from tools.manifest_rules.table import check_rules

OVERLAYS = ROOT / "k8s" / "overlays"
OUT = ROOT / "build" / "manifests"
SHARED_SCHEMAS = Path(os.path.normpath(ROOT / ".." / "shared" / "schemas"))
MADE_SCHEMAS = ROOT / "build" / "schemas"  # where `make schemas` puts them
SETTING = "PEDALFLOW_CRD_SCHEMAS"
LENIENT = ("local",)  # images that were built here have no digest


def renderings() -> Iterator[Rendering]:
    """All that there is to render: the overlays, then the variants."""
    for folder in sorted(OVERLAYS.iterdir()):
        yield Rendering(folder.name, folder, strict=folder.name not in LENIENT)
    for variant in VARIANTS:
        yield of_variant(variant)


def of_variant(variant: Variant) -> Rendering:
    """An overlay with the component of a variant, after those that it wants before it."""
    components = (*variant.after, variant.component)
    name = "+".join((variant.overlay, *components))
    return Rendering(name, OVERLAYS / variant.overlay, components, strict=variant.overlay not in LENIENT)


def schemas_folder() -> Path:
    """Where the schemas of custom kinds are: where the setting says, beside the repository, or where `make schemas` puts them."""
    if os.environ.get(SETTING):
        return Path(os.environ[SETTING])
    return SHARED_SCHEMAS if SHARED_SCHEMAS.is_dir() else MADE_SCHEMAS


def check(bundle: Bundle, schemas: Path) -> list[Finding]:
    """What is wrong with a rendering, by the rules and by the schemas that are on this machine. Raises NotCompiled."""
    return [*check_schemas(bundle, schemas), *check_rules(bundle)]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    wishes = [wish for wish in renderings() if not options.only or wish.name in options.only]
    if not wishes:
        print(
            f"there is no {', '.join(options.only)}; there are {', '.join(w.name for w in renderings())}",
            file=sys.stderr,
        )
        return 2
    findings: dict[str, list[Finding]] = {}
    try:
        for wish in wishes:
            findings[wish.name] = _checked(wish, options.schemas, quiet=options.json)
    except (NotRendered, NotCompiled) as error:
        print(f"manifests: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(
            json.dumps(
                {name: [dataclasses.asdict(f) for f in found] for name, found in findings.items()}, indent=2
            )
        )
    missing = missing_schemas(options.schemas)
    for sentence in missing:
        print(f"manifests: {sentence}", file=sys.stderr)
    return 1 if any(findings.values()) else 2 if missing else 0


def _checked(wish: Rendering, schemas: Path, *, quiet: bool) -> list[Finding]:
    started = time.monotonic()
    bundle = render(wish, OUT / "combined")
    (OUT / f"{wish.name}.yaml").write_text(written(bundle.objects), encoding="utf-8")
    found = check(bundle, schemas)
    if not quiet:
        verdict = f"{len(found)} wrong" if found else "ok"
        print(
            f"{wish.name}: {len(bundle.objects)} objects, {verdict}, {time.monotonic() - started:.1f} s",
            flush=True,
        )
        for finding in found:
            print(f"  {finding.file}: {finding.object}: {finding.rule}: {finding.says}")
    return found


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="manifests", description="Render and check the manifests.", allow_abbrev=False
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="render and check these only")
    parser.add_argument("--json", action="store_true", help="say what is wrong as JSON")
    parser.add_argument(
        "--schemas",
        type=Path,
        default=schemas_folder(),
        help=f"folder with the schemas of custom kinds (or {SETTING})",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
