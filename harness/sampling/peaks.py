"""The kernel's own peak of a cgroup's memory: over the whole time, and since the last phase mark.

v2 keeps a peak for each descriptor that has written to `memory.peak`, so two descriptors give both. v1 has one peak
for all: it is read, then set back to the present usage, and the largest that was ever read is kept here.
"""

from __future__ import annotations

import os

from harness.sampling.procfs import KeptFile
from harness.sampling.schema import SAMPLE_INDEX

_PEAK = SAMPLE_INDEX["cgroup_memory_peak_bytes"]
_PHASE_PEAK = SAMPLE_INDEX["phase_memory_peak_bytes"]

V1_FILE = "memory.max_usage_in_bytes"
V2_FILE = "memory.peak"


class PeakReader:
    """Reads the peaks of one memory cgroup. Reading raises OSError and ValueError as the files do."""

    def __init__(self, folder: str) -> None:
        self.not_measured: dict[str, str] = {}
        self._largest = 0
        self._file: KeptFile | None = None
        self._resettable = -1
        name = next((name for name in (V2_FILE, V1_FILE) if os.path.exists(f"{folder}/{name}")), None)  # noqa: PTH110
        if name is None:
            reason = f"{folder}: neither {V2_FILE} (since Linux 5.19) nor {V1_FILE}"
            self.not_measured = dict.fromkeys(("cgroup_memory_peak_bytes", "phase_memory_peak_bytes"), reason)
            return
        path = f"{folder}/{name}"
        try:
            self._file = KeptFile(path)
            self._largest = self._file.read_integer()
        except (OSError, ValueError) as error:
            self.not_measured = dict.fromkeys(
                ("cgroup_memory_peak_bytes", "phase_memory_peak_bytes"), f"{path}: {error}"
            )
            self.close()
            return
        try:
            self._resettable = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            self._reset()
        except OSError as error:
            self._close_resettable()
            why = "the kernel cannot set it back (v2: since Linux 6.12)" if name == V2_FILE else "it cannot be set back"
            self.not_measured["phase_memory_peak_bytes"] = f"{path}: {error.strerror}: {why}"

    def read(self, values: list[int]) -> None:
        """The peak over the whole time."""
        if self._file is not None:
            self._largest = values[_PEAK] = max(self._largest, self._file.read_integer())

    def read_phase(self, values: list[int], *, ends: bool) -> None:
        """The peak since the last mark; where a phase ends here, the next one's peak begins."""
        if self._resettable < 0:
            return
        peak = int(os.pread(self._resettable, 64, 0))
        if ends:
            self._reset()
        values[_PHASE_PEAK] = peak
        self._largest = max(self._largest, peak)
        values[_PEAK] = max(values[_PEAK], self._largest)

    def close(self) -> None:
        """Close all files."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._close_resettable()

    def _reset(self) -> None:
        os.pwrite(self._resettable, b"0", 0)

    def _close_resettable(self) -> None:
        if self._resettable >= 0:
            os.close(self._resettable)
            self._resettable = -1
