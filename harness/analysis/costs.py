"""What a trial used up beside time: the energy of its training, and the price of its training and of the whole of it.

These are worked out from a record and are columns of a comparison like its summary keys. A price is in the currency
of the profile's `price_per_hour`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records.compact_columns import TRAIN_ENERGY
from harness.records.cost import ENERGY_KEYS
from harness.records.reading import number
from harness.records.shared_values import shared_values

if TYPE_CHECKING:
    from harness.records import Record

TRAINING_JOULES = "training_joules"
TRAINING_PRICE = "training_price"
TRIAL_PRICE = "trial_price"
SECONDS_PER_HOUR = 3600.0
NO_PRICE = "the profile has no price_per_hour"

DERIVED: dict[str, tuple[str, str, str]] = {
    TRAINING_JOULES: (
        "J",
        "training energy J",
        "energy in the `train` phases, of processor packages (RAPL) and GPUs as far as they have a counter; the "
        "counters are the whole machine's",
    ),
    TRAINING_PRICE: ("1", "training price", "`price_per_hour` of the profile × training time"),
    TRIAL_PRICE: ("1", "trial price", "`price_per_hour` of the profile × wall time of the whole trial"),
}
"""Quantities of this module: key -> unit, heading, meaning."""


@dataclass(frozen=True)
class Derived:
    """One of these quantities of one trial.

    Attributes:
        value: None where it cannot be told.
        reason: why not.
        parts: of an energy, what it is the energy of: `package`, `gpu`.
    """

    value: float | None
    reason: str | None = None
    parts: tuple[str, ...] = ()


def derived_of(key: str, records: Iterable[Record]) -> list[Derived]:
    """The quantity `key` of `DERIVED` of each record; what records share is looked up once."""
    if key == TRAINING_JOULES:
        return shared_values(records, (TRAIN_ENERGY, "not_measured"), training_joules)
    every = list(records)
    prices = shared_values(every, ("specification",), _price_per_hour)
    return [_price(key, record, price) for record, price in zip(every, prices, strict=True)]


def _price_per_hour(record: Record) -> float | None:
    profile = record.specification.get("profile")
    return number(profile.get("price_per_hour")) if isinstance(profile, Mapping) else None


def _price(key: str, record: Record, price: float | None) -> Derived:
    if price is None:
        return Derived(None, NO_PRICE)
    seconds = _trial_seconds(record.manifest) if key == TRIAL_PRICE else number(record.summary.get("training_time_s"))
    if seconds is None:
        return Derived(None, f"the record does not tell the {'trial' if key == TRIAL_PRICE else 'training'} time")
    return Derived(price * seconds / SECONDS_PER_HOUR)


def training_joules(record: Record) -> Derived:
    """Energy in the `train` phases: the sum of the parts of the machine whose counter covers all of them."""
    phases = record.train_energy
    sums: dict[str, float] = {}
    for part, key in ENERGY_KEYS.items():
        values = [number(phase.get(key)) for phase in phases]
        if values and all(value is not None for value in values):
            sums[part] = sum(value for value in values if value is not None)
    if sums:
        return Derived(float(sum(sums.values())), None, tuple(sums))
    told = (record.not_measured.get(f"phases.{key}") for key in ENERGY_KEYS.values())
    reasons = "; ".join(dict.fromkeys(why for why in told if why))
    return Derived(None, reasons or "no counter of energy covers the train phases")


def _trial_seconds(manifest: Mapping[str, Any]) -> float | None:
    begin, end = number(manifest.get("t_begin_ns")), number(manifest.get("t_end_ns"))
    return None if begin is None or end is None else (end - begin) / 1e9
