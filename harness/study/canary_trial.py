"""The canary trial of a study: a fixed small training, run before and after its blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.study.frameworks import FrameworkDescription, obstacle
from harness.study.model import Canary, Cell
from harness.study.profile import load_profile, resolve_profile
from harness.study.roles import CanaryFile
from harness.validation import nearest
from harness.workloads.settings import load_setting
from harness.workloads.workload import load_workload
from harness.yaml_files import UnknownName

WORKLOAD = "lenet-mnist-subset"
"""It comes with the project, so a canary needs no data that the study does not need."""
SETTING = "caffe-mnist"


def make_canary(
    file: CanaryFile, frameworks: Mapping[str, FrameworkDescription], cpus: Sequence[int], folder: Path
) -> Canary:
    """The canary that a study asks for.

    Args:
        frameworks: those of the study, by name; the first is the canary's where the file names none.
        cpus: CPUs that may be used.
        folder: that of the study, where a profile of one's own is looked for.

    Raises:
        UnknownName: a framework that the study has not, or a profile that does not exist.
        CpusNotThere: the profile asks for CPUs that may not be used.
    """
    name = file.framework or next(iter(frameworks))
    if name not in frameworks:
        raise UnknownName(f"framework {name!r} of the canary is none of the study's{nearest(name, frameworks)}")
    workload, setting = load_workload(WORKLOAD), load_setting(SETTING)
    values = {"steps": file.steps, "evaluation.every_steps": file.steps}
    evaluation = setting.evaluation.model_copy(update={"every_steps": file.steps})
    profile = resolve_profile(load_profile(file.profile, relative_to=folder), cpus)
    cell = Cell(
        framework=frameworks[name],
        workload=workload,
        setting=setting.model_copy(update={"steps": file.steps, "evaluation": evaluation}),
        profile=profile,
        varied={},
        label=f"canary · {name} · {profile.name}",
        overrides=values,
        obstacle=obstacle(frameworks[name], profile, workload.network),
    )
    return Canary(cell=cell, around=file.around)
