"""What follows from decided and open comparisons, and how many blocks the rest needs."""

from __future__ import annotations

import pytest

from harness.analysis.claims.logic import All, Any, Formula, Leaf, Not, State, evaluate

YES, NO = State(True, True, 0), State(False, False, 0)
LIKELY, UNLIKELY, UNKNOWN = State(None, True, 7), State(None, False, 3), State(None, True, None)
A, B = Leaf(0), Leaf(1)


@pytest.mark.parametrize(
    ("formula", "states", "expected"),
    [
        (All((A, B)), (YES, YES), YES),
        (All((A, B)), (YES, NO), NO),
        (All((A, B)), (UNKNOWN, NO), NO),
        (All((A, B)), (YES, LIKELY), State(None, True, 7)),
        (All((A, B)), (LIKELY, State(None, True, 9)), State(None, True, 9)),
        (All((A, B)), (LIKELY, UNLIKELY), State(None, False, 3)),
        (All((A, B)), (LIKELY, UNKNOWN), State(None, True, None)),
        (All((A, B)), (UNLIKELY, UNKNOWN), State(None, False, 3)),
        (Any((A, B)), (YES, UNKNOWN), YES),
        (Any((A, B)), (NO, NO), NO),
        (Any((A, B)), (LIKELY, UNLIKELY), State(None, True, 7)),
        (Any((A, B)), (UNLIKELY, NO), State(None, False, 3)),
        (Not(A), (YES,), NO),
        (Not(A), (LIKELY,), State(None, False, 7)),
        (Not(All((A, B))), (LIKELY, UNLIKELY), State(None, True, 3)),
    ],
)
def test_the_whole(formula: Formula, states: tuple[State, ...], expected: State) -> None:
    assert evaluate(formula, states) == expected
