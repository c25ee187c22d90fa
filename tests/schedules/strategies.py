"""Random policies for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from harness.schedules import FUNCTIONS, Policy, policy

SOME = settings(deadline=None, max_examples=50)
"""Fifty examples, however slow the machine is."""

RATE = st.floats(1e-6, 10)
GAMMA = st.floats(0.5, 1.0)
LENGTH = st.integers(1, 500)

CLIMBING = [name for name, function in FUNCTIONS.items() if function.group in ("cyclic", "restart")]
"""The functions between two rates."""


def parameters(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters of a function, `k0 <= k1` where it has both."""
    fields = {"k0": RATE, "gamma": GAMMA, "p": st.floats(0.1, 4), "l": LENGTH}
    if name == "NSTEP":
        fields["l"] = st.sets(LENGTH, min_size=1, max_size=5).map(sorted)
    if name == "SIG":
        fields["gamma"] = st.floats(-2, 2)
    if name in CLIMBING:
        return st.tuples(RATE, RATE, st.fixed_dictionaries({"l": LENGTH, "gamma": GAMMA})).map(
            lambda drawn: {
                "k0": min(drawn[:2]),
                "k1": max(drawn[:2]),
                **{key: value for key, value in drawn[2].items() if key in FUNCTIONS[name].parameters},
            }
        )
    return st.fixed_dictionaries(
        {key: fields[key] for key in FUNCTIONS[name].parameters if key != "k1"},
        optional={"k1": RATE} if "k1" in FUNCTIONS[name].parameters else {},
    )


def functions(*names: str) -> st.SearchStrategy[Policy]:
    """One of the functions, of those of these names where they are given."""
    return st.sampled_from(names or tuple(FUNCTIONS)).flatmap(
        lambda name: parameters(name).map(lambda values: policy(name, **values))
    )


def composites() -> st.SearchStrategy[Policy]:
    """Composites of two to four functions."""
    return st.integers(2, 4).flatmap(
        lambda count: st.builds(
            lambda parts, at, time: policy("COMPOSITE", parts=parts, at=sorted(at), time=time),
            st.lists(functions(), min_size=count, max_size=count),
            st.sets(st.integers(1, 300), min_size=count - 1, max_size=count - 1),
            st.sampled_from(["restart", "continue"]),
        )
    )


def warm_ups() -> st.SearchStrategy[Policy]:
    """Warm-ups of functions and composites."""
    return st.builds(
        lambda shape, start, steps, then, time: policy(
            "WARM_UP", shape=shape, start=start, steps=steps, then=then, time=time
        ),
        st.sampled_from(["linear", "constant"]),
        RATE,
        LENGTH,
        st.one_of(functions(), composites()),
        st.sampled_from(["restart", "continue"]),
    )


POLICIES = st.one_of(functions(), composites(), warm_ups())
