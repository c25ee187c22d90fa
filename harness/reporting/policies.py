"""Rankings, verdicts, robustness and recommendations as text, Markdown, CSV and plain values."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import harness
from harness.analysis.policies.entries import Entry, Ranking, Standing
from harness.analysis.policies.intervals import Interval
from harness.analysis.policies.naming import short_text
from harness.analysis.policies.ranking import TEST
from harness.reporting.text import latex_escaped, markdown_escaped, one_line

FORMAT_VERSION = 1
"""Version of the JSON forms. History: 1, the first form."""

UNTESTED = "one seed: not tested"

CSV_FIELDS = (
    "dataset",
    "dataset_content_sha256",
    "network",
    "frameworks",
    "steps",
    "batch_size",
    "by",
    "rank",
    "tier",
    "policy",
    "function",
    "standing",
    "seeds",
    "n",
    "value",
    "value_half_width_95",
    "unit",
    "difference_to_best",
    "difference_half_width_95",
    "p_adjusted",
    "test",
    "top1_percent",
    "top1_half_width_95",
    "cost",
    "cost_half_width_95",
    "cost_unit",
    "threshold_percent",
    "cost_reached",
    "pareto",
    "diverged",
    "reason",
    "trials",
)


def ranking_text(rankings: Sequence[Ranking], notes: Sequence[str]) -> str:
    """All rankings with aligned columns, what they rest on, and what a reader must know."""
    parts = []
    for one in rankings:
        rows = [_header(one), *(_cells(one, entry) for entry in one.entries)]
        block = [one.group.title, *(f"  {line}" for line in _facts(one)), "", aligned(rows, right=_right(one))]
        below = [*_reasons(one), *one.notes]
        block += ["", *(f"  * {one_line(line)}" for line in below)] if below else []
        parts.append("\n".join(block))
    if notes:
        parts.append("notes:\n" + "\n".join(f"  * {one_line(line)}" for line in notes))
    return "\n\n".join(parts) + "\n"


def ranking_markdown(rankings: Sequence[Ranking], notes: Sequence[str]) -> str:
    """The same in GitHub's Markdown."""
    parts = []
    for one in rankings:
        header = _header(one)
        rows = [header, *(_cells(one, entry) for entry in one.entries)]
        rule = ["---:" if right else "---" for right in _right(one)]
        escaped = [[markdown_escaped(text) for text in row] for row in rows]
        table = "\n".join("| " + " | ".join(row) + " |" for row in (escaped[0], rule, *escaped[1:]))
        below = [*_facts(one), *_reasons(one), *one.notes]
        listed = "\n".join(f"* {markdown_escaped(line)}" for line in below)
        parts.append(f"**{markdown_escaped(one.group.title)}**\n\n{table}\n\n{listed}")
    if notes:
        parts.append("\n".join(f"* {markdown_escaped(line)}" for line in notes))
    return "\n\n".join(parts) + "\n"


def ranking_latex(rankings: Sequence[Ranking], notes: Sequence[str]) -> str:
    r"""One `table` environment a ranking with booktabs rules (`\usepackage{booktabs}`); every text is escaped."""
    parts = [r"% needs \usepackage{booktabs}"]
    for one in rankings:
        alignment = "".join("r" if right else "l" for right in _right(one))
        rows = [[latex_escaped(text) for text in row] for row in (_header(one), *(_cells(one, e) for e in one.entries))]
        caption = ". ".join([one.group.title, *_facts(one), *_reasons(one), *one.notes, *notes])
        body = [" & ".join(row) + r" \\" for row in rows]
        lines = [r"\begin{table}", r"\centering", rf"\caption{{{latex_escaped(caption)}.}}"]
        lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", body[0], r"\midrule", *body[1:]]
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]))
    return "\n".join(parts) + "\n"


