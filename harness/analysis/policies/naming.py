"""Policies as keys: canonical values, text, function names, factors on the rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.schedules import parse_policy, scaled, string_form

DIGITS = 12
"""Significant digits by which two policies are the same: 0.1 * 0.01 and 0.001 are."""


def canonical_policy(value: Any) -> dict[str, Any]:
    """A policy as plain values whose equality is that of the policies, numbers to 12 significant digits.

    Args:
        value: a policy, its YAML form or its string form.

    Raises:
        ValueError: it is no policy.
    """
    dumped: dict[str, Any] = parse_policy(value).model_dump(mode="json", exclude_none=True)
    rounded: dict[str, Any] = _rounded(dumped)
    return rounded


def text_of(policy: Mapping[str, Any]) -> str:
    """LRBench's string form; of a policy that has none (a plateau rule) its values in words."""
    parsed = parse_policy(policy)
    try:
        return str(string_form(parsed))
    except ValueError:
        return short_text(policy)


def function_of(policy: Mapping[str, Any]) -> str:
    """Name of the function; of a composite those of its parts in their order, joined by `-`."""
    return "-".join(_functions(policy)) or "?"


def scaled_policy(policy: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The policy whose every rate is `factor` times as large."""
    return canonical_policy(policy) if factor == 1 else canonical_policy(scaled(parse_policy(policy), factor))


def base_of(policy: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """The policy that this one is `scale` times."""
    return scaled_policy(policy, 1 / scale)


def short_text(policy: Mapping[str, Any] | None, fallback: str = "?") -> str:
    """A policy for tables: `TRI k0=0.001 k1=0.06 l=250`."""
    if not policy:
        return fallback
    parts = []
    for key, value in policy.items():
        if key == "policy":
            parts.insert(0, str(value))
        elif isinstance(value, Mapping):
            parts.append(f"{key}=({short_text(value)})")
        elif isinstance(value, list):
            inner = (short_text(one) if isinstance(one, Mapping) else _number(one) for one in value)
            parts.append(f"{key}=[{', '.join(inner)}]")
        else:
            parts.append(f"{key}={_number(value)}")
    return " ".join(parts)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _functions(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [str(value["policy"])] if isinstance(value.get("policy"), str) else []
        parts = [name for inner in value.values() if not isinstance(inner, str) for name in _functions(inner)]
        return parts or own
    if isinstance(value, list):
        return [name for inner in value for name in _functions(inner)]
    return []


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
