"""What follows from parts of a manifest that many records share: worked out once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from harness.records.record import Record

T = TypeVar("T")


def shared_values(records: Iterable[Record], keys: tuple[str, ...], function: Callable[[Record], T]) -> list[T]:
    """`function` of each record, in their order.

    Args:
        keys: parts of the manifest that the result follows from, and nothing else; the seed of `specification` is left
            out (`Record.sharing`).
    """
    known: dict[Hashable, T] = {}
    found = []
    for record in records:
        token = record.sharing(*keys)
        if token is None:
            found.append(function(record))
            continue
        if token not in known:
            known[token] = function(record)
        found.append(known[token])
    return found
