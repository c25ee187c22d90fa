"""Errors as part of the interface: what was wrong, where, and what to do next."""

from __future__ import annotations


class DlgaugeError(Exception):
    """An error that a user can act on; the CLI prints it without a traceback.

    Args:
        what: what was wrong, with the offending value.
        where: the place: file, line, key. Optional.
        hint: what to do next. Optional.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.hint}" if self.hint else text


class DataError(DlgaugeError):
    """A dataset is missing, truncated, or not what its checksum says."""


class FileFormatError(DlgaugeError):
    """A study, profile, network or setting file is not valid."""


class EnvironmentFailed(DlgaugeError):
    """An environment (venv or container image) could not be prepared or used."""


class StoreError(DlgaugeError):
    """A store or a record in it cannot be read or written."""
