"""`dlgauge lr robustness`: a policy at other base rates, and its spread over seeds."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.lr import trials
from harness.cli.lr.argument import POLICY_HELP


def robustness(
    policy: str = typer.Argument(help=POLICY_HELP),
    workload: str = trials.WORKLOAD,
    framework: str = trials.FRAMEWORK,
    setting: str = trials.SETTING,
    profile: str = trials.PROFILE,
    seeds: int = trials.SEEDS,
    scales: str = typer.Option("0.1,0.5,1,5,10", "--scales", help="Factors on all rates; 1 is always among them."),
    steps: int | None = trials.STEPS,
    sets: list[str] = trials.SET,
    store: Path = trials.STORE,
    data: Path = trials.DATA,
    as_json: bool = typer.Option(False, "--json", help="Print the answer as JSON; progress goes to standard error."),
) -> None:
    """Run a policy at several base-rate scales and seeds, and say what is kept of its accuracy."""
    from harness.analysis.policies.naming import canonical_policy, scaled_policy, short_text
    from harness.analysis.policies.robustness import robustness as judge
    from harness.analysis.policies.rows import SCALE_KEY
    from harness.cli.lr.argument import read_learning_rate
    from harness.reporting import policy_verdicts
    from harness.study.trial import canonical_json

    asked = trials.Asked(workload, setting, framework, profile, seeds, steps, None, sets, store, data)
    own = canonical_policy(read_learning_rate(policy))
    by_scale = {scale: scaled_policy(own, scale) for scale in parse_scales(scales)}
    study = asked.study("lr-robustness", f"how robust is {short_text(own)}", list(by_scale.values()), own, judged=False)
    scale_of = {canonical_json(one): scale for scale, one in by_scale.items()}
    plan = trials.plan_of(study)
    noted = tuple(
        trial.model_copy(
            update={
                "varied": {
                    **trial.varied,
                    SCALE_KEY: scale_of[
                        canonical_json(canonical_policy(trial.specification["setting"]["learning_rate"]))
                    ],
                }
            }
        )
        for trial in plan.trials
    )
    trials.run_plan(plan.model_copy(update={"trials": noted}), asked, quiet=as_json)
    rows = trials.rows_by_policy(asked, plan)
    found = judge({scale: rows.get(canonical_json(one), []) for scale, one in by_scale.items()}, study.seeds)
    write = policy_verdicts.robustness_json if as_json else policy_verdicts.robustness_text
    print(write(own, found, study.name, asked.store_path), end="")


def parse_scales(text: str) -> list[float]:
    """Scales in rising order, 1 among them.

    Raises:
        DlgaugeError: one is no positive number.
    """
    from harness.errors import DlgaugeError

    found = {1.0}
    for part in text.split(","):
        try:
            value = float(part)
        except ValueError:
            raise DlgaugeError(f"{part!r} in --scales is no number", hint="such as --scales 0.1,0.5,1,5,10") from None
        if not 0 < value < float("inf"):
            raise DlgaugeError(f"the scale {part} in --scales should be positive")
        found.add(value)
    return sorted(found)
