"""Claims of several comparisons: what follows from those that are decided, and how many blocks the rest needs.

A comparison is true (its interval lies wholly inside the claimed region), false (wholly outside) or open. `All`, `Any`
and `Not` join them by Kleene's rules: one false part makes a conjunction false whatever is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class State:
    """What is known of a comparison.

    Attributes:
        decided: True or False; None where it is open.
        looks: whether the estimate itself is inside the region; None where there is none.
        needs: further blocks that would decide it at the present spread: 0 where it is decided, None where that cannot
            be told.
    """

    decided: bool | None
    looks: bool | None
    needs: int | None


@dataclass(frozen=True)
class Leaf:
    """One comparison, by its number."""

    number: int


@dataclass(frozen=True)
class Not:
    """The opposite."""

    of: Formula


@dataclass(frozen=True)
class All:
    """Every one of them."""

    of: tuple[Formula, ...]


@dataclass(frozen=True)
class Any:
    """At least one of them."""

    of: tuple[Formula, ...]


Formula = Leaf | Not | All | Any


def evaluate(formula: Formula, states: Sequence[State]) -> State:
    """What is known of the whole. `needs` is what would decide it if every estimate stays where it is."""
    if isinstance(formula, Leaf):
        return states[formula.number]
    if isinstance(formula, Not):
        return _negated(evaluate(formula.of, states))
    parts = [evaluate(one, states) for one in formula.of]
    if isinstance(formula, Any):
        return _negated(_all([_negated(one) for one in parts]))
    return _all(parts)


def _negated(state: State) -> State:
    return State(_opposite(state.decided), _opposite(state.looks), state.needs)


def _opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def _all(parts: Sequence[State]) -> State:
    if any(one.decided is False for one in parts):
        return State(False, False, 0)
    if all(one.decided for one in parts):
        return State(True, True, 0)
    against = [one for one in parts if one.looks is False]
    if against:  # one of them suffices to refute the whole
        told = [one.needs for one in against if one.needs is not None]
        return State(None, False, min(told) if told else None)
    looks = None if any(one.looks is None for one in parts) else True
    needs = [one.needs for one in parts]
    return State(None, looks, None if None in needs else max(one for one in needs if one is not None))
