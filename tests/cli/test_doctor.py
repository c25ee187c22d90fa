"""`dlgauge doctor` on this machine, whatever it is."""

from __future__ import annotations

import json

from tests.here import dlgauge

NAMES = {"CPU model", "topology", "governor", "turbo", "SMT", "load, 1 min", "swap", "huge pages", "ASLR", "cgroups"}
MORE_NAMES = {"CPU quota", "NVML", "RAPL", "PSI", "container engine", "clock source", "steal"}


def test_every_check_and_the_noise_floor_as_json() -> None:
    result = dlgauge("doctor", "--quick", "--json")
    assert result.exit_code == 0
    told = json.loads(result.output)
    assert {check["name"] for check in told["checks"]} == NAMES | MORE_NAMES
    for check in told["checks"]:
        assert check["verdict"] in ("good", "warning", "unknown")
        assert check["found"]
    for floor in told["noise_floor"].values():
        assert floor["runs"] == 6
        assert floor["resolvable"]["3"] > floor["resolvable"]["20"] > 0


def test_for_people() -> None:
    result = dlgauge("doctor", "--quick")
    assert result.exit_code == 0
    assert "CPU model" in result.output
    assert "n = 10" in result.output
    assert "…" not in result.output
    rows = [line for line in result.output.splitlines() if "│" in line]
    assert len(rows) == len(NAMES | MORE_NAMES)  # each on one line
