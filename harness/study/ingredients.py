"""What a study names, loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.study.co_location import NO_CO_LOCATION, Variant
from harness.study.frameworks import FrameworkDescription
from harness.study.profile import ProfileFile
from harness.workloads.settings import Setting
from harness.workloads.workload import Workload


@dataclass(frozen=True)
class Ingredients:
    """What a study names, loaded.

    Attributes:
        settings: None stands for the setting of the workload's own name.
        own_settings: workload name -> that setting, where the study asks for it.
        length_share: every setting is run for this share of its length.
        co_locations: jobs alone and side by side, with the varied values that stand for each.
    """

    frameworks: tuple[FrameworkDescription, ...]
    workloads: tuple[Workload, ...]
    settings: tuple[Setting | None, ...]
    profiles: tuple[ProfileFile, ...]
    length_share: float = 1.0
    own_settings: Mapping[str, Setting] = field(default_factory=dict)
    co_locations: tuple[Variant, ...] = NO_CO_LOCATION

    def names(self) -> dict[str, list[str]]:
        """The names that a condition may ask for."""
        settings = [*(one for one in self.settings if one), *self.own_settings.values()]
        return {
            "framework": [one.name for one in self.frameworks],
            "workload": [one.name for one in self.workloads],
            "setting": [one.name for one in settings],
            "profile": [one.name for one in self.profiles],
        }
