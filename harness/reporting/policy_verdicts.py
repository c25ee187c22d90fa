"""The answers of `dlgauge lr verify`, `robustness` and `recommend` as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.analysis.policies.entries import Ranking, Standing
from harness.analysis.policies.naming import short_text, text_of
from harness.analysis.policies.neighbours import Neighbour
from harness.analysis.policies.recommending import Recommendation
from harness.analysis.policies.robustness import AtScale, Robustness
from harness.analysis.policies.verification import Tried, Verdict
from harness.reporting.policies import aligned, mean_text, ranking_values, to_json

MEASURES = {
    "validation": "accuracy on the held-out images at their last evaluation",
    "final": "accuracy on the TEST images: the setting holds none out (--hold-out N does), so this is tuning on the "
    "test images",
}

Policy = Mapping[str, Any]


def neighbours_text(policy: Policy, around: Sequence[Neighbour]) -> str:
    """The policy and what lies around it."""
    rows = [["", "policy", ""], ["policy", short_text(policy), ""]]
    rows += [[one.name, short_text(one.policy, "-"), one.why_not or ""] for one in around]
    return aligned(rows, right=[False, False, False]) + "\n"


def verdict_text(policy: Policy, verdict: Verdict, around: Sequence[Neighbour], study: str, store: Path) -> str:
    """The verdict, the figures behind it, and how it was reached."""
    rows = [["", "policy", "n", "accuracy %", "less the policy's", "p", ""]]
    rows.append(["policy", short_text(policy), _count(verdict.accuracy), mean_text(verdict.accuracy), "", "", ""])
    policies = {one.name: one.policy for one in around}
    rows += [_tried(one, policies.get(one.name)) for one in verdict.tried]
    lines = [
        f"{verdict.answer}: {verdict.sentence}",
        "",
        aligned(rows, right=[False, False, True, True, True, True, False]),
        "",
        f"judged by {MEASURES.get(verdict.measure, verdict.measure)}",
        f"margin {verdict.margin_percent:g} points; intervals of the differences have {100 * verdict.confidence:.2f} % "
        f"each, so that all {len(verdict.tried)} hold together with 95 % (Bonferroni)",
        *(f"not tried: {one.name}: {one.why_not}" for one in around if one.policy is None),
        f"trials: study {study} in {store}",
    ]
    return "\n".join(lines) + "\n"


def verdict_json(policy: Policy, verdict: Verdict, around: Sequence[Neighbour], study: str, store: Path) -> str:
    """The same for programs."""
    content = {
        "policy": text_of(policy),
        "policy_values": dict(policy),
        **asdict(verdict),
        "not_tried": [{"name": one.name, "why": one.why_not} for one in around if one.policy is None],
        "study": study,
        "store": str(store),
    }
    return to_json(content)


def robustness_text(policy: Policy, found: Robustness, study: str, store: Path) -> str:
    """What is kept of the accuracy at each scale, and the spread over seeds."""
    rows = [["scale", "n", "top-1 %", "less scale 1's", "kept", "loss difference", ""]]
    rows += [_at_scale(one) for one in found.scales]
    kept = f"kept accuracy: {mean_text(found.kept)}" if found.kept else f"kept accuracy: n/a: {found.kept_reason}"
    spread = f"spread over seeds at scale 1: n/a: {found.spread_reason}"
    if found.sd_percent is not None and found.range_percent is not None:
        spread = (
            f"spread over seeds at scale 1: standard deviation {found.sd_percent:.3g} points, "
            f"range {found.range_percent:.3g} points"
        )
    lines = [
        short_text(policy),
        "",
        aligned(rows, right=[True, True, True, True, True, True, False]),
        "",
        f"{kept} (mean over the scales but 1 of accuracy there / accuracy at scale 1; diverged counts 0)",
        spread,
        "± is the half width of the 95 % t interval; differences are paired by seed",
        f"trials: study {study} in {store}",
    ]
    return "\n".join(lines) + "\n"


def robustness_json(policy: Policy, found: Robustness, study: str, store: Path) -> str:
    """The same for programs."""
    content = {"policy": text_of(policy), "policy_values": dict(policy), **asdict(found), "study": study}
    return to_json({**content, "store": str(store)})


def recommendation_text(found: Recommendation, next_command: str | None) -> str:
    """What is recommended, on which evidence, how near that is, and what to do next."""
    wanted = found.wanted
    asked = f"{wanted.dataset} · {wanted.network} · {wanted.framework}"
    if wanted.batch_size:
        asked += f" · batch size {wanted.batch_size}"
    lines = [f"asked for: {asked}"]
    if found.ranking is None:
        lines.append(f"no recommendation: {found.reason}")
    else:
        lines += _recommended(found)
    if next_command:
        lines += ["", "next:", f"  {next_command}"]
    return "\n".join(lines) + "\n"


def recommendation_json(found: Recommendation, next_command: str | None) -> str:
    """The same for programs."""
    leaders = found.ranking.leaders if found.ranking else ()
    content = {
        "wanted": asdict(found.wanted),
        "recommended": [
            {
                "policy": entry.policy,
                "policy_values": json.loads(entry.policy_json),
                "accuracy": asdict(entry.accuracy) if entry.accuracy else None,
                "cost": asdict(entry.cost) if entry.cost else None,
                "cheapest": entry.policy_json == found.cheapest,
                "trials": list(entry.trials),
            }
            for entry in leaders
        ],
        "distance": found.distance,
        "differences": list(found.differences),
        "evidence": dict(found.evidence),
        "ranking": ranking_values(found.ranking) if found.ranking else None,
        "notes": list(found.notes),
        "reason": found.reason,
        "next": next_command,
    }
    return to_json(content)


def _recommended(found: Recommendation) -> list[str]:
    ranking, evidence = found.ranking, found.evidence
    assert ranking is not None
    unit = ranking.cost_unit
    rows = [["policy", "top-1 %", f"{unit} to {ranking.threshold_percent or 0:g} %", "seeds", ""]]
    for entry in ranking.leaders:
        remark = "reaches it first" if entry.policy_json == found.cheapest and len(ranking.leaders) > 1 else ""
        cost = mean_text(entry.cost) if entry.cost else "n/a"
        rows.append([str(entry.policy), mean_text(entry.accuracy), cost, str(len(entry.seeds)), remark])
    certificates = "; ".join(
        f"{name}: {', '.join(value[:12] for value in values)}" for name, values in evidence["certificates"].items()
    )
    seeds = ", ".join(map(str, evidence["seeds"]))
    return [
        f"near: {found.nearness} (distance {found.distance:.3g})",
        "",
        aligned(rows, right=[False, True, True, True, False]),
        "",
        _how_sure(ranking),
        f"evidence: {evidence['records']} records of {evidence['policies']} policies "
        f"({evidence['records_of_the_recommended']} of the recommended), seeds {seeds}, "
        f"on {', '.join(evidence['frameworks'])}; {ranking.group.title}",
        f"dataset content {str(evidence['dataset_content_sha256'])[:12]}; certificates: {certificates}; "
        f"studies: {', '.join(evidence['studies'])}; imported: {evidence['imported']}",
        *(f"note: {note}" for note in (*found.notes, *ranking.notes)),
    ]


def _how_sure(ranking: Ranking) -> str:
    """What the tests say of the leaders, and what they cannot say."""
    first, *more = ranking.leaders
    tested = any(entry.p_adjusted is not None for entry in ranking.entries)
    single = [entry for entry in ranking.entries if entry.standing is Standing.FULL and entry.tier is None]
    if first.tier is None:
        if len(single) == 1:
            return "the only policy with a result, of one seed: no interval and no test"
        return "the best mean; one seed each, so no test says that it is the best"
    said = "the only policy with a result"
    if more:
        said = "not distinguishable from each other: any of them may be the best"
    elif tested:
        said = "the best; no other that was tested is indistinguishable from it"
    elif single:
        said = "the only policy with two seeds or more: no test says that it is the best"
    return said + (f"; of one seed, not tested: {len(single)}" if single else "")


def _tried(one: Tried, policy: Policy | None) -> list[str]:
    found = one.difference
    spread = "" if found is None or found.half_width is None else f" ± {found.half_width:.2g}"
    remarks = []
    if one.diverged:
        _, step, rate = one.diverged[0]
        remarks.append(f"{len(one.diverged)} diverged, first at step {step}, counted from 1, rate {_rate(rate)}")
    if one.missing:
        remarks.append(f"no result of seed {', '.join(map(str, one.missing))}")
    return [
        one.name,
        short_text(policy),
        _count(one.accuracy),
        mean_text(one.accuracy),
        "" if found is None else f"{found.mean:+.3g}{spread}",
        "" if found is None or found.p is None else f"{found.p:.2g}",
        "; ".join(remarks),
    ]


def _at_scale(one: AtScale) -> list[str]:
    found = one.difference
    spread = "" if found is None or found.half_width is None else f" ± {found.half_width:.2g}"
    remarks = []
    if one.diverged:
        _, step, rate = one.diverged[0]
        remarks.append(f"{len(one.diverged)} diverged, first at step {step}, counted from 1, rate {_rate(rate)}")
    if one.missing:
        remarks.append(f"no result of seed {', '.join(map(str, one.missing))}")
    return [
        f"{one.scale:g}",
        _count(one.accuracy),
        mean_text(one.accuracy),
        "" if found is None else f"{found.mean:+.3g}{spread}",
        mean_text(one.kept, 3),
        mean_text(one.loss_difference, 3),
        "; ".join(remarks),
    ]


def _count(found: Any) -> str:
    return str(found.n) if found else "0"


def _rate(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.6g}"
