"""Control groups, harness side: everything that other parts use, in one place."""

from __future__ import annotations

from harness.sampling.cgroup_layout import SAMPLER_KEYS, CgroupLayout, cgroup_of, detect
from harness.sampling.trial_cgroup import TrialCgroup, create_trial_cgroup, remove_abandoned

__all__ = [
    "SAMPLER_KEYS",
    "CgroupLayout",
    "TrialCgroup",
    "cgroup_of",
    "create_trial_cgroup",
    "detect",
    "remove_abandoned",
]
