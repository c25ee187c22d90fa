"""Three independent accounts of the job's CPU time, compared."""

from __future__ import annotations

RELATIVE_LIMIT = 0.02
ABSOLUTE_LIMIT_S = 0.05


def audit(
    cgroup_cpu_s: float | None, tree_cpu_s: float | None, rusage_cpu_s: float | None, root_cpu_s: float = 0.0
) -> dict[str, object]:
    """Compare the job's CPU time in seconds as the cgroup, the process tree and `wait4` have it.

    Args:
        cgroup_cpu_s, tree_cpu_s, rusage_cpu_s: the three accounts; None where there is none.
        root_cpu_s: CPU time of the launcher itself, which only the cgroup counts: so much of an excess is right.

    Returns:
        The three accounts, `disagreement_s` and `disagreement_fraction` (of the largest; None with fewer than two
        accounts), and `flag`: true when they disagree by more than 2 % and more than 50 ms.
    """
    accounts = {"cgroup_cpu_s": cgroup_cpu_s, "tree_cpu_s": tree_cpu_s, "rusage_cpu_s": rusage_cpu_s}
    result: dict[str, object] = {**accounts, "root_cpu_s": root_cpu_s, "disagreement_s": None}
    known = [seconds for seconds in (tree_cpu_s, rusage_cpu_s) if seconds is not None]
    if cgroup_cpu_s is not None:
        others = max(known, default=cgroup_cpu_s)
        known.append(max(min(cgroup_cpu_s, others), cgroup_cpu_s - root_cpu_s))
    if len(known) < 2:
        return {**result, "disagreement_fraction": None, "flag": False}
    gap_s = max(known) - min(known)
    fraction = gap_s / max(known) if max(known) > 0 else 0.0
    flag = fraction > RELATIVE_LIMIT and gap_s > ABSOLUTE_LIMIT_S
    return {**result, "disagreement_s": gap_s, "disagreement_fraction": fraction, "flag": flag}
