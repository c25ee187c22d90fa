"""The tables of a page besides the comparison: trials, software, quality of the measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from harness.analysis.cell_values import code_hash
from harness.analysis.cells import seed_of
from harness.analysis.columns import Column, column_for
from harness.analysis.comparison import UNKNOWN
from harness.analysis.notes import FLAGS
from harness.records import Record
from harness.records.attribution import PEAK
from harness.records.quality import quality_flags
from harness.records.summary_keys import MIB
from harness.reporting.numbers import NOT_AVAILABLE, show_number


@dataclass(frozen=True)
class TrialRow:
    """A trial in the table of all trials."""

    id: str
    framework: str
    label: str
    seed: int
    started: str
    termination: str
    reason: str
    training_time: str
    accuracy: str
    log: tuple[str, ...]
    path: str
    notes: tuple[str, ...]
    phases: PhaseTable


@dataclass(frozen=True)
class SoftwareRow:
    """What a framework ran on; the values that its records hold."""

    framework: str
    version: str
    environment: str
    python: str
    numpy: str
    blas: str
    code: str
    threads: str
    devices: str


@dataclass(frozen=True)
class QualityRow:
    """How well a trial was sampled."""

    id: str
    label: str
    period: str
    rate: str
    samples: str
    coverage: str
    lateness_p50: str
    lateness_p99: str
    skipped: str
    cpu: str
    cores: str
    audit: str
    flagged: bool
    flags: tuple[str, ...]


@dataclass(frozen=True)
class PhaseRow:
    """What a trial used in all phases of one name."""

    phase: str
    count: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class PhaseTable:
    """What a trial used in each phase; the rows add up to the trial (peaks: the highest)."""

    titles: tuple[str, ...]
    rows: tuple[PhaseRow, ...]


ACCOUNTS = {"cgroup_cpu_s": "cgroup", "tree_cpu_s": "process tree", "rusage_cpu_s": "wait4"}
"""Accounts of the job's CPU time in a record's audit, in words."""

MILLISECONDS = Column("", "", "ns", "", scale=1e6, digits=3)
"""How times of the sampler are shown."""

HERTZ = Column("", "", "1/s", "", digits=3)
PERCENT = Column("", "", "fraction", "", scale=0.01, digits=4)
OWN_PERCENT = Column("", "", "fraction", "", scale=0.01, digits=2)
"""How rate, coverage and the sampler's own use are shown."""

CODE_DIGITS = 12
"""Digits of a hash of code that are shown."""


def trial_rows(records: Sequence[Record]) -> list[TrialRow]:
    """All trials in the order of their start."""
    return [
        TrialRow(
            id=record.id,
            framework=str(_part(record.specification, "framework").get("name", "")),
            label=record.label,
            seed=seed_of(record),
            started=record.started_at[:19].replace("T", " "),
            termination=record.termination,
            reason=str(record.manifest["termination"].get("reason") or ""),
            training_time=show_number(record.summary.get("training_time_s"), column_for("training_time_s")),
            accuracy=show_number(record.summary.get("top1_percent"), column_for("top1_percent")),
            log=tuple(record.log_tail()),
            path=str(record.path),
            notes=tuple(str(note) for note in record.manifest.get("notes") or ()),
            phases=phase_table(record),
        )
        for record in records
    ]


PHASE_COLUMNS = (
    Column("duration_s", "time s", "s", "", digits=4),
    Column("cpu_seconds", "CPU s", "s", "", digits=4),
    Column("cpu_user_seconds", "user s", "s", "", digits=3),
    Column("cpu_system_seconds", "system s", "s", "", digits=3),
    Column("memory_peak_bytes", "memory peak MiB", "bytes", "", scale=MIB, digits=4),
    Column("disk_read_bytes", "read MiB", "bytes", "", scale=MIB, digits=3),
    Column("disk_write_bytes", "written MiB", "bytes", "", scale=MIB, digits=3),
    Column("package_energy_joules", "CPU energy J", "J", "", digits=4),
    Column("gpu_energy_joules", "GPU energy J", "J", "", digits=4),
)
"""What the table of phases shows; a quantity that no phase has is left out."""


def phase_table(record: Record) -> PhaseTable:
    """What a trial used, phases of one name together, with what lies before the first and after the last mark."""
    before, after = _around(record)
    rows = [*before, *record.phases, *after]
    columns = [column for column in PHASE_COLUMNS if any(row.get(column.key) is not None for row in rows)]
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(str(row.get("phase")), []).append(row)
    shown = [(name, members, name) for name, members in by_name.items()] if columns else []
    shown += [("whole trial", rows, "")] if shown else []
    return PhaseTable(
        tuple(column.title for column in columns),
        tuple(
            PhaseRow(
                name.replace("_", " "),
                str(len(members)) if single else "",
                tuple(show_number(_together(members, column.key), column) for column in columns),
            )
            for name, members, single in shown
        ),
    )


