"""The neighbours of a policy: each parameter up and down by a factor, everything else as it is.

A factor f means: `k0`, `k1` and `p` times f and divided by f; periods and boundaries `l` the same, to whole steps; a
`gamma` that is the base of a power (STEP, NSTEP, EXP and the functions called ...EXP) to the power of f and 1 / f,
which makes the decay's rate -ln(gamma) f times as large; a `gamma` that is a coefficient (INV, SIG) times and divided
by f. Of a composite, a warm-up or a plateau rule the whole rate is scaled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis.policies.naming import canonical_policy, scaled_policy
from harness.errors import DlgaugeError
from harness.schedules import FUNCTIONS
from harness.validation import nearest

PARAMETERS = ("k0", "k1", "l", "gamma", "p")
DEFAULT_FACTORS: dict[str, float] = {"k0": 2.0, "k1": 2.0, "l": 1.5, "gamma": 2.0, "p": 1.5}
COEFFICIENT_GAMMA = ("INV", "SIG")
RATE = "rate"
"""The neighbour of a policy that is no single function: all its rates together."""


@dataclass(frozen=True)
class Neighbour:
    """A policy beside the one that is verified.

    Attributes:
        name: such as `k0 x 2`; the verified policy itself is `policy`.
        policy: plain values; None where the change makes no valid policy.
        why_not: the reason for that.
    """

    name: str
    policy: dict[str, Any] | None
    why_not: str | None = None


def parse_factors(text: str | None) -> dict[str, float]:
    """Factors by parameter, of `k0=2,l=1.5`; a parameter that is not named has its default factor.

    Raises:
        DlgaugeError: an unknown parameter, or a factor that is not above 1.
    """
    factors = dict(DEFAULT_FACTORS)
    for part in (text or "").split(","):
        if not part.strip():
            continue
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name not in (*PARAMETERS, RATE):
            raise DlgaugeError(f"unknown parameter {name!r} in --neighbours{nearest(name, (*PARAMETERS, RATE))}")
        try:
            factors[name] = float(value)
        except ValueError:
            raise DlgaugeError(
                f"the factor {value!r} of {name} is no number", hint="such as --neighbours k0=2"
            ) from None
        if not 1 < factors[name] < float("inf"):
            raise DlgaugeError(f"the factor {value} of {name} should be above 1", hint="it is used both ways")
    return factors


def neighbours_of(policy: Mapping[str, Any], factors: Mapping[str, float]) -> list[Neighbour]:
    """All neighbours; those that are no valid policy, or the policy itself, with the reason and without a policy."""
    own = canonical_policy(policy)
    seen = [own]
    found: list[Neighbour] = []
    for name, changed in _changes(own, factors):
        if isinstance(changed, str):
            found.append(Neighbour(name, None, changed))
            continue
        try:
            one = canonical_policy(changed)
        except ValueError as error:
            found.append(Neighbour(name, None, str(error).splitlines()[0]))
            continue
        if one in seen:
            found.append(Neighbour(name, None, "it is a policy that is tried already"))
            continue
        seen.append(one)
        found.append(Neighbour(name, one))
    return found


def _changes(policy: Mapping[str, Any], factors: Mapping[str, float]) -> Iterator[tuple[str, dict[str, Any] | str]]:
    if policy["policy"] not in FUNCTIONS:
        factor = factors.get(RATE, factors["k0"])
        for sign, value in (("x", factor), ("/", 1 / factor)):
            yield f"{RATE} {sign} {factor:g}", scaled_policy(policy, value)
        return
    for name in PARAMETERS:
        if name not in policy:
            continue
        for sign, factor in (("x", factors[name]), ("/", 1 / factors[name])):
            label = f"{name} {sign} {factors[name]:g}"
            changed = _changed(policy, name, factor)
            yield label, "it stays as it is" if changed == policy[name] else {**policy, name: changed}


def _changed(policy: Mapping[str, Any], name: str, factor: float) -> Any:
    value = policy[name]
    if name == "l":
        return [_whole(one, factor) for one in value] if isinstance(value, list) else _whole(value, factor)
    if name == "gamma" and policy["policy"] not in COEFFICIENT_GAMMA:
        return value**factor
    return value * factor


def _whole(value: float, factor: float) -> float:
    """Whole steps stay whole, and no period gets below one step."""
    return max(1, round(value * factor)) if isinstance(value, int) else value * factor
