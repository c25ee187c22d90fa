"""Compile the stand-in GPU driver, write its script, and sample its devices with a real sampler process."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.sampling import decoding, schema
from harness.sampling.client import SamplerProcess
from tests.requirements import require

SOURCE = Path(__file__).parent / "nvml_stub.c"
ALWAYS = "0 1e9"
"""The span of an `error` or `delay` statement that is in force as long as it is written."""

Corner = tuple[float, int]


def compile_stub(folder: Path, *flags: str) -> Path:
    """Compile the stand-in into `folder`; returns the library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    require("compiler", compiler is not None, "no C compiler for the stand-in GPU driver")
    output = folder / "libnvidia-ml.so.1"
    options = ["-O1", "-shared", "-fPIC", "-Wl,-soname,libnvidia-ml.so.1", *flags]
    subprocess.run([str(compiler), *options, "-o", str(output), str(SOURCE), "-lm"], check=True)
    return output


class Script:
    """What the stand-in driver does. Every statement takes effect at once, also while a sampler runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.origin_ns = time.monotonic_ns()
        self._lines = [f"origin {self.origin_ns}"]
        self._gpus = 0

    def gpu(self, uuid: str, power: Sequence[Corner] = ((0.0, 250_000),), energy_period_s: float = 0.01) -> int:
        """Add a device; returns its number. Power is piecewise linear: corners of (s after `origin_ns`, mW)."""
        index = self._gpus
        self._gpus += 1
        corners = [f"power {t} {milliwatts}" for t, milliwatts in power]
        self.say(
            f"gpus {self._gpus}",
            *(f"gpu {index} {statement}" for statement in (f"uuid {uuid}", "use 37 5", "memory 1073741824", *corners)),
            f"gpu {index} energy_period {energy_period_s}",
        )
        return index

    def say(self, *statements: str) -> None:
        """Add statements; see nvml_stub.c."""
        self._lines += statements
        temporary = self._path.with_suffix(".new")
        temporary.write_text("".join(f"{line}\n" for line in self._lines))
        temporary.replace(self._path)

    def seconds(self) -> float:
        """The driver's time now."""
        return (time.monotonic_ns() - self.origin_ns) / 1e9


def exact_energy_mj(power: Sequence[Corner], t_s: float) -> float:
    """The integral of a piecewise linear power from 0 to `t_s`."""
    corners = [(0.0, power[0][1]), *power, (max(t_s, power[-1][0]), power[-1][1])]
    total = 0.0
    for (begin, first), (end, last) in zip(corners, corners[1:], strict=False):
        if begin < t_s and end > begin:
            stop = min(end, t_s)
            at_stop = first + (last - first) * (stop - begin) / (end - begin)
            total += (first + at_stop) / 2 * (stop - begin)
    return total


@dataclass
class Run:
    """What a sampler wrote; filled when the block of `sampling` is left."""

    sampler: SamplerProcess
    report: dict[str, Any] = field(default_factory=dict)
    gpus: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, Any] = field(default_factory=dict)

    def of(self, column: str, gpu: int = 0) -> Any:
        """A column of one device, masked where null."""
        return self.gpus[column][self.gpus["gpu"] == gpu]

    def values(self, column: str, gpu: int = 0) -> set[int]:
        """The different values of one device."""
        return set(self.of(column, gpu).compressed().tolist())


@contextlib.contextmanager
def sampling(folder: Path, **config: Any) -> Iterator[Run]:
    """Sample this process and the stand-in's devices at 20 Hz, medium tier 5 Hz, until the block ends."""
    with SamplerProcess.start(folder, {"period_ns": 50_000_000, "medium_period_ns": 200_000_000, **config}) as sampler:
        sampler.set_target(os.getpid(), None, False)
        run = Run(sampler)
        yield run
        run.report = sampler.stop()
    run.gpus = decoding.read_gpus(folder / schema.GPUS_FILE)
    run.samples = decoding.read_samples(folder / schema.SAMPLES_FILE)
