"""Co-location: identical jobs side by side, on CPUs of their own or on shared ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness.fields import FileModel, PositiveInt
from harness.study.profile import Profile, Threads

Cores = Literal["split", "shared"]
ALONE = "alone"
"""What stands in the place of `cores` for a job that runs alone."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class CoLocationRequest(FileModel):
    """`co_location` of a study: every number of jobs is run with every way of placing them.

    Attributes:
        jobs: numbers of identical jobs side by side; 1 is the job alone, an ordinary trial.
        cores: `split`, where the profile's CPUs and threads are divided among the jobs, or `shared`, where every job
            has all of its CPUs, and as many threads as the profile says.
    """

    jobs: Annotated[tuple[PositiveInt, ...], BeforeValidator(_as_list), Field(min_length=1)]
    cores: Annotated[tuple[Cores, ...], BeforeValidator(_as_list), Field(min_length=1)] = ("split", "shared")


class CoLocation(FileModel):
    """How many identical jobs one trial runs side by side, and on which CPUs: part `co_location` of a specification.

    A trial of one job has no such part, so its id does not depend on there being one in this version.
    """

    jobs: Annotated[int, Field(strict=True, ge=2)]
    cores: Cores


Variant = tuple[CoLocation | None, dict[str, Any]]
"""What a specification says of co-location, and the varied values `jobs` and `cores` that stand for it."""

NO_CO_LOCATION: tuple[Variant, ...] = ((None, {}),)


def variants(request: CoLocationRequest | None) -> tuple[Variant, ...]:
    """Every placement that a study asks for once: one job has nobody to share cores with."""
    if request is None:
        return NO_CO_LOCATION
    found: list[Variant] = []
    for jobs in dict.fromkeys(request.jobs):
        if jobs == 1:
            found.append((None, {"jobs": 1, "cores": ALONE}))
            continue
        for cores in dict.fromkeys(request.cores):
            found.append((CoLocation(jobs=jobs, cores=cores), {"jobs": jobs, "cores": cores}))
    return tuple(found)


def co_location_obstacle(co_location: CoLocation | None, profile: Profile) -> tuple[str, str] | None:
    """Why jobs cannot be placed like this on a profile: (what, why); None where they can."""
    if co_location is None:
        return None
    jobs, cpus = co_location.jobs, len(profile.cpus)
    what = f"profile {profile.name!r}, jobs: {jobs}, cores: {co_location.cores}"
    if profile.gpus:
        return what, "jobs side by side on GPUs are not measured"
    if co_location.cores == "split" and cpus % jobs:
        named = f"{cpus} CPU{'s' if cpus > 1 else ''}"
        return what, f"{named} cannot be divided evenly among {jobs} jobs, and then the jobs would not be identical"
    return None


def job_profile(profile: Profile, co_location: CoLocation | None, job: int) -> Profile:
    """What one job has of a trial's profile: memory limit, BLAS and precision are each job's own, CPUs may be divided.

    Args:
        profile: the trial's.
        job: its number, counted from 1.

    Returns:
        On split cores its part of the CPUs, in the order of their numbers, and of the threads inside an operation, at
        least one; else the profile as it is.
    """
    if co_location is None or co_location.cores == "shared":
        return profile
    share = len(profile.cpus) // co_location.jobs
    threads = Threads(intra_op=max(1, profile.threads.intra_op // co_location.jobs), inter_op=profile.threads.inter_op)
    return profile.model_copy(update={"cpus": profile.cpus[(job - 1) * share : job * share], "threads": threads})


def job_specifications(specification: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """What each job of a trial is to run: the trial's specification, with the job's own profile; of one job, itself."""
    told = specification.get("co_location")
    if told is None:
        return (dict(specification),)
    co_location, profile = CoLocation.model_validate(told), Profile.model_validate(specification["profile"])
    profiles = [job_profile(profile, co_location, job) for job in range(1, co_location.jobs + 1)]
    return tuple({**specification, "profile": one.model_dump(mode="json")} for one in profiles)
