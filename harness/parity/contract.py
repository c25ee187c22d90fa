"""The adapter contract: every case compared with the reference, and every behaviour, in one run of a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.errors import DlgaugeError
from harness.execution.environments import Environment, make_environment
from harness.parity.case import Case
from harness.parity.causes import known_causes
from harness.parity.comparing import CONTRACT_TOLERANCES, compare, first_violation
from harness.parity.contract_behaviours import Behaviour, Observed, contract_behaviours
from harness.parity.contract_cases import contract_cases
from harness.parity.probing import REFERENCE, Probe, probe_framework, reference_profile
from harness.parity.verdict import Outcome, Verdict
from harness.study import FrameworkDescription, Profile, load_frameworks
from harness.study.choosing import choose_frameworks
from harness.study.profile import allowed_cpus, load_profile, resolve_profile

Say = Callable[[str], None]


def check_names() -> list[str]:
    """The names of all checks: the cases, then the behaviours."""
    return [case.name for case in contract_cases()] + [behaviour.name for behaviour in contract_behaviours()]


def find_framework(name: str) -> FrameworkDescription:
    """A framework of the project or of `DLGAUGE_FRAMEWORKS`.

    Raises:
        DlgaugeError: there is none of that name.
    """
    return choose_frameworks(load_frameworks(), [name])[0]


def check_adapter(name: str, say: Say, *, only: str = "") -> dict[str, Verdict]:
    """Prepare a framework's environment and the reference's, and hold the adapter to the contract.

    Args:
        say: takes one line of progress at a time.
        only: leave out checks whose name does not contain this.

    Returns:
        Verdicts by the name of the check, in the order of `check_names`.

    Raises:
        DlgaugeError: an unknown framework; no check of such a name; an environment that cannot be prepared, or whose
            worker did not go through the cases.
    """
    if not any(only in check for check in check_names()):
        raise DlgaugeError(f"no check has {only!r} in its name", hint=f"checks: {', '.join(check_names())}")
    environments = [make_environment(find_framework(each)) for each in (name, REFERENCE)]
    for environment in environments:
        environment.prepare(say)
    profile = resolve_profile(load_profile("local"), allowed_cpus())
    with TemporaryDirectory(prefix="dlgauge-contract-") as folder:
        return run_contract(environments[0], environments[1], Path(folder), profile, only=only)


def run_contract(
    environment: Environment, reference: Environment, folder: Path, profile: Profile, *, only: str = ""
) -> dict[str, Verdict]:
    """All checks on prepared environments, see `check_adapter`; one worker for the adapter, one for the reference.

    Args:
        folder: exists.
    """
    cases = [case for case in contract_cases() if only in case.name]
    behaviours = [behaviour for behaviour in contract_behaviours() if only in behaviour.name]
    probed = {case.name: case for case in [*cases, *(case for each in behaviours for case in each.cases)]}
    for name in ("adapter", "reference"):
        (folder / name).mkdir()
    probes, described = probe_framework(environment, list(probed.values()), folder / "adapter", profile)
    references: dict[str, Probe] = {}
    if cases:
        references, _ = probe_framework(reference, cases, folder / "reference", reference_profile(profile))
    verdicts = {case.name: judge(case, references[case.name], probes[case.name]) for case in cases}
    observed = Observed(described, probed, probes)
    return {**verdicts, **{each.name: _behaviour(each, observed) for each in behaviours}}


def judge(case: Case, reference: Probe, probe: Probe, tolerances: Mapping[str, float] = CONTRACT_TOLERANCES) -> Verdict:
    """What an adapter's probe of a case says, beside that of the reference."""
    if probe.unsupported:
        return Verdict(case.name, Outcome.UNSUPPORTED, probe.unsupported)
    if probe.error:
        return Verdict(case.name, Outcome.FAILED, probe.error)
    differences = compare(reference, probe, case.network, tolerances)
    largest = max(differences, key=lambda difference: difference.relative or 0.0)
    violation = first_violation(differences)
    if violation is None:
        return Verdict(case.name, Outcome.OK, largest=largest)
    causes = tuple(known_causes(violation, case.network, case.setting.optimizer.kind))
    return Verdict(case.name, Outcome.FAILED, largest=largest, violation=violation, causes=causes)


def _behaviour(behaviour: Behaviour, observed: Observed) -> Verdict:
    outcome, reason = behaviour.check(observed)
    return Verdict(behaviour.name, outcome, reason)


def summary(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """`passed`, how many checks had which outcome, and every verdict as plain values."""
    outcomes = [verdict.outcome for verdict in verdicts.values()]
    return {
        "passed": Outcome.FAILED not in outcomes,
        "counts": {str(outcome): outcomes.count(outcome) for outcome in Outcome},
        "checks": [verdict.as_json() for verdict in verdicts.values()],
    }
