"""`dlgauge prepare`: make venvs and build images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from harness.execution.preparing import Preparation


def prepare(
    names: list[str] = typer.Argument(None, metavar="[FRAMEWORK]...", help="Which ones; default: all."),
    study: str = typer.Option(None, "--study", metavar="STUDY", help="Those that a study names."),
) -> None:
    """Make the environments of frameworks ready: venvs from pinned requirements, images from Dockerfiles."""
    from harness.execution import Readiness
    from harness.execution.preparing import prepare_all
    from harness.study import load_frameworks, load_study
    from harness.study.choosing import choose_frameworks

    known = load_frameworks()
    named = [cell.framework.name for cell in load_study(study, frameworks=known).cells] if study else []
    frameworks = choose_frameworks(known, list(dict.fromkeys([*(names or []), *named])))
    failed = False
    for result in prepare_all(frameworks, lambda line: print(line, flush=True)):
        print(_line(result), flush=True)
        # A machine without a container engine is no failure, unless such a framework was asked for by name.
        left_out = result.before is Readiness.UNUSABLE and not names
        failed = failed or (result.error is not None and not left_out)
    if failed:
        raise typer.Exit(1)


def _line(result: Preparation) -> str:
    name = f"{result.framework.name} {result.framework.version}"
    if result.error is None:
        return f"{name}: ready" + (f" ({result.duration_s:.0f} s)" if result.before != "ready" else "")
    state = "left out" if result.before == "unusable" else "failed"
    return f"{name}: {state}: {result.error}"
