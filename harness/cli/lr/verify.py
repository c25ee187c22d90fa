"""`dlgauge lr verify`: is a policy near-optimal?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.cli.lr import trials
from harness.cli.lr.argument import POLICY_HELP

if TYPE_CHECKING:
    from harness.analysis.policies.neighbours import Neighbour

EXIT_NOT, EXIT_UNDECIDED = 1, 3


def verify(
    policy: str = typer.Argument(help=POLICY_HELP),
    workload: str = trials.WORKLOAD,
    framework: str = trials.FRAMEWORK,
    setting: str = trials.SETTING,
    profile: str = trials.PROFILE,
    seeds: int = trials.SEEDS,
    neighbours: str = typer.Option(None, "--neighbours", help="Factors by parameter, such as k0=2,l=1.5,gamma=2."),
    margin: float = typer.Option(0.5, "--margin", min=0, help="Percentage points that a neighbour may be better by."),
    steps: int | None = trials.STEPS,
    hold_out: int | None = trials.HOLD_OUT,
    sets: list[str] = trials.SET,
    store: Path = trials.STORE,
    data: Path = trials.DATA,
    dry_run: bool = typer.Option(False, "--dry-run", help="Show the neighbours and run nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print the verdict as JSON; progress goes to standard error."),
) -> None:
    """Run a policy and its neighbours, and say whether it is near-optimal.

    Exit status: 0 near-optimal, 1 not, 3 undecided.
    """
    from harness.analysis.policies import neighbours as near
    from harness.analysis.policies.naming import canonical_policy, short_text
    from harness.analysis.policies.verification import NEAR_OPTIMAL, NOT
    from harness.analysis.policies.verification import verify as judge
    from harness.cli.lr.argument import read_learning_rate
    from harness.reporting import policy_verdicts
    from harness.study.trial import canonical_json

    asked = trials.Asked(workload, setting, framework, profile, seeds, steps, hold_out, sets, store, data)
    own = canonical_policy(read_learning_rate(policy))
    factors = near.parse_factors(neighbours)
    around = near.neighbours_of(own, factors)
    tried = {one.name: one.policy for one in around if one.policy is not None}
    everything = [own, *tried.values()]
    study = asked.study("lr-verify", f"is {short_text(own)} near-optimal", everything, own)
    plan = trials.plan_of(study)
    _check_all_run(around)
    if dry_run:
        print(policy_verdicts.neighbours_text(own, around), end="")
        print(f"study {plan.study}: {len(plan.trials)} trials of {study.cells[0].setting.steps} steps")
        return
    trials.run_plan(plan, asked, quiet=as_json)
    rows = trials.rows_by_policy(asked, plan)
    validation = study.cells[0].setting.validation
    measure = "validation" if validation is not None and validation.every_steps is not None else "final"
    verdict = judge(
        rows.get(canonical_json(own), []),
        {name: rows.get(canonical_json(one), []) for name, one in tried.items()},
        seeds=study.seeds,
        margin_percent=margin,
        measure=measure,
    )
    write = policy_verdicts.verdict_json if as_json else policy_verdicts.verdict_text
    print(write(own, verdict, around, study.name, asked.store_path), end="")
    if verdict.answer != NEAR_OPTIMAL:
        raise typer.Exit(EXIT_NOT if verdict.answer == NOT else EXIT_UNDECIDED)


def _check_all_run(around: list[Neighbour]) -> None:
    from harness.errors import DlgaugeError

    if not any(one.policy is not None for one in around):
        reasons = "; ".join(f"{one.name}: {one.why_not}" for one in around)
        raise DlgaugeError(
            f"the policy has no neighbour to run ({reasons})", hint="try other factors: --neighbours k0=2"
        )
