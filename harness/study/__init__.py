"""Studies: a file that spans a matrix, expanded into an ordered plan of trials."""

from __future__ import annotations

from harness.study.frameworks import FrameworkDescription, load_framework, load_frameworks
from harness.study.loading import find_study, load_study, study_names, study_of
from harness.study.model import Cell, Study
from harness.study.plan import make_plan
from harness.study.profile import Profile, load_profile
from harness.study.specification import Specification
from harness.study.trial import LeftOutCell, Plan, Trial, UnsupportedCell

__all__ = [
    "Cell",
    "FrameworkDescription",
    "LeftOutCell",
    "Plan",
    "Profile",
    "Specification",
    "Study",
    "Trial",
    "UnsupportedCell",
    "find_study",
    "load_framework",
    "load_frameworks",
    "load_profile",
    "load_study",
    "make_plan",
    "study_names",
    "study_of",
]
