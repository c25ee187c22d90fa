"""`dlgauge parity`: prove that the frameworks compute the same, or say where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.parity.case import Case


def parity(
    name: str = typer.Argument(None, metavar="[WORKLOAD]", help="A workload, a network, or a network file (.yaml)."),
    every: bool = typer.Option(False, "--all", help="Every workload of the papers, each with its own setting."),
    frameworks: str = typer.Option("", "--frameworks", help="Names, separated by commas; default: all."),
    setting: str = typer.Option(None, "--setting", help="A setting, by name or file; default: that of the same name."),
    profile: str = typer.Option(None, "--profile", help="A hardware profile, by name or file; default: local."),
    steps: int = typer.Option(20, "--steps", min=1, help="Training steps to compare."),
    as_json: bool = typer.Option(False, "--json", help="The certificates as JSON."),
) -> None:
    """Train all frameworks on the same weights, batches and rates and compare losses, activations, gradients, weights.

    Every framework is compared with the NumPy reference. The certificate is kept; records name the one that covers
    them.
    Exit status 1 when a framework differs or fails.
    """
    import json

    from harness.records.certificates import keep_certificate

    cases = _cases(name, every=every, setting=setting, steps=steps)
    certificates = []
    for case, content in _certified(cases, frameworks, profile, quiet=as_json):
        sha256, path = keep_certificate(content)
        certificates.append({**content, "sha256": sha256})
        if not as_json:
            _print(case, content)
            print(f"  certificate {sha256[:16]}: {path}")
    if as_json:
        print(json.dumps(certificates if every else certificates[0], indent=1))
    elif len(certificates) > 1:
        passed = sum(bool(content["passed"]) for content in certificates)
        print(f"{passed} of {len(certificates)} workloads: every framework agrees")
    if not all(content["passed"] for content in certificates):
        raise typer.Exit(1)


def _cases(name: str | None, *, every: bool, setting: str | None, steps: int) -> list[Case]:
    from harness.errors import DlgaugeError
    from harness.parity.workload_cases import PAPER_WORKLOADS, find_case

    if every == (name is not None):
        raise DlgaugeError("name one workload, or give --all", hint=f"of the papers: {', '.join(PAPER_WORKLOADS)}")
    if name is not None:
        return [find_case(name, setting=setting, steps=steps)]
    return [find_case(each, setting=setting, steps=steps) for each in PAPER_WORKLOADS]


def _certified(
    cases: list[Case], frameworks: str, profile: str | None, *, quiet: bool
) -> list[tuple[Case, dict[str, Any]]]:
    import sys
    import tempfile
    from pathlib import Path

    from harness.errors import DlgaugeError
    from harness.execution.environments import Readiness, make_environment
    from harness.parity.certificate import make_certificate, probe_all
    from harness.parity.probing import REFERENCE, reference_profile
    from harness.study import load_frameworks
    from harness.study.choosing import choose_frameworks
    from harness.study.frameworks import profile_obstacle
    from harness.study.model import DEFAULT_PROFILE
    from harness.study.profile import CpusNotThere, allowed_cpus, load_profile, resolve_profile

    def say(line: str) -> None:
        print(line, file=sys.stderr if quiet else sys.stdout, flush=True)

    try:
        resolved = resolve_profile(load_profile(profile or DEFAULT_PROFILE), allowed_cpus())
    except CpusNotThere as error:
        named = profile or DEFAULT_PROFILE
        raise DlgaugeError(f"profile {named!r}: {error}", hint="name a profile that fits this machine") from None
    known = load_frameworks()
    names = [part.strip() for part in frameworks.split(",") if part.strip()]
    chosen = [one for one in choose_frameworks(known, names) if one.name != REFERENCE]
    fitting = []
    for one in chosen:
        refused = profile_obstacle(one, resolved) if profile else None
        if refused is None:
            fitting.append(one)
        elif names:
            raise DlgaugeError(": ".join(refused), hint="leave the framework out, or name another --profile")
        else:
            say(f"left out: {one.name}: {': '.join(refused)}")
    environments = [make_environment(one) for one in fitting]
    usable = []
    for environment in environments:
        state = environment.state()
        if state.readiness is Readiness.UNUSABLE and not names:
            say(f"left out: {environment.framework.name}: {state.reason}")
            continue
        environment.prepare(say)
        usable.append(environment)
    reference = make_environment(choose_frameworks(known, [REFERENCE])[0])
    reference.prepare(say)

    own_profile = resolve_profile(load_profile(DEFAULT_PROFILE), allowed_cpus())

    def announce(line: str) -> None:
        say(f"running {line}")

    with tempfile.TemporaryDirectory(prefix="dlgauge-parity-") as folder:
        own = probe_all([reference], cases, Path(folder), reference_profile(own_profile), announce)[REFERENCE]
        probed = probe_all(usable, cases, Path(folder), resolved, announce)
    return [(case, make_certificate(case, own, probed, resolved)) for case in cases]


def _print(case: Case, content: Mapping[str, Any]) -> None:
    from harness.workloads import parameter_count

    print(
        f"{case.name}: {parameter_count(case.network):,} parameters, setting {content['setting']}, "
        f"{content['steps']} steps of {content['batch_size']}"
    )
    for name, one in content["frameworks"].items():
        print(f"  {name} {one['version']}: {_verdict(one, content['tolerances'])}")
        for cause in (one.get("violation") or {}).get("causes", []):
            print(f"    known: {cause['name']}: {cause['text']}")


def _verdict(one: Mapping[str, Any], tolerances: Mapping[str, float]) -> str:
    if "reason" in one:
        return f"{one['verdict']}: {one['reason']}"
    if violation := one.get("violation"):
        size = violation["detail"] or f"{violation['relative']:.1e} (tolerance {tolerances[violation['quantity']]:.0e})"
        return f"DIFFERS first in {violation['quantity']} of {violation['name']}: {size}"
    shown = ("loss", "activations_before", "gradients", "first_update", "updates")
    return "agrees; largest differences: " + ", ".join(
        _size(one["largest"][key], tolerances[key], key) for key in shown
    )


def _size(largest: Mapping[str, Any], stated: float, quantity: str) -> str:
    """The difference as measured; with what was allowed where the parameters' rounding makes that more than stated."""
    if largest["relative"] is None:
        return f"{quantity} n/a"
    text = f"{quantity} {largest['relative']:.1e}"
    rounding = largest["tolerance"] > 1.1 * stated > 0
    return f"{text} (allowed {largest['tolerance']:.1e} with float32 rounding of the weights)" if rounding else text