def _around(record: Record) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    told = record.manifest.get("unmarked")
    rows = [row for row in told if isinstance(row, Mapping)] if isinstance(told, list) else []
    return rows[:1], rows[1:]


def _together(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The sum over rows, of a peak the highest; None where a row lacks it."""
    values = [row.get(key) for row in rows]
    numbers = [value for value in values if _is_number(value)]
    if not numbers or (key != PEAK and len(numbers) < len(values)):
        return None
    return max(numbers) if key == PEAK else sum(numbers)


def software_rows(records: Sequence[Record]) -> list[SoftwareRow]:
    """Distinct software, from what each worker said of itself."""
    rows = {_software(record): None for record in records if record.manifest.get("framework")}
    return sorted(rows, key=lambda row: (row.framework, row.version))


def _software(record: Record) -> SoftwareRow:
    told = _part(record.manifest, "framework")
    framework = _part(record.specification, "framework")
    environment = str(framework.get("environment") or NOT_AVAILABLE)
    code = code_hash(record)
    threads = _part(told, "threads")
    return SoftwareRow(
        framework=str(told.get("framework") or framework.get("name", "")),
        version=str(told.get("version") or NOT_AVAILABLE),
        environment=environment,
        python=str(told.get("python") or NOT_AVAILABLE),
        numpy=str(told.get("numpy") or NOT_AVAILABLE),
        blas=_blas(told.get("blas"), environment),
        code=NOT_AVAILABLE if code == UNKNOWN else code[:CODE_DIGITS],
        threads=", ".join(f"{key} {value}" for key, value in threads.items() if value is not None) or NOT_AVAILABLE,
        devices=", ".join(_device(device) for device in told.get("devices") or ()) or NOT_AVAILABLE,
    )


def _blas(found: Any, environment: str) -> str:
    """The BLAS that the framework computes with; the copy that NumPy brings along is NumPy's alone."""
    if not isinstance(found, list):
        return "none reported"
    libraries = [one for one in found if isinstance(one, Mapping) and not _is_of_numpy(one)]
    names = dict.fromkeys(f"{one.get('name', '?')} {one.get('version') or ''}".strip() for one in libraries)
    return ", ".join(names) or ("own (not switchable)" if environment == "venv" else "none reported")


def _is_of_numpy(library: Mapping[str, Any]) -> bool:
    # Records from before the key `of` show it by the path alone.
    return library.get("of") == "numpy" or "/numpy.libs/" in str(library.get("path", ""))


def _device(device: Any) -> str:
    return str(device.get("name", device)) if isinstance(device, Mapping) else str(device)


def quality_rows(records: Sequence[Record]) -> list[QualityRow]:
    """How well each trial was sampled."""
    return [_quality(record) for record in records]


def _quality(record: Record) -> QualityRow:
    sampling = _part(record.manifest, "sampling")
    audit = _part(sampling, "audit")
    accounts = {words: audit.get(key) for key, words in ACCOUNTS.items()}
    return QualityRow(
        id=record.id,
        label=record.label,
        period=_milliseconds(sampling.get("period_ns")),
        rate=show_number(_number(sampling.get("achieved_rate_hz")), HERTZ),
        samples=_text(sampling.get("samples")),
        coverage=show_number(_number(sampling.get("coverage")), PERCENT),
        lateness_p50=_milliseconds(sampling.get("lateness_p50_ns")),
        lateness_p99=_milliseconds(sampling.get("lateness_p99_ns")),
        skipped=_text(sampling.get("ticks_skipped")),
        cpu=show_number(sampling.get("sampler_cpu_seconds"), column_for("sampler_cpu_seconds")),
        audit=", ".join(f"{words} {value:.2f} s" for words, value in accounts.items() if _is_number(value))
        or NOT_AVAILABLE,
        cores=show_number(_number(sampling.get("sampler_cores")), OWN_PERCENT),
        flagged=audit.get("flag") is True,
        flags=tuple(FLAGS.get(flag, flag) for flag in quality_flags(sampling) if flag != "cpu_audit_failed"),
    )


def _milliseconds(ns: Any) -> str:
    return show_number(_number(ns), MILLISECONDS)


def _number(value: Any) -> float | None:
    return value if _is_number(value) else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return NOT_AVAILABLE if value is None else str(value)


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}
