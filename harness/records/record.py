"""One record of a store, read-only."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DlgaugeError, StoreError
from harness.records.certificates import covering_certificate
from harness.records.compact_columns import train_energy
from harness.records.compact_index import CompactManifest
from harness.records.manifest import read_manifest
from harness.records.schema import TABLES
from harness.study.roles import role_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Record:
    """The immutable result of a trial.

    Attributes:
        path: its folder.
        manifest: manifest.json, brought up to the schema of this version (docs/records.md); never change it. That of a
            compacted record is read as far as it is asked for.
    """

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a record's manifest.

        Raises:
            StoreError: the manifest is missing or damaged, or newer than this version can read.
        """
        return cls(path, read_manifest(path))

    @property
    def id(self) -> str:
        """The trial's id, the same for all its repetitions."""
        return str(self.manifest["trial"])

    @property
    def repetition(self) -> int:
        """1 for the first record of the trial."""
        return int(self.manifest["repetition"])

    @property
    def study(self) -> str:
        """Name of the study."""
        return str(self.manifest["study"])

    @property
    def label(self) -> str:
        """Short text for people."""
        return str(self.manifest["label"])

    @property
    def started_at(self) -> str:
        """ISO 8601, UTC."""
        return str(self.manifest["started_at"])

    @property
    def specification(self) -> dict[str, Any]:
        """Everything that decided the result."""
        return dict(self.manifest["specification"])

    @property
    def seed(self) -> int:
        """The trial's seed; 0 where the specification has none."""
        if isinstance(self.manifest, CompactManifest):
            return self.manifest.seed
        return int(self.manifest["specification"].get("seed", 0))

    @property
    def role(self) -> str | None:
        """What the trial is beside the study's matrix, `canary` or `arm 2`; None for a trial of the matrix."""
        if isinstance(self.manifest, CompactManifest):
            return role_of(self.manifest.shared_specification)
        return role_of(self.manifest["specification"])

    @property
    def varied(self) -> dict[str, Any]:
        """The hyper-parameters that the study varied, with this trial's values."""
        return dict(self.manifest.get("varied") or {})

    @property
    def overrides(self) -> dict[str, Any] | None:
        """What the study set in place of what setting and profile say; None in records from before it was kept."""
        found = self.manifest.get("overrides")
        return None if found is None else dict(found)

    @property
    def termination(self) -> str:
        """How the trial ended, one word; the whole is in `manifest["termination"]`."""
        return str(self.manifest["termination"]["kind"])

    @property
    def parity_certificate(self) -> str | None:
        """Hash of the parity certificate that covers the trial: of when it ran, else the newest made since."""
        own = (self.manifest.get("parity") or {}).get("certificate")
        if own:
            return str(own)
        try:
            return covering_certificate(self.specification, self.manifest["environment"]["code_sha256"])
        except (KeyError, TypeError, ValueError, DlgaugeError):
            return None  # a specification or environment that tells too little

    @property
    def summary(self) -> dict[str, float | int | None]:
        """Every key of `SUMMARY_KEYS`; None where not measured, with the reason in `not_measured`."""
        return dict(self.manifest["summary"])

    @property
    def not_measured(self) -> dict[str, str]:
        """Key -> reason."""
        return dict(self.manifest["not_measured"])

    @property
    def phases(self) -> list[dict[str, Any]]:
        """The phases in order (docs/records.md)."""
        return list(self.manifest.get("phases") or [])

    @property
    def co_location(self) -> dict[str, Any] | None:
        """What the trial's jobs side by side did (docs/co-location.md); None for a trial of one job."""
        found = self.manifest.get("co_location")
        return dict(found) if isinstance(found, Mapping) else None

    def other_jobs(self) -> list[Record]:
        """The records of the jobs that ran beside the first one, which this record is of; in order of their numbers.

        Raises:
            StoreError: one of them is missing or damaged.
        """
        by_job = (self.co_location or {}).get("by_job") or []
        return [Record.read(self.path / str(job["folder"])) for job in by_job if job.get("folder")]

    @property
    def train_energy(self) -> list[dict[str, Any]]:
        """Of each `train` phase the energies in joules, under the keys of `cost.ENERGY_KEYS`; None: not measured."""
        if isinstance(self.manifest, CompactManifest):
            return self.manifest.train_energy()
        return train_energy(self.manifest)

    def sharing(self, *keys: str) -> Hashable | None:
        """Equal for records of one reading whose manifests are equal in these keys: what follows from them is the same.

        The seed of `specification` is left out, and `host` stands for its machine alone. None where only comparing the
        values themselves can tell, as of all records that are not compacted.
        """
        return self.manifest.token(keys) if isinstance(self.manifest, CompactManifest) else None

    def log_tail(self) -> list[str]:
        """The last lines of the worker's log."""
        return list(self.manifest["termination"].get("log_tail") or [])

    def table(self, name: str) -> pa.Table:
        """Read one of `TABLES`.

        Raises:
            KeyError: there is no such table.
            StoreError: its file is missing or damaged.
        """
        if name not in TABLES:
            raise KeyError(f"no table {name!r}; there are {', '.join(TABLES)}")
        import pyarrow as pa
        import pyarrow.parquet as parquet

        path = self.path / f"{name}.parquet"
        try:
            return parquet.ParquetFile(path).read()
        except (OSError, pa.ArrowException) as error:
            raise StoreError(f"the table {name} cannot be read: {error}", where=str(path)) from error

    def verify(self) -> list[str]:
        """Compare every file with its checksum in the manifest; returns what is wrong, nothing when all is well."""
        problems = []
        for name, entry in self.manifest["files"].items():
            try:
                with (self.path / name).open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                problems.append(f"{name}: {error.strerror}")
                continue
            if found != entry.get("sha256"):
                problems.append(f"{name}: SHA-256 is {found}, the manifest says {entry.get('sha256')}")
        return problems
