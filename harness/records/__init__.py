"""Records: what a trial left behind, made immutable and open to queries (docs/records.md).

Importing this package imports neither pandas nor pyarrow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.records.compacting import Compaction, compact
    from harness.records.cost import CostToThreshold, cost_to_threshold
    from harness.records.locking import study_lock
    from harness.records.queries import connect, identity, load
    from harness.records.record import Record
    from harness.records.running import new_trial_folder
    from harness.records.salvage import Salvaged, keep_abandoned
    from harness.records.schema import SCHEMA_VERSION, TABLES
    from harness.records.store import DamagedRecordWarning, Store
    from harness.records.summary_keys import SUMMARY_KEYS, SummaryKey
    from harness.records.writer import publish

__all__ = [
    "SCHEMA_VERSION",
    "SUMMARY_KEYS",
    "TABLES",
    "Compaction",
    "CostToThreshold",
    "DamagedRecordWarning",
    "Record",
    "Salvaged",
    "Store",
    "SummaryKey",
    "compact",
    "connect",
    "cost_to_threshold",
    "identity",
    "keep_abandoned",
    "load",
    "new_trial_folder",
    "publish",
    "study_lock",
]

_HOME = {
    "SCHEMA_VERSION": "schema",
    "SUMMARY_KEYS": "summary_keys",
    "TABLES": "schema",
    "CostToThreshold": "cost",
    "DamagedRecordWarning": "store",
    "Record": "record",
    "Compaction": "compacting",
    "compact": "compacting",
    "Salvaged": "salvage",
    "Store": "store",
    "SummaryKey": "summary_keys",
    "connect": "queries",
    "cost_to_threshold": "cost",
    "identity": "queries",
    "load": "queries",
    "new_trial_folder": "running",
    "publish": "writer",
    "keep_abandoned": "salvage",
    "study_lock": "locking",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
