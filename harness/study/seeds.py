"""Other seeds than a study file names: a study goes on with more blocks without an edit of its file."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import DlgaugeError
from harness.study.model import Study

HINT = "a list of seeds and ranges, such as --seeds 1-8 or --seeds 1,3,7-9"
MOST_SEEDS = 10_000


def with_seeds(study: Study, text: str) -> Study:
    """The study with the seeds of `text` in place of its own. Trials are the same for the same seed, records serve.

    Raises:
        DlgaugeError: `text` is no list of seeds.
    """
    return replace(study, seeds=parse_seeds(text))


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds of `1-8` or `1,3,7-9`, each once, in that order.

    Raises:
        DlgaugeError: something that is no seed, a range that falls, or more than 10,000 seeds.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        ends = (first, last) if dash else (first, first)
        if not all(end.isascii() and end.isdigit() and len(end) <= 18 for end in ends):
            raise DlgaugeError(f"{part.strip()!r} in --seeds {text!r} is no seed and no range", hint=HINT)
        low, high = int(ends[0]), int(ends[1])
        if high < low:
            raise DlgaugeError(f"the range {part.strip()!r} in --seeds {text!r} falls", hint=HINT)
        if high - low >= MOST_SEEDS or len(seeds) > MOST_SEEDS:
            raise DlgaugeError(f"--seeds {text!r} names more than {MOST_SEEDS:,} seeds", hint=HINT)
        seeds |= dict.fromkeys(range(low, high + 1))
    return tuple(seeds)
