"""`dlgauge adapter`: checking an adapter against the contract."""

from __future__ import annotations

import typer

app = typer.Typer(name="adapter", help="Check adapters.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def check(
    name: str = typer.Argument(..., metavar="FRAMEWORK"),
    only: str = typer.Option("", "--only", help="Only cases whose name contains this text."),
) -> None:
    """Run every case of the adapter contract and compare with the NumPy reference; exit status 1 on any violation."""
    import tempfile
    from pathlib import Path

    from harness.cli.prepare import choose
    from harness.execution.environments import make_environment
    from harness.parity.comparing import CONTRACT_TOLERANCES, compare, first_violation
    from harness.parity.contract_cases import contract_cases
    from harness.parity.probing import REFERENCE, probe_framework, reference_profile
    from harness.study import load_frameworks
    from harness.study.profile import allowed_cpus, load_profile, resolve_profile

    known = load_frameworks()
    environment, reference = (make_environment(choose(known, [chosen])[0]) for chosen in (name, REFERENCE))
    environment.prepare(print)
    reference.prepare(print)
    cases = [case for case in contract_cases() if only in case.name]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        profile = resolve_profile(load_profile("local"), allowed_cpus())
        probes, _ = probe_framework(environment, cases, Path(folder) / name, profile)
        references, _ = probe_framework(reference, cases, Path(folder) / "reference", reference_profile(profile))
    for case in cases:
        probe = probes[case.name]
        if probe.unsupported:
            print(f"{case.name}: unsupported: {probe.unsupported}")
            continue
        if probe.error:
            failed += 1
            print(f"{case.name}: {probe.error}")
            continue
        differences = compare(references[case.name], probe, case.network, CONTRACT_TOLERANCES)
        violation = first_violation(differences)
        worst = max(differences, key=lambda difference: difference.relative or 0.0)
        if violation:
            failed += 1
            size = violation.detail or f"{violation.relative:.1e}"
            print(f"{case.name}: FAILED: {violation.quantity} of {violation.name}: {size}")
        else:
            print(f"{case.name}: ok (largest difference {worst.relative:.1e}, {worst.quantity} of {worst.name})")
    print(f"{len(cases)} cases, {failed} failed")
    if failed:
        raise typer.Exit(1)
