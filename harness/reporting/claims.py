"""Verdicts on claims as text, Markdown and LaTeX."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.claims import Evaluation, Part, Verdict
from harness.analysis.columns import column_for
from harness.reporting.policies import aligned
from harness.reporting.text import latex_escaped, markdown_escaped, one_line
from harness.reporting.verdicts import seed_text
from harness.study import study_names

MOST_SHOWN = 12
"""Comparisons of one claim in a table; decided ones first where there are more."""

FEWEST_BLOCKS = 3
"""With one block there is no spread, with two hardly one."""

HEADERS = ("claim", "verdict", "of", "measured", "interval", "claimed", "blocks", "records")
NUMERIC = (False, False, False, True, False, False, True, True)

HOW_TO_READ = (
    "Supported: the intervals lie in the claimed regions so that the claim holds. Refuted: they lie so that it cannot "
    "hold. Undecided: neither. The unit is the block (one seed); cells are compared block by block, ratios by their "
    "logarithms. The intervals of a claim with several comparisons are adjusted by Holm's correction: their level "
    "stands beside them."
)


def claims_text(found: Sequence[Evaluation], store: Path | str) -> str:
    """One table, and below it of every claim what it says, where it stands, what it rests on, what to do next."""
    rows = [list(HEADERS), *(row for one in found for row in _rows(one))]
    parts = [aligned(rows, right=NUMERIC), _tally(found), HOW_TO_READ]
    for one in found:
        lines = [f"{one.claim.name}: {verdict_words(one)}", *(f"  {line}" for line in details(one, store))]
        parts.append("\n".join(one_line(line) for line in lines))
    return "\n\n".join(parts) + "\n"


def claims_markdown(found: Sequence[Evaluation], store: Path | str) -> str:
    """The same in GitHub's Markdown."""
    rows = [
        [markdown_escaped(text) for text in row] for row in (HEADERS, *(row for one in found for row in _rows(one)))
    ]
    rule = ["---:" if right else "---" for right in NUMERIC]
    table = "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:]))
    parts = [table, markdown_escaped(_tally(found)), markdown_escaped(HOW_TO_READ)]
    for one in found:
        listed = "\n".join(f"  * {markdown_escaped(line)}" for line in details(one, store))
        parts.append(f"* **{markdown_escaped(one.claim.name)}**: {markdown_escaped(verdict_words(one))}\n{listed}")
    return "\n\n".join(parts) + "\n"


def claims_latex(found: Sequence[Evaluation]) -> str:
    r"""A `table` environment with booktabs rules (`\usepackage{booktabs}`); reasons below it; every text is escaped."""
    rows = [
        " & ".join(latex_escaped(text) for text in row) + r" \\"
        for row in (HEADERS, *(r for o in found for r in _rows(o)))
    ]
    below = [f"{one.claim.name}: {text}" for one in found for text in (*one.reasons, *one.notes)]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_escaped(f'{_tally(found)} {HOW_TO_READ}')}}}",
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in NUMERIC)}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        "",
        r"\medskip",
        r"{\footnotesize\raggedright",
        *(rf"{latex_escaped(line)}\par" for line in below),
        r"}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def verdict_words(one: Evaluation) -> str:
    """The verdict, of an undecided one with the number of further blocks."""
    if one.verdict is not Verdict.UNDECIDED:
        return one.verdict.value
    if one.more_blocks is None:
        if one.n is not None and one.n < 2:
            return f"undecided (at least {FEWEST_BLOCKS - one.n} more blocks)"
        return "undecided (more than 1,000 more blocks, or on a bound)"
    return f"undecided ({one.more_blocks} more block{'s' if one.more_blocks != 1 else ''})"


def details(one: Evaluation, store: Path | str) -> list[str]:
    """What stands below the table on a claim."""
    entry = one.claim.entry
    lines = [f"finding: {sentence(entry.finding)}"]
    if entry.reading:
        lines.append(f"read as: {sentence(entry.reading)}")
    lines.append(f"source: {sentence(entry.source.text)} ({sentence(one.claim.paper)})")
    published = {name: cell.published for name, cell in (entry.cells or {}).items() if cell.published is not None}
    if published:
        lines.append("published: " + ", ".join(f"{name} {value:.10g}" for name, value in published.items()))
    if one.conditions:
        lines.append(f"records of: {_conditions(one.conditions)}")
    lines += [f"why: {text}" for text in one.reasons]
    lines += [f"note: {text}" for text in one.notes]
    if one.records:
        lines.append("records: " + "; ".join(_records_by_cell(one)))
    lines += [f"next: {command}  ({gives})" for command, gives in next_commands(one, store)]
    return lines


