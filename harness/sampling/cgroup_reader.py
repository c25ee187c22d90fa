"""Counters of the job's cgroup, v1, v2 or both, from files kept open."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.sampling.cgroup_files import (
    COLUMNS_OF,
    LARGE,
    OOM_KILLS,
    THROTTLED,
    V1_MEMORY,
    V1_THROTTLING,
    V2_CPU,
    V2_MEMORY,
    V2_THROTTLING,
    Keys,
    is_v1_folder,
    open_first,
    parse_blkio,
    parse_io_stat,
    read_usage_ns,
)
from harness.sampling.peaks import PeakReader
from harness.sampling.pressure import PressureReader
from harness.sampling.procfs import KeptFile, parse_keyed, parse_pairs
from harness.sampling.schema import SAMPLE_INDEX
from harness.sampling.troubles import GONE, Troubles

_CPU = SAMPLE_INDEX["cgroup_cpu_ns"]
_MEMORY = SAMPLE_INDEX["cgroup_memory_bytes"]


class CgroupReader:
    """Reads one job's cgroups into sample records; what their files cannot give is in `not_measured`.

    Args:
        paths: `cpu`, `memory`, `io` -> folder; `unified`: the folder in a v2 tree beside v1 controllers; `quota`: the
            folder of v1's `cpu` controller where that is another than `cpu`.
    """

    def __init__(self, paths: Mapping[str, str] | None, troubles: Troubles) -> None:
        self._troubles = troubles
        self.not_measured: dict[str, str] = {}
        self.gone = False
        """Whether the cgroup was removed while it was sampled; its columns are null from then on."""
        self._fast: list[tuple[str, int, KeptFile, Callable[[KeptFile], int]]] = []
        self._medium: list[tuple[str, int, KeptFile, Callable[[KeptFile], int]]] = []
        self._tables: list[tuple[str, KeptFile, dict[bytes, tuple[int, int]]]] = []
        self._io: list[tuple[KeptFile, Callable[[bytes], tuple[int, ...]], tuple[int, ...]]] = []
        self._peak: PeakReader | None = None
        self._second_cpu: KeptFile | None = None
        paths = paths or {}
        for controller, columns in COLUMNS_OF.items():
            if controller not in paths:
                self._missing(columns, f"no cgroup of its own for the job ({controller})")
        if "cpu" in paths:
            self._open_cpu(paths["cpu"], paths.get("unified"))
        self._open_throttling([paths[key] for key in ("cpu", "quota") if key in paths])
        if "memory" in paths:
            self._open_memory(paths["memory"])
        if "io" in paths:
            self._open_io(paths["io"])
        self._pressure = _pressure(paths, troubles)
        self.not_measured.update(self._pressure.not_measured)
        if "unified" in paths and paths["unified"] != paths.get("cpu"):
            self._second_cpu = open_first(paths["unified"], "cpu.stat")
        self._second_cpu_first_ns = self._read_second_cpu()
        self._second_cpu_ns: int | None = None

    @property
    def second_cpu_ns(self) -> int | None:
        """CPU time by the v2 tree beside v1 controllers, since this reader was made: a second account.

        None without one, and for a cgroup that went away: its last value is older than that of the first account.
        """
        return None if self.gone else self._second_cpu_ns

    @property
    def is_complete(self) -> bool:
        """Whether CPU time and memory come from here, so that the tree need not be read at every tick."""
        return not self.gone and {_CPU, _MEMORY} <= {index for _, index, _, _ in self._fast}

    def read_fast(self, values: list[int]) -> None:
        """CPU time, memory and its peak."""
        if self.gone:
            return
        for kind, index, file, read in self._fast:
            try:
                values[index] = read(file)
            except (OSError, ValueError) as error:
                self._note(kind, error)
        try:
            if self._peak is not None:
                self._peak.read(values)
        except (OSError, ValueError) as error:
            self._note("cgroup_memory", error)

    def read_medium(self, values: list[int], *, phase_ends: bool = False) -> None:
        """Everything else. Where a phase ends, the peak of the next one begins."""
        if self.gone:
            return
        try:
            if self._peak is not None:
                self._peak.read_phase(values, ends=phase_ends)
        except (OSError, ValueError) as error:
            self._note("cgroup_memory", error)
        for kind, index, file, read in self._medium:
            try:
                values[index] = read(file)
            except (OSError, ValueError) as error:
                self._note(kind, error)
        for kind, file, places in self._tables:
            try:
                pairs = parse_pairs(file.read(LARGE))
                for key, (index, factor) in places.items():
                    values[index] = int(pairs[key]) * factor
            except KeyError as error:
                self._troubles.note(kind, f"{file.path}: no {error}")
            except (OSError, ValueError) as error:
                self._note(kind, error)
        for file, parse, indexes in self._io:
            try:
                for index, number in zip(indexes, parse(file.read(LARGE)), strict=True):
                    values[index] = number
            except (OSError, ValueError) as error:
                self._note("cgroup_io", error)
        self._pressure.read(values)
        now_ns = self._read_second_cpu()
        if now_ns is not None and self._second_cpu_first_ns is not None:
            self._second_cpu_ns = now_ns - self._second_cpu_first_ns

    def close(self) -> None:
        """Close all files: a cgroup with open files can be removed, but they would be leaked."""
        for _, _, file, _ in (*self._fast, *self._medium):
            file.close()
        for _, file, _ in self._tables:
            file.close()
        for file, _, _ in self._io:
            file.close()
        for reader in (self._peak, self._pressure, self._second_cpu):
            if reader is not None:
                reader.close()
        self._fast, self._medium, self._tables, self._io = [], [], [], []
        self._peak = self._second_cpu = None

    def _note(self, kind: str, error: Exception) -> None:
        """Count an error, unless it says that the cgroup was removed: a container's goes with its last process."""
        if isinstance(error, OSError) and error.errno in GONE:
            self.gone = True
        else:
            self._troubles.note(kind, error)

    def _missing(self, columns: tuple[str, ...], reason: str) -> None:
        self.not_measured.update(dict.fromkeys(columns, reason))

    def _read_second_cpu(self) -> int | None:
        try:
            return read_usage_ns(self._second_cpu) if self._second_cpu is not None else None
        except (OSError, ValueError):
            return None

    def _open_cpu(self, folder: str, unified: str | None) -> None:
        """v1 splits by scheduler ticks, so that user and system time may exceed the total; v2 scales them to it."""
        _, user, system = COLUMNS_OF["cpu"]
        if file := open_first(folder, "cpuacct.usage"):
            self._fast.append(("cgroup_cpu", _CPU, file, KeptFile.read_integer))
            if unified is not None:
                self._open_table("cgroup_cpu", unified, "cpu.stat", V2_CPU)
                return
            for column, name in ((user, "cpuacct.usage_user"), (system, "cpuacct.usage_sys")):
                self._open_integer("cgroup_cpu", column, folder, name)
            return
        file = open_first(folder, "cpu.stat")
        content, failure = _first_content(file)
        if file is not None and parse_keyed(content, b"usage_usec ") is not None:
            self._fast.append(("cgroup_cpu", _CPU, file, read_usage_ns))
            self._open_table("cgroup_cpu", folder, "cpu.stat", V2_CPU)
            return
        if file is not None:
            file.close()
        why = f"cpu.stat: {failure}" if failure else "neither cpuacct.usage nor usage_usec in cpu.stat"
        self._missing(COLUMNS_OF["cpu"], f"{folder}: {why}")

    def _open_throttling(self, folders: list[str]) -> None:
        """Throttling stands in `cpu.stat` of the cpu controller, if the job has one: only that can hold it back."""
        reason = "the job has no cgroup of the cpu controller, so no quota can hold it back"
        for folder in folders:
            file = open_first(folder, "cpu.stat")
            content, failure = _first_content(file)
            pairs = parse_pairs(content)
            reason = f"{folder}: cpu.stat: {failure}" if failure else reason
            if file is not None:
                file.close()
            for keys in (V2_THROTTLING, V1_THROTTLING):
                if keys.keys() <= pairs.keys():
                    self._open_table("cgroup_cpu", folder, "cpu.stat", keys)
                    return
        self._missing(THROTTLED, reason)

    def _open_memory(self, folder: str) -> None:
        self._peak = PeakReader(folder)
        self.not_measured.update(self._peak.not_measured)
        names = ("memory.current", "memory.usage_in_bytes")
        if file := open_first(folder, *names):
            self._fast.append(("cgroup_memory", _MEMORY, file, KeptFile.read_integer))
        else:
            self._missing(("cgroup_memory_bytes",), f"{folder}: neither {' nor '.join(names)}")
        is_v1 = file is not None and file.path.endswith(names[1])
        self._open_table("cgroup_memory", folder, "memory.stat", V1_MEMORY if is_v1 else V2_MEMORY)
        self._open_table("cgroup_memory", folder, "memory.oom_control" if is_v1 else "memory.events", OOM_KILLS)
        if not is_v1:
            self._open_integer("cgroup_memory", "cgroup_swap_bytes", folder, "memory.swap.current")

    def _open_io(self, folder: str) -> None:
        columns = COLUMNS_OF["io"]
        if file := open_first(folder, "io.stat"):
            self._io.append((file, parse_io_stat, tuple(SAMPLE_INDEX[column] for column in columns)))
            return
        for pair, what in ((columns[:2], "io_service_bytes"), (columns[2:], "io_serviced")):
            names = (f"blkio.throttle.{what}_recursive", f"blkio.throttle.{what}")
            if file := open_first(folder, *names):
                self._io.append((file, parse_blkio, tuple(SAMPLE_INDEX[column] for column in pair)))
            else:
                self._missing(pair, f"{folder}: neither io.stat nor {names[1]}")

    def _open_integer(self, kind: str, column: str, folder: str, name: str) -> None:
        if file := open_first(folder, name):
            self._medium.append((kind, SAMPLE_INDEX[column], file, KeptFile.read_integer))
        else:
            self._missing((column,), f"{folder}: no {name}")

    def _open_table(self, kind: str, folder: str, name: str, keys: Keys) -> None:
        file = open_first(folder, name)
        content, failure = _first_content(file)
        pairs = parse_pairs(content)
        places: dict[bytes, tuple[int, int]] = {}
        for key, (column, factor) in keys.items():
            if key in pairs:
                places[key] = SAMPLE_INDEX[column], factor
            else:
                what = f"no {key.decode()} in {name}" if file is not None else f"no {name}"
                self._missing((column,), f"{folder}: {f'{name}: {failure}' if failure else what}")
        if file is not None and places:
            self._tables.append((kind, file, places))
        elif file is not None:
            file.close()


def _first_content(file: KeptFile | None) -> tuple[bytes, str | None]:
    """What stands in a file that has just been opened, and why nothing could be read: its cgroup may have gone."""
    if file is None:
        return b"", None
    try:
        return file.read(LARGE), None
    except OSError as error:
        return b"", error.strerror


def _pressure(paths: Mapping[str, str], troubles: Troubles) -> PressureReader:
    """v2 alone tells the pressure: in the job's folder there, or in the one beside its v1 folders."""
    if folder := paths.get("unified"):
        return PressureReader("cgroup", f"{folder}/{{}}.pressure", troubles)
    folder = paths.get("cpu")
    if folder is None:
        return PressureReader("cgroup", None, troubles, "no cgroup of its own for the job")
    if is_v1_folder(folder):
        return PressureReader("cgroup", None, troubles, "v1 cgroups tell no pressure, and the job has no v2 cgroup")
    return PressureReader("cgroup", f"{folder}/{{}}.pressure", troubles)