def ranking_csv(rankings: Sequence[Ranking]) -> str:
    """One line a policy; values unrounded, `diverged` as JSON, seeds and trials separated by spaces."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for ranking in rankings:
        for entry in ranking.entries:
            values = _csv_row(ranking, entry)
            writer.writerow({key: "" if value is None else value for key, value in values.items()})
    return buffer.getvalue()


def ranking_json(rankings: Sequence[Ranking], notes: Sequence[str]) -> str:
    """All rankings as one JSON object."""
    return to_json({"rankings": [ranking_values(one) for one in rankings], "notes": list(notes)})


def ranking_values(ranking: Ranking) -> dict[str, Any]:
    """A ranking as plain values."""
    group = ranking.group
    return {
        "dataset": group.first["dataset"],
        "dataset_content_sha256": group.first["dataset_content_sha256"],
        "workload": group.first["workload"],
        "network": group.first["network"],
        "frameworks": list(group.frameworks),
        "certificates": {name: list(values) for name, values in group.certificates.items()},
        "setting": json.loads(group.first["setting_json"]),
        "by": dict(ranking.by),
        "criteria": [asdict(one) for one in ranking.criteria],
        "unit": ranking.unit,
        "threshold_percent": ranking.threshold_percent,
        "threshold_is_chosen": ranking.threshold_is_chosen,
        "cost_unit": ranking.cost_unit,
        "no_cost": ranking.no_cost,
        "test": TEST,
        "policies": [
            {**asdict(entry), "standing": entry.standing.name.lower(), "policy_values": json.loads(entry.policy_json)}
            for entry in ranking.entries
        ],
        "notes": list(ranking.notes),
    }


def to_json(content: dict[str, Any]) -> str:
    """JSON with the version of its form in front."""
    whole = {"format_version": FORMAT_VERSION, "dlgauge_version": harness.__version__, **content}
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def mean_text(found: Interval | None, digits: int = 4) -> str:
    """`98.31 ± 0.12`: a mean with the half width of its 95 % interval, which gets two digits."""
    if found is None:
        return "n/a"
    if found.half_width is None:
        return f"{found.mean:.{digits}g}"
    if found.half_width == 0:
        return f"{found.mean:.{digits}g} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(found.half_width)))
    decimals = min(decimals, 8)
    return f"{found.mean:.{decimals}f} ± {found.half_width:.{decimals}f}"


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """Rows with columns as wide as their widest text, a rule under the first."""
    texts = [[one_line(text) for text in row] for row in rows]
    widths = [max(len(row[index]) for row in texts) for index in range(len(texts[0]))]
    lines = [
        "  ".join(
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in texts
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def diverged_text(found: Iterable[Any], of: int) -> str:
    """`2 of 3 diverged, first at step 12, counted from 1, rate 0.6`; a policy itself counts steps from 0."""
    listed = list(found)
    steps = sorted(
        ((one.step, one.learning_rate) for one in listed if one.step is not None),
        key=lambda pair: (pair[0], pair[1] or 0),
    )
    text = f"{len(listed)} of {of} diverged"
    if steps:
        step, rate = steps[0]
        text += f", first at step {step}, counted from 1, rate {'unknown' if rate is None else f'{rate:.6g}'}"
    return text


def _header(ranking: Ranking) -> list[str]:
    by = ranking.criteria[0].name if len(ranking.criteria) == 1 else "score"
    unit = "" if ranking.unit == "1" else f" {ranking.unit}"
    cost = "cost" if ranking.threshold_percent is None else f"{ranking.cost_unit} to {ranking.threshold_percent:g} %"
    own = [] if by == "accuracy" else ["top-1 %"]
    costs = [] if by == "cost" else [cost]
    return ["", "tier", "policy", "n", f"{by}{unit}", "to the best", "p", *own, *costs, "front", ""]


def _right(ranking: Ranking) -> list[bool]:
    count = len(_header(ranking))
    return [True, True, False, *([True] * (count - 5)), False, False]


def _cells(ranking: Ranking, entry: Entry) -> list[str]:
    by = ranking.criteria[0].name if len(ranking.criteria) == 1 else "score"
    against = entry.against_leader
    to_best = ""
    if against is not None:
        spread = "" if against.half_width is None else f" ± {against.half_width:.2g}"
        to_best = f"{against.mean:+.3g}{spread}"
    reached, of = entry.cost_reached
    cost = mean_text(entry.cost) if entry.cost else "n/a"
    if entry.cost and reached < of:
        cost += f" ({reached} of {of})"
    own = [] if by == "accuracy" else [mean_text(entry.accuracy)]
    costs = [] if by == "cost" else [cost]
    return [
        str(entry.rank),
        "" if entry.tier is None else str(entry.tier),
        short_text(json.loads(entry.policy_json)),
        str(len(entry.seeds)),
        mean_text(entry.value),
        to_best,
        "" if entry.p_adjusted is None else f"{entry.p_adjusted:.2g}",
        *own,
        *costs,
        "*" if entry.pareto else "",
        _remark(entry),
    ]


def _remark(entry: Entry) -> str:
    if entry.diverged:
        return diverged_text(entry.diverged, len(entry.trials))
    if entry.standing is Standing.FULL:
        return UNTESTED if entry.value is not None and entry.value.n == 1 else ""
    return entry.reason or ""


def _facts(ranking: Ranking) -> list[str]:
    first = ranking.group.first
    content = str(first["dataset_content_sha256"] or "unknown")[:12]
    lines = [f"by {one.name}: {one.text}" for one in ranking.criteria]
    lines.append(f"dataset content {content}; setting {first['setting']}; ± is the half width of the 95 % t interval")
    if ranking.threshold_percent is not None:
        how = ", the lowest of a trial of the first tier, as none was given" if ranking.threshold_is_chosen else ""
        lines.append(
            f"cost: {ranking.cost_unit} until {ranking.threshold_percent:g} % test top-1 is first reached{how}"
        )
        lines.append("front *: no other policy is both as accurate and as cheap")
    return lines


def _reasons(ranking: Ranking) -> list[str]:
    lines = []
    if any(entry.p_adjusted is not None for entry in ranking.entries):
        lines.append(TEST)
        names = [short_text(json.loads(entry.policy_json)) for entry in ranking.leaders]
        if len(names) > 1:
            lines.append(f"not distinguishable from the best: {', '.join(names[1:])}")
    return lines


def _csv_row(ranking: Ranking, entry: Entry) -> dict[str, Any]:
    first = ranking.group.first
    against = entry.against_leader
    return {
        "dataset": first["dataset"],
        "dataset_content_sha256": first["dataset_content_sha256"],
        "network": first["network"],
        "frameworks": " + ".join(ranking.group.frameworks),
        "steps": first["steps"],
        "batch_size": first["batch_size"],
        "by": ",".join(f"{name}={weight:g}" for name, weight in ranking.by.items()),
        "rank": entry.rank,
        "tier": entry.tier,
        "policy": entry.policy,
        "function": entry.function,
        "standing": entry.standing.name.lower(),
        "seeds": " ".join(map(str, entry.seeds)),
        "n": entry.value.n if entry.value else 0,
        "value": entry.value.mean if entry.value else None,
        "value_half_width_95": entry.value.half_width if entry.value else None,
        "unit": ranking.unit,
        "difference_to_best": against.mean if against else None,
        "difference_half_width_95": against.half_width if against else None,
        "p_adjusted": entry.p_adjusted,
        "test": against.test if against else None,
        "top1_percent": entry.accuracy.mean if entry.accuracy else None,
        "top1_half_width_95": entry.accuracy.half_width if entry.accuracy else None,
        "cost": entry.cost.mean if entry.cost else None,
        "cost_half_width_95": entry.cost.half_width if entry.cost else None,
        "cost_unit": ranking.cost_unit,
        "threshold_percent": ranking.threshold_percent,
        "cost_reached": f"{entry.cost_reached[0]} of {entry.cost_reached[1]}",
        "pareto": "yes" if entry.pareto else "no",
        "diverged": json.dumps([asdict(one) for one in entry.diverged]) if entry.diverged else None,
        "reason": entry.reason or (entry.value.reason if entry.value else None),
        "trials": " ".join(entry.trials),
    }