def next_commands(one: Evaluation, store: Path | str) -> list[tuple[str, str]]:
    """The command that would decide an undecided claim, or measure one that has no records; and what it gives."""
    if one.verdict is Verdict.NOT_COMPARABLE and not one.records and one.claim.entry.study:
        return [(_run(one.claim.entry.study, store), f"the cells that study {one.claim.entry.study} measures")]
    if one.verdict is not Verdict.UNDECIDED or not one.records:
        return []
    if one.more_blocks is not None:
        gives = (
            f"{one.more_blocks} more block{'s' if one.more_blocks != 1 else ''}, which would decide it at this spread"
        )
        more = one.more_blocks
    elif one.n is not None and one.n < FEWEST_BLOCKS:
        more = FEWEST_BLOCKS - one.n
        gives = (
            f"{more} more block{'s' if more != 1 else ''}: then there is a spread, and with it how many would decide"
        )
    else:
        return []
    seeds = seed_text({record.block for record in one.records}, more)
    return [(f"{_run(study, store)} --seeds {seeds}", gives) for study in one.studies]


def _run(study: str, store: Path | str) -> str:
    """The command for a study; of one that does not come with dlgauge only its user knows the file."""
    file = study if study in study_names() or Path(study).is_file() else f"{study}.yaml"
    return shlex.join(["dlgauge", "run", file, "--store", str(store)])


def _rows(one: Evaluation) -> list[list[str]]:
    records = str(len(one.records)) if one.records else ""
    if not one.parts:
        return [[one.claim.name, one.verdict.value, "", "", "", "", "", records]]
    rows = []
    shown = one.parts
    if len(shown) > MOST_SHOWN:  # all of them stand in JSON and CSV
        shown = (
            *(part for part in shown if part.decided is not None),
            *(part for part in shown if part.decided is None),
        )
        shown = shown[:MOST_SHOWN]
    for index, part in enumerate(shown):
        own = [one.claim.name, verdict_words(one)] if index == 0 else ["", _part_words(part)]
        if index == 0 and len(one.parts) > 1:
            rows.append([*own, "", "", "", "", "" if one.n is None else str(one.n), records])
            own = ["", _part_words(part)]
        last = records if len(one.parts) == 1 else ""
        rows.append([*own, _of(part), *_numbers(part), str(part.n), last])
    if len(shown) < len(one.parts):
        rest = Counter(_part_words(part).strip() for part in one.parts)
        rest.subtract(_part_words(part).strip() for part in shown)
        told = ", ".join(f"{count} {words}" for words, count in rest.items() if count)
        rows.append(["", "  …", f"{len(one.parts) - len(shown)} more comparisons: {told}", "", "", "", "", ""])
    return rows


def _part_words(part: Part) -> str:
    return {True: "  inside", False: "  outside", None: "  open"}[part.decided]


def _of(part: Part) -> str:
    return f"{part.outcome} {part.name}"


def _numbers(part: Part) -> list[str]:
    """Measured value, interval, region."""
    column = column_for(part.outcome)
    scale = 1.0 if part.scale == "ratio" else column.scale
    unit = "×" if part.scale == "ratio" else _unit(part)
    interval = "no interval"
    if part.low is not None and part.high is not None:
        interval = f"{_short(part.low / scale)} to {_short(part.high / scale)}"
        if part.alpha < 0.05:
            interval += f" ({100 * (1 - part.alpha):.4g} %)"
    return [f"{_short(part.value / scale)} {unit}".strip(), interval, _region(part, scale)]


def _unit(part: Part) -> str:
    column = column_for(part.outcome)
    if column.unit == "percent":
        return "points" if part.scale == "difference" else "%"
    return {"bytes": "MiB", "1": "", "cpu_s": "s"}.get(column.unit, column.unit)


def _region(part: Part, scale: float) -> str:
    low, high = part.claimed_low / scale, part.claimed_high / scale
    if math.isinf(high):
        return f"above {_short(low)}"
    if math.isinf(low) or (part.scale == "ratio" and low == 0):
        return f"below {_short(high)}"
    return f"{_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    return f"{value:.4g}"


def _tally(found: Sequence[Evaluation]) -> str:
    counts = Counter(one.verdict for one in found)
    names = len({one.claim.name for one in found})
    told = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    return f"{names} claim{'s' if names != 1 else ''}: {told or 'none'}."


def _conditions(conditions: Mapping[str, Any]) -> str:
    words = {"content_sha256": "content", "host": "machine", "memory_bytes": "memory limit in bytes"}
    told = []
    for name, value in conditions.items():
        if value is None or (isinstance(value, float) and math.isnan(value)):
            continue
        text = str(value)[:12] if name == "content_sha256" else f"{value:g}" if isinstance(value, float) else str(value)
        told.append(f"{words.get(name, name)} {text}")
    return ", ".join(told)


def _records_by_cell(one: Evaluation) -> list[str]:
    cells: dict[str, list[str]] = {}
    for record in one.records:
        cells.setdefault(record.cell, []).append(record.id)
    return [f"{cell}: {' '.join(ids)}" for cell, ids in cells.items()]


def sentence(text: str) -> str:
    """Text of a file on one line."""
    return " ".join(text.split())
