"""A search for policies through Optuna, kept in a journal beside the records so that it can be gone on with.

Optuna's study is asked for parameters and told results; it never runs anything itself. What it holds of a candidate is
its parameters, the accuracies while it trained, how it came out and the ids of its trials: everything else is in the
records. A candidate that no result was told for was running when the program was killed: it is marked as failed in
Optuna's terms and its parameters are put first in the queue, so that no candidate is lost and none counts twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from frameworks.worker.order import derive_seed
from harness.errors import DlgaugeError
from harness.schedules import PolicyModel
from harness.tuning.defaults import Dimension
from harness.tuning.space import Space, grid_of, policy_of

if TYPE_CHECKING:
    import optuna

SamplerName = Literal["grid", "random", "tpe"]
SAMPLERS: tuple[SamplerName, ...] = ("grid", "random", "tpe")
JOURNAL_FILE = "tune.journal"

PRUNE_AFTER_CANDIDATES = 4
"""Candidates that must have come to their end before any is pruned: a median of fewer means little."""

PRUNE_AFTER_SHARE = 1 / 3
"""Share of a run in which nothing is pruned: policies that begin low, as TRI and SIN do, need it to show anything."""

FUNCTION = "function"
_DESCRIPTION = "asked"
_POLICY, _OUTCOME, _REASON, _TRIALS = "policy", "outcome", "reason", "trials"


@dataclass(frozen=True)
class Candidate:
    """One set of parameters that the search proposes.

    Attributes:
        number: of Optuna's trial.
        policy: what to train with.
    """

    number: int
    policy: PolicyModel
    _trial: optuna.Trial

    @property
    def plain(self) -> dict[str, Any]:
        """The policy as plain values."""
        return self.policy.model_dump(mode="json")


@dataclass(frozen=True)
class Finding:
    """What is known of a finished candidate.

    Attributes:
        value: mean top-1 on the validation images over the seeds, 0 for one that diverged; None for one that was
            pruned or failed.
        outcome: `completed`, `diverged`, `pruned` or `failed`.
        trials: ids, one a seed that was run.
    """

    number: int
    policy: dict[str, Any]
    value: float | None
    outcome: str
    reason: str | None
    trials: tuple[str, ...]


class Search:
    """One search on one framework.

    Args:
        journal: the file that keeps it; several searches may share one.
        name: of Optuna's study in it.
        description: everything that decides what is searched and how it is trained; without the same it does not
            go on.
        steps: of a run, for the pruner.
        seed: of the sampler.
        pruning: end candidates that are worse, at the same step, than the median of the others.

    Raises:
        DlgaugeError: the journal holds a search of this name with another description.
    """

    def __init__(
        self,
        journal: Path,
        name: str,
        space: Space,
        sampler: SamplerName,
        description: Mapping[str, Any],
        *,
        steps: int,
        seed: int = 1,
        pruning: bool = True,
    ) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        journal.parent.mkdir(parents=True, exist_ok=True)
        backend = JournalFileBackend(str(journal), lock_obj=JournalFileOpenLock(str(journal)))
        pruner: optuna.pruners.BasePruner = optuna.pruners.NopPruner()
        if pruning:
            warm_up = int(PRUNE_AFTER_SHARE * steps)
            pruner = optuna.pruners.MedianPruner(n_startup_trials=PRUNE_AFTER_CANDIDATES, n_warmup_steps=warm_up)
        self._study = optuna.create_study(
            storage=JournalStorage(backend), study_name=name, direction="maximize", pruner=pruner, load_if_exists=True
        )
        self._space, self._sampler, self._seed = space, sampler, seed
        # Through JSON, as the journal keeps it: a tuple would come back as a list and seem another value.
        self._same_as_before(json.loads(json.dumps(description)), journal)
        self._queue_interrupted()
        if sampler == "grid":
            self._queue_grid()

    def _same_as_before(self, description: dict[str, Any], journal: Path) -> None:
        before = self._study.user_attrs.get(_DESCRIPTION)
        if before is None:
            self._study.set_user_attr(_DESCRIPTION, description)
        elif differing := sorted(key for key in {*before, *description} if before.get(key) != description.get(key)):
            found = "; ".join(
                f"{key} was {_short(before.get(key))}, now {_short(description.get(key))}" for key in differing
            )
            raise DlgaugeError(
                f"the store has a search of this name that asked for something else: {found}",
                where=str(journal),
                hint="repeat its options to go on with it, or give the new one a name of its own: --study NAME",
            )

    def _queue_interrupted(self) -> None:
        from optuna.trial import TrialState

        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            # One that was killed before it took its parameters has them from the queue alone.
            self._study.enqueue_trial({**trial.system_attrs.get("fixed_params", {}), **trial.params})
            self._study.tell(trial.number, state=TrialState.FAIL)

    def _queue_grid(self) -> None:
        """All points: functions in turn, those of each in an order drawn from the seed.

        So a search cut short has looked everywhere a little; a function with many parameters keeps no other waiting.
        """
        points = grid_of(self._space)
        random = np.random.RandomState(derive_seed(self._seed, "tune/grid"))
        turns: dict[str, int] = {}
        order = []
        for index in random.permutation(len(points)):
            function = points[int(index)][0]
            turns[function] = turns.get(function, 0) + 1
            order.append((turns[function], int(index)))
        for _, index in sorted(order):
            function, values = points[index]
            named = {f"{function}.{parameter}": value for parameter, value in values.items()}
            self._study.enqueue_trial({FUNCTION: function, **named}, skip_if_exists=True)

    @property
    def finished(self) -> int:
        """Candidates with a result."""
        return len(self.findings())

    def next(self) -> Candidate | None:
        """The next candidate; None where a grid has no more.

        What is drawn depends on the seed and on the finished candidates alone, not on how often the search was
        interrupted.
        """
        from optuna.trial import TrialState

        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if self._sampler == "grid" and not waiting:
            return None
        self._study.sampler = self._make_sampler(derive_seed(self._seed, "tune", self.finished))
        trial = self._study.ask()
        function = trial.suggest_categorical(FUNCTION, list(self._space.functions))
        values = {
            one.parameter: _suggest(trial, f"{function}.{one.parameter}", one)
            for one in self._space.functions[function]
        }
        candidate = Candidate(trial.number, policy_of(function, values), trial)
        trial.set_user_attr(_POLICY, candidate.plain)
        return candidate

    def _make_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        import optuna

        if self._sampler == "tpe":
            return optuna.samplers.TPESampler(seed=seed % 2**32)
        return optuna.samplers.RandomSampler(seed=seed % 2**32)

    def report(self, candidate: Candidate, step: int, top1: float) -> str | None:
        """Note an accuracy while the candidate trains; why it should be pruned, or None."""
        trial = candidate._trial
        trial.report(top1, step)
        if not trial.should_prune():
            return None
        return f"pruned: no evaluation up to step {step} reached the median of the other policies at that step"

    def tell(
        self, candidate: Candidate, outcome: str, value: float | None, reason: str | None, trials: Sequence[str]
    ) -> None:
        """Note how a candidate came out; see `Finding`."""
        from optuna.trial import TrialState

        trial = candidate._trial
        trial.set_user_attr(_REASON, reason)
        trial.set_user_attr(_TRIALS, list(trials))
        trial.set_user_attr(_OUTCOME, outcome)
        if outcome in ("completed", "diverged"):
            # One that diverged is worth nothing, and the sampler should know: Optuna's own "failed" would hide it.
            self._study.tell(trial, 0.0 if outcome == "diverged" else value)
        else:
            self._study.tell(trial, state=TrialState.PRUNED if outcome == "pruned" else TrialState.FAIL)

    def findings(self) -> list[Finding]:
        """All finished candidates, in the order in which they were asked for."""
        return [
            Finding(
                number=trial.number,
                policy=dict(trial.user_attrs[_POLICY]),
                value=trial.value if trial.user_attrs[_OUTCOME] in ("completed", "diverged") else None,
                outcome=str(trial.user_attrs[_OUTCOME]),
                reason=trial.user_attrs.get(_REASON),
                trials=tuple(trial.user_attrs[_TRIALS]),
            )
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished() and _OUTCOME in trial.user_attrs
        ]


def _suggest(trial: optuna.Trial, name: str, one: Dimension) -> Any:
    if one.choices:
        return trial.suggest_categorical(name, list(one.choices))
    assert one.low is not None and one.high is not None
    if one.whole:
        return trial.suggest_int(name, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
