"""Policies as keys: canonical values, text, function names, factors on the rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.schedules import parse_learning_rate, parse_policy, scaled, string_form
from harness.schedules.base import KEY_ORDER

DIGITS = 12
"""Significant digits by which two policies are the same: 0.1 * 0.01 and 0.001 are."""


def canonical_policy(value: Any) -> dict[str, Any]:
    """A policy as plain values whose equality is that of the policies, numbers to 12 significant digits.

    Args:
        value: a policy or plateau rule, its YAML form or its string form.

    Raises:
        ValueError: it is no policy.
    """
    dumped: dict[str, Any] = _parsed(value).model_dump(mode="json", exclude_none=True)
    rounded: dict[str, Any] = _rounded(dumped)
    return rounded


def text_of(policy: Mapping[str, Any]) -> str:
    """LRBench's string form; of a policy that has none (a plateau rule) its values in words."""
    if is_plateau(policy):
        return short_text(policy)
    return string_form(parse_policy(policy))


def is_plateau(policy: Mapping[str, Any]) -> bool:
    """Whether plain values are those of a plateau rule, which has no rate of its own at a step."""
    return str(policy.get("policy", "")).endswith("_ON_PLATEAU")


def function_of(policy: Mapping[str, Any]) -> str:
    """Name of the function; of a composite those of its parts, of a warm-up its own before theirs, joined by `-`."""
    name = str(policy["policy"])
    if name == "COMPOSITE":
        return "-".join(function_of(part) for part in policy["parts"])
    return f"{name}-{function_of(policy['then'])}" if name == "WARM_UP" else name


def scaled_policy(policy: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The policy whose every rate is `factor` times as large."""
    if factor == 1:
        return canonical_policy(policy)
    if not is_plateau(policy):
        return canonical_policy(scaled(parse_policy(policy), factor))
    own = {key: value * factor for key, value in policy.items() if key in ("k0", "smallest_rate")}
    if "policies" in policy:
        own["policies"] = [scaled_policy(one, factor) for one in policy["policies"]]
    return canonical_policy({**policy, **own})


def base_of(policy: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """The policy that this one is `scale` times."""
    return scaled_policy(policy, 1 / scale)


def short_text(policy: Mapping[str, Any] | None, fallback: str = "?") -> str:
    """A policy for tables: `TRI k0=0.001 k1=0.06 l=250`."""
    if not policy:
        return fallback
    parts = []
    for key in sorted(policy, key=lambda key: KEY_ORDER.index(key) if key in KEY_ORDER else len(KEY_ORDER)):
        value = policy[key]
        if key == "policy":
            parts.append(str(value))
        elif isinstance(value, Mapping):
            parts.append(f"{key}=({short_text(value)})")
        elif isinstance(value, list):
            inner = (short_text(one) if isinstance(one, Mapping) else _number(one) for one in value)
            parts.append(f"{key}=[{', '.join(inner)}]")
        else:
            parts.append(f"{key}={_number(value)}")
    return " ".join(parts)


def _parsed(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, Mapping) and not is_plateau(value)):
        return parse_policy(value)
    return parse_learning_rate(value)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
