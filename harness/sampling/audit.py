"""Three independent accounts of the job's CPU time, compared."""

from __future__ import annotations

RELATIVE_LIMIT = 0.02
ABSOLUTE_LIMIT_S = 0.05


def audit(
    cgroup_cpu_s: float | None,
    tree_cpu_s: float | None,
    rusage_cpu_s: float | None,
    root_cpu_s: float = 0.0,
    unified_cpu_s: float | None = None,
) -> dict[str, object]:
    """Compare the job's CPU time in seconds as the cgroup, the process tree and `wait4` have it.

    Args:
        cgroup_cpu_s, tree_cpu_s, rusage_cpu_s: the three accounts; None where there is none.
        root_cpu_s: CPU time of the launcher itself, which only the cgroup counts: so much of an excess is right.
        unified_cpu_s: the cgroup's account a second time, by the v2 tree of a machine that has v1 controllers too.

    Returns:
        The accounts, `disagreement_s` and `disagreement_fraction` (of the largest; None with fewer than two
        accounts), and `flag`: true when they disagree by more than 2 % and more than 50 ms.
    """
    accounts = {"cgroup_cpu_s": cgroup_cpu_s, "tree_cpu_s": tree_cpu_s, "rusage_cpu_s": rusage_cpu_s}
    if unified_cpu_s is not None:
        accounts["unified_cpu_s"] = unified_cpu_s
    result: dict[str, object] = {**accounts, "root_cpu_s": root_cpu_s, "disagreement_s": None}
    known = [seconds for seconds in (tree_cpu_s, rusage_cpu_s) if seconds is not None]
    others = max(known, default=None)
    for seconds in (cgroup_cpu_s, unified_cpu_s):
        if seconds is not None:
            like = seconds if others is None else min(seconds, others)
            known.append(max(like, seconds - root_cpu_s))
    if len(known) < 2:
        return {**result, "disagreement_fraction": None, "flag": False}
    gap_s = max(known) - min(known)
    fraction = gap_s / max(known) if max(known) > 0 else 0.0
    flag = fraction > RELATIVE_LIMIT and gap_s > ABSOLUTE_LIMIT_S
    return {**result, "disagreement_s": gap_s, "disagreement_fraction": fraction, "flag": flag}
