"""Reading files of claims, with errors that name file, line, key and value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.analysis.claims.model import Claim, ClaimEntry, ClaimFile
from harness.analysis.columns import COST_SEPARATOR, COST_TITLES, cost_column
from harness.analysis.factors import FACTORS, IDENTITY_FACTORS
from harness.errors import DlgaugeError, FileFormatError
from harness.paths import PROJECT_ROOT
from harness.records.summary_keys import SUMMARY_KEYS
from harness.study import load_frameworks, study_names
from harness.study.keys import known_keys
from harness.validation import KeyPath, Problem, nearest
from harness.yaml_files import display_path, file_error, load_yaml, validate

CLAIMS_FOLDER = PROJECT_ROOT / "claims"
"""The claims of both papers."""

VARIED_PREFIX = "varied."
RATIO_ONLY_OF_CELLS = ("order", "ratio", "difference")
WITHOUT_OUTCOME = ("none_best_in_all", "untestable")

Found = Iterator[Problem]


def load_claims(paths: Iterable[Path] | None = None, *, frameworks: Iterable[str] | None = None) -> tuple[Claim, ...]:
    """The claims of files and of the `.yaml` files of folders, in their order.

    Args:
        paths: None for the claims that come with dlgauge.
        frameworks: names that a selection may have; None: every framework that can be measured.

    Raises:
        FileFormatError: a file that is missing or not valid, with every problem, its line, key and value; no file in a
            folder; two files, or two claims of one file, of the same name.
    """
    known = tuple(load_frameworks() if frameworks is None else frameworks)
    claims: list[Claim] = []
    names: dict[str, Path] = {}
    for path in _files([CLAIMS_FOLDER] if paths is None else paths):
        found = load_claim_file(path, known)
        name = found[0].file
        if name in names:
            raise FileFormatError(f"claims {name!r} stand in {display_path(names[name])} too", where=display_path(path))
        names[name] = path
        claims += found
    return tuple(claims)


def load_claim_file(path: Path, frameworks: Iterable[str]) -> tuple[Claim, ...]:
    """The claims of one file, at least one. Errors as `load_claims`."""
    document = load_yaml(path)
    file = validate(document, ClaimFile)
    known = tuple(frameworks)
    problems = [
        Problem(("findings", index, *one.key_path), one.message)
        for index, entry in enumerate(file.findings)
        for one in _problems(entry, known)
    ]
    problems += _repeated(file.findings)
    problems += _unknown_frameworks(("published", "frameworks"), file.published.frameworks, known)
    if problems:
        raise file_error(document, problems)
    return tuple(
        Claim(
            file=file.claims,
            paper=file.paper,
            path=path,
            line=document.line(("findings", index)),
            entry=entry,
            published=file.published if entry.published is None else entry.published,
        )
        for index, entry in enumerate(file.findings)
    )


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        there = sorted(path.glob("*.yaml"))
        if not there:
            raise FileFormatError("the folder holds no file of claims (*.yaml)", where=display_path(path))
        yield from there


def _repeated(entries: Sequence[ClaimEntry]) -> Found:
    first: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if entry.claim in first:
            yield Problem(("findings", index, "claim"), f"a claim {entry.claim!r} stands in this file already")
        first.setdefault(entry.claim, index)


def _problems(entry: ClaimEntry, frameworks: Sequence[str]) -> Found:
    """What is wrong with a claim though every key is of its form; key paths start at the claim."""
    yield from _outcome_problems(entry)
    yield from _shape_problems(entry)
    yield from _name_problems(entry)
    for key_path, select in _selects(entry):
        yield from _select_problems(key_path, select, frameworks)
    if entry.levels is not None:
        yield from _column_problems(("levels", "of"), entry.levels.of)
    if entry.published is not None:
        yield from _unknown_frameworks(("published", "frameworks"), entry.published.frameworks, frameworks)
    if entry.study is not None and entry.study not in study_names() and not Path(entry.study).is_file():
        yield Problem(("study",), f"no such study {entry.study!r}{nearest(entry.study, study_names())}")


def _outcome_problems(entry: ClaimEntry) -> Found:
    kind = entry.relation.kind
    if kind in WITHOUT_OUTCOME and entry.outcome is not None:
        yield Problem(("outcome",), f"a relation {kind!r} takes no outcome, not {entry.outcome!r}")
    if kind not in WITHOUT_OUTCOME and entry.outcome is None:
        yield Problem((), f"key 'outcome' is missing: a relation {kind!r} is of one")
    if entry.outcome is not None:
        yield from _unknown_outcome(("outcome",), entry.outcome)
    if entry.relation.kind == "none_best_in_all":
        for index, outcome in enumerate(entry.relation.outcomes):
            key: KeyPath = ("relation", "outcomes", index)
            yield from _unknown_outcome(key, outcome)
            if outcome in SUMMARY_KEYS and SUMMARY_KEYS[outcome].better is None:
                yield Problem(key, f"neither more nor less of {outcome!r} is an advantage, so no cell is best in it")
    if entry.relation.kind in ("best_of", "beaten") and entry.relation.better is None:
        known = SUMMARY_KEYS.get(entry.outcome or "")
        if known is not None and known.better is None:
            yield Problem(
                ("relation",), f"should have `better`: neither more nor less of {entry.outcome!r} is an advantage"
            )


def _unknown_outcome(key_path: KeyPath, outcome: str) -> Found:
    if outcome in SUMMARY_KEYS:
        return
    try:
        if cost_column(outcome) is not None:
            return
    except DlgaugeError as error:
        yield Problem(key_path, error.what)
        return
    costs = [f"{name}{COST_SEPARATOR}99" for name in COST_TITLES]
    yield Problem(key_path, f"unknown outcome {outcome!r}{nearest(outcome, [*SUMMARY_KEYS, *costs])}")


def _shape_problems(entry: ClaimEntry) -> Found:
    kind = entry.relation.kind
    if kind == "untestable":
        return
    if (entry.cells is None) == (entry.levels is None):
        yield Problem((), "should have either `cells` or `levels`")
    elif kind == "trend" and entry.levels is None:
        yield Problem(("relation",), "a trend is over `levels`, not over `cells`")
    elif kind in RATIO_ONLY_OF_CELLS and entry.cells is None:
        yield Problem(("relation",), f"a relation {kind!r} is of `cells` with names, not of `levels`")
    elif entry.cells is not None and len(entry.cells) < 2 and kind != "threshold":
        yield Problem(("cells",), f"a relation {kind!r} needs at least 2 cells, not {len(entry.cells)}")


def _name_problems(entry: ClaimEntry) -> Found:
    """Cells that the relation names and the claim has not."""
    if entry.cells is None:
        return
    for key, name in _named_cells(entry.relation):
        if name not in entry.cells:
            yield Problem(("relation", *key), f"no cell {name!r}{nearest(name, entry.cells)}")
    listed = getattr(entry.relation, "cells", None) or ()
    for index, name in enumerate(listed):
        if name in listed[:index]:
            yield Problem(("relation", "cells", index), f"cell {name!r} stands in the list twice")


def _named_cells(relation: Any) -> Iterator[tuple[KeyPath, str]]:
    for key in ("cell", "of", "to", "less"):
        if isinstance(name := getattr(relation, key, None), str):
            yield (key,), name
    listed = getattr(relation, "cells", None) or ()
    for index, name in enumerate(listed):
        yield ("cells", index), name


def _selects(entry: ClaimEntry) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if entry.levels is not None:
        yield ("levels", "select"), entry.levels.select
    for name, cell in (entry.cells or {}).items():
        yield ("cells", name, "select"), cell.select


def _select_problems(key_path: KeyPath, select: Mapping[str, Any], frameworks: Sequence[str]) -> Found:
    for column, value in select.items():
        yield from _column_problems((*key_path, column), column)
        if column == "framework":
            names = value if isinstance(value, tuple) else (value,)
            for name in names:
                if str(name) not in frameworks:
                    yield Problem((*key_path, column), f"unknown framework {name!r}{nearest(str(name), frameworks)}")


def _column_problems(key_path: KeyPath, column: str) -> Found:
    known = [*IDENTITY_FACTORS, *FACTORS, *known_keys()]
    if column in known or column.startswith(VARIED_PREFIX):
        return
    if column in SUMMARY_KEYS:
        yield Problem(key_path, f"{column!r} is an outcome, not what records can be chosen by")
        return
    yield Problem(key_path, f"unknown column {column!r}{nearest(column, known)}")


def _unknown_frameworks(key_path: KeyPath, named: Mapping[str, Any], frameworks: Sequence[str]) -> Found:
    for name in named:
        if name not in frameworks:
            yield Problem((*key_path, name), f"unknown framework {name!r}{nearest(name, frameworks)}")
