#!/usr/bin/env python3
"""How far does rounding alone carry a workload? The NumPy reference in float32 against itself in float64.

The same cases as `dlgauge parity`, in one environment, so that no framework is involved: what is printed is the part
of a difference that no adapter can help. The tolerances of `harness/parity/comparing.py` are read against it.
Usage: .venv/bin/python scripts/benchmarks/rounding_floor.py [WORKLOAD ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import report_line

from harness.execution.environments import make_environment
from harness.parity.comparing import Difference, compare
from harness.parity.probing import REFERENCE, probe_framework, reference_profile
from harness.parity.workload_cases import PAPER_WORKLOADS, find_case
from harness.study import load_frameworks
from harness.study.profile import allowed_cpus, load_profile, resolve_profile


def main() -> int:
    """Probe every workload twice and print the largest relative difference of each quantity."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=list(PAPER_WORKLOADS), metavar="WORKLOAD")
    cases = [find_case(name) for name in parser.parse_args().workloads]
    environment = make_environment(load_frameworks()[REFERENCE])
    environment.prepare(print)
    profile = resolve_profile(load_profile("local"), allowed_cpus())
    with tempfile.TemporaryDirectory() as folder:
        precise, _ = probe_framework(environment, cases, Path(folder) / "float64", reference_profile(profile))
        rounded, _ = probe_framework(environment, cases, Path(folder) / "float32", profile)
    report_line.print_machine()
    for case in cases:
        largest: dict[str, Difference] = {}
        for one in compare(precise[case.name], rounded[case.name], case.network):
            if one.quantity not in largest or (one.relative or 0.0) > (largest[one.quantity].relative or 0.0):
                largest[one.quantity] = one
        print(f"{case.name}, {case.steps} steps of {case.setting.batch_size}:")
        for quantity, one in largest.items():
            print(f"  {quantity:20} {one.relative:.1e}  {one.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
