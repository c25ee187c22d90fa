"""Making a parity certificate: every framework against the reference on one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import harness
from harness.errors import EnvironmentFailed
from harness.execution.environments import Environment
from harness.execution.in_force import code_hash
from harness.parity.case import RATE_FACTOR, Case
from harness.parity.causes import known_causes
from harness.parity.comparing import WORKLOAD_TOLERANCES, Difference, compare, first_violation
from harness.parity.probing import Probe, probe_framework
from harness.records.certificates import CERTIFICATE_VERSION, subject_sha256
from harness.study import Profile


@dataclass(frozen=True)
class Probed:
    """One framework's way through all cases.

    Attributes:
        probes: by case; empty where the framework failed as a whole.
        failure: why it did.
    """

    environment: Environment
    probes: Mapping[str, Probe]
    failure: str | None = None


def probe_all(
    environments: Sequence[Environment],
    cases: Sequence[Case],
    folder: Path,
    profile: Profile,
    say: Callable[[str], None] = lambda _line: None,
) -> dict[str, Probed]:
    """Every case in every framework, one framework after the other; a framework that fails leaves the others alone."""
    found = {}
    for environment in environments:
        name = environment.framework.name
        say(f"{name} {environment.framework.version}")
        try:
            probes, _ = probe_framework(environment, cases, folder / name, profile)
            found[name] = Probed(environment, probes)
        except EnvironmentFailed as error:
            found[name] = Probed(environment, {}, str(error))
    return found


def make_certificate(
    case: Case, reference: Probed, probed: Mapping[str, Probed], profile: Profile | None = None
) -> dict[str, Any]:
    """The certificate of one case as plain values: what was compared, how closely, and the verdict on every framework.

    Args:
        case: what was computed.
        reference: the reference's way through it.
        probed: every other framework's, by name.
        profile: the hardware profile that the others ran under.

    Raises:
        EnvironmentFailed: the reference itself could not go through the case.
    """
    own = reference.probes.get(case.name)
    if own is None or own.unsupported or own.error:
        why = reference.failure or (own and (own.unsupported or own.error)) or "no probe"
        raise EnvironmentFailed(f"the reference did not go through case {case.name!r}: {why}")
    setting = case.setting.model_dump(mode="json")
    network = case.network.model_dump(mode="json")
    frameworks = {name: _framework(case, own, one) for name, one in probed.items()}
    return {
        "certificate_version": CERTIFICATE_VERSION,
        "dlgauge_version": harness.__version__,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "subject_sha256": subject_sha256(network, setting, case.loss),
        "workload": case.name,
        "setting": setting["name"],
        "steps": case.steps,
        "batch_size": setting["batch_size"],
        "seed": case.seed,
        "inputs": "patches of one brightness with noise, without ties",
        "learning_rates": f"the setting's, times {case.rate_scale:g} * {RATE_FACTOR} ** step",
        "tolerances": WORKLOAD_TOLERANCES,
        "profile": None if profile is None else {"name": profile.name, "blas": profile.blas, **_threads(profile)},
        "reference": {"name": reference.environment.framework.name, **_identity(reference.environment)},
        "frameworks": frameworks,
        "passed": all(one["verdict"] == "agrees" for one in frameworks.values()),
    }


def _threads(profile: Profile) -> dict[str, Any]:
    return {"threads": profile.threads.model_dump(mode="json"), "precision": profile.precision}


def _identity(environment: Environment) -> dict[str, Any]:
    framework = environment.framework
    return {
        "version": framework.version,
        "environment_sha256": framework.environment_sha256,
        "code_sha256": code_hash(framework.adapter_folder),
    }


def _framework(case: Case, reference: Probe, probed: Probed) -> dict[str, Any]:
    identity = _identity(probed.environment)
    probe = probed.probes.get(case.name)
    if probe is None:
        return {**identity, "verdict": "failed", "reason": probed.failure or "no probe"}
    if probe.unsupported:
        return {**identity, "verdict": "unsupported", "reason": probe.unsupported}
    if probe.error:
        return {**identity, "verdict": "failed", "reason": probe.error}
    differences = compare(reference, probe, case.network)
    violation = first_violation(differences)
    found = {**identity, "verdict": "differs" if violation else "agrees", "largest": _largest(differences)}
    if violation:
        causes = known_causes(violation, case.network, case.setting.optimizer.kind)
        found["violation"] = {
            "quantity": violation.quantity,
            "name": violation.name,
            "relative": violation.relative,
            "detail": violation.detail,
            "causes": [{"name": cause.name, "text": cause.text} for cause in causes],
        }
    return found


def _largest(differences: Sequence[Difference]) -> dict[str, dict[str, Any]]:
    """Of every quantity, the largest difference and where it is; one without a number counts as the largest."""
    largest: dict[str, Difference] = {}
    for one in differences:
        known = largest.get(one.quantity)
        if known is None or _size(one) > _size(known):
            largest[one.quantity] = one
    return {
        quantity: {"name": one.name, "relative": one.relative, "tolerance": one.tolerance}
        for quantity, one in largest.items()
    }


def _size(difference: Difference) -> float:
    return float("inf") if difference.relative is None else difference.relative
