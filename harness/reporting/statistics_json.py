"""The inference for programs: unrounded, with the records that each verdict rests on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.analysis.inference import Family, Judgement, Pair
from harness.analysis.inference.bounds import RESAMPLES, SEED, Bounds
from harness.analysis.inference.pareto import FRONT_RESAMPLES, Front
from harness.analysis.inference.planning import LEVEL, POWER
from harness.analysis.inference.sign_flips import DRAWN, EXACT_UP_TO
from harness.analysis.references import TrialReference

FAMILY = "all pairwise comparisons of one outcome of one set of rows; a set: rows that ran the same work"


def statistics_json(judgement: Judgement) -> dict[str, Any]:
    """The value of `statistics` of a study (docs/analysis-compare.md)."""
    return {
        "level": LEVEL,
        "power": POWER,
        "family": FAMILY,
        "correction": "Holm",
        "bootstrap": {"method": "BCa over blocks", "resamples": RESAMPLES, "seed": SEED},
        "sign_flips": {"exact_up_to_blocks": EXACT_UP_TO, "drawn_above": DRAWN, "seed": SEED},
        "equivalence_margin": judgement.margin,
        "families": [_family(family) for family in judgement.families],
        "fronts": [_front(front) for front in judgement.fronts],
        "front_resamples": FRONT_RESAMPLES,
        "alone": list(judgement.alone),
        "problems": list(judgement.problems),
    }


def _family(family: Family) -> dict[str, Any]:
    ranking = asdict(family.ranking)
    ranking["left_out"] = {str(seed): list(rows) for seed, rows in family.ranking.left_out.items()}
    return {
        "outcome": family.outcome,
        "rows": list(family.rows),
        "reference": family.reference,
        "comparisons": family.comparisons,
        "fewest_blocks": family.fewest_blocks,
        "blocks": list(family.seeds),
        "pairs": [_pair(pair) for pair in family.pairs],
        "ranking": ranking,
        "unstable": dict(family.unstable),
        "missing": dict(family.missing),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "row": pair.row,
        "reference": pair.reference,
        "blocks": list(pair.seeds),
        "left_out": {why: list(seeds) for why, seeds in pair.left_out.items()},
        "ratio": pair.ratio,
        "log_sd": pair.log_sd,
        "grain_sd": pair.grain_sd,
        "t_95": _bounds(pair.t),
        "bca_95": _bounds(pair.bca),
        "shown": pair.shown.method,
        "sign_flips": asdict(pair.test) if pair.test else None,
        "p_holm": pair.p_holm,
        "d_z": pair.d_z,
        "equivalence": asdict(pair.equivalence) if pair.equivalence else None,
        "verdict": pair.verdict,
        "reason": pair.reason or None,
        "more_blocks": pair.more_blocks,
        "disturbed": list(pair.disturbed),
        "records": [_trial(trial) for trial in pair.trials],
        "reference_records": [_trial(trial) for trial in pair.reference_trials],
    }


def _bounds(bounds: Bounds) -> dict[str, Any]:
    return {"low": bounds.low, "high": bounds.high, "reason": bounds.reason}


def _trial(trial: TrialReference) -> dict[str, Any]:
    return {"id": trial.id, "seed": trial.seed, "record": trial.path}


def _front(front: Front) -> dict[str, Any]:
    return {
        "accuracy": "top1_percent",
        "cost": front.cost,
        "conditions": front.conditions,
        "blocks": list(front.seeds),
        "rows": [{**asdict(row), "on_front": row.on_front} for row in front.rows],
        "left_out": dict(front.left_out),
        "reason": front.reason,
    }
