"""`dlgauge run`: run a study."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from types import FrameType

    from harness.execution import StudyResult, TerminationKind, TrialOutcome
    from harness.execution.stopping import StopRequest
    from harness.records import Salvaged
    from harness.study import Plan, Study, Trial

EXIT_FAILURES = 1
EXIT_CANCELLED = 130


def run(
    study: str = typer.Argument(help="A study file, or the name of a study that comes with dlgauge."),
    store: Path = typer.Option(None, "--store", help="Where the records go; default: DLGAUGE_STORE, else results."),
    data: Path = typer.Option(None, "--data", help="Folder of the published dataset files; default: DLGAUGE_DATA."),
    again: bool = typer.Option(False, "--again", help="Run every trial anew; existing records are kept."),
    seeds: str | None = typer.Option(None, "--seeds", help="In place of the study's own: such as 1-8, or 1,3,7-9."),
) -> None:
    """Run the trials of a study that have no record yet, then compare them and write the report."""
    from harness.cli.pilot import run_with_pilot
    from harness.cli.progress import make_observer
    from harness.errors import DataError
    from harness.execution import StudyRunner
    from harness.paths import default_store
    from harness.study import load_frameworks, load_study, make_plan
    from harness.study.seeds import with_seeds

    if data is not None and not data.is_dir():
        raise DataError(f"the data folder {str(data)!r} does not exist", hint="name the folder of the published files")
    loaded = load_study(study)
    if seeds is not None:
        loaded = with_seeds(loaded, seeds)
    plan = make_plan(loaded)
    store_path = store or default_store()
    keeper = StoreKeeper(store_path)
    for line in _salvaged_lines(keeper.salvaged):
        print(line)
    _print_plan(loaded, plan)
    try:
        with stop_on_signals() as stop, make_observer() as observer:
            runner = StudyRunner(load_frameworks(), keeper, observer, data_folder=data, again=again, stop=stop)
            result = run_with_pilot(loaded, plan, runner, store_path) if loaded.is_pilot else runner.run(plan)
    except KeyboardInterrupt:
        print("stopped before the first trial; the same command picks up here")
        raise typer.Exit(EXIT_CANCELLED) from None
    options = {"--store": store, "--data": data, "--seeds": seeds}
    asked = shlex.join([study, *(str(part) for option in options.items() if option[1] for part in option)])
    _finish(asked, loaded, store_path, result)


class StoreKeeper:
    """The store as the study runner sees it.

    Attributes:
        salvaged: what was made of that which an earlier, killed run left behind.
    """

    def __init__(self, path: Path) -> None:
        from harness.records import Store, keep_abandoned

        self._path = path
        self._store = Store(path, create=True)
        self.salvaged = keep_abandoned(path)

    @contextmanager
    def alone(self, study: str, on_wait: Callable[[str], None]) -> Iterator[None]:
        """See `Keeper`; what the run that was waited for left behind, if it was killed, becomes records too."""
        from harness.records import keep_abandoned, study_lock

        waited: list[str] = []

        def note(line: str) -> None:
            waited.append(line)
            on_wait(line)

        with study_lock(self._path, study, note):
            for line in _salvaged_lines(keep_abandoned(self._path)) if waited else ():
                on_wait(line)
            yield

    def final_termination(self, trial: Trial) -> TerminationKind | None:
        """See `Keeper`."""
        from harness.execution import TerminationKind

        record = self._store.final_record(trial)
        return TerminationKind(record.termination) if record else None

    def out_of_memory(self, study: str) -> list[tuple[str, dict[str, Any]]]:
        """See `Keeper`."""
        records = self._store.records(study)
        return [(record.id, record.specification) for record in records if record.termination == "out_of_memory"]

    def new_folder(self, trial: Trial) -> Path:
        """See `Keeper`."""
        from harness.records import new_trial_folder

        return new_trial_folder(self._path, trial.id).absolute()

    def keep(self, outcome: TrialOutcome) -> None:
        """See `Keeper`."""
        from harness.records import publish

        publish(outcome, self._path)


@contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """The first Ctrl-C, SIGTERM or SIGHUP stops the study in good order; more of them change nothing."""
    import contextlib
    import signal
    import sys

    from harness.execution.stopping import StopRequest

    request = StopRequest()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if not request.requested:
            with contextlib.suppress(OSError):  # the terminal may be what has gone
                print("stopping: the running trial is ended and its record kept", file=sys.stderr, flush=True)
        request.ask()

    # What is ignored already stays so: that is how `nohup` keeps a study alive.
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield request
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _salvaged_lines(salvaged: Salvaged) -> Iterator[str]:
    for record in salvaged.records:
        yield f"kept what an earlier run left behind: {record.label}: {record.termination} ({record.path})"
    for folder in salvaged.left:
        yield f"still running without its dlgauge, looked at again by the next run: {folder}"
    for folder in salvaged.unreadable:
        yield f"measurements without a readable outcome.json, kept but no record can be made of them: {folder}"


def _print_plan(study: Study, plan: Plan) -> None:
    from harness.cli.plan import design_lines, left_out_lines, overrides_lines, unsupported_lines

    left_out = f", {len(plan.left_out)} cells left out" if plan.left_out else ""
    counts = f"{len(plan.trials)} trials, {len(plan.unsupported)} unsupported cells{left_out}"
    print(f"study {study.name}: {counts}", flush=True)
    for line in (*design_lines(study, plan), *overrides_lines(study)):
        print(f"  {line}")
    for line in unsupported_lines(plan):
        print(f"  unsupported: {line}")
    for line in left_out_lines(plan):
        print(f"  left out: {line}")


def _finish(asked: str, study: Study, store_path: Path, result: StudyResult) -> None:
    from harness.records import Store

    if result.skipped:
        print(f"{result.skipped} trials had records already; --again runs them anew")
    records = Store(store_path).records(study.name)
    if any(record.termination == "completed" and record.role is None for record in records):
        _print_results(study, store_path)
    for name, reason in result.left_out.items():
        print(f"left out: {name}: {reason}")
    if result.ran or result.skipped:
        print(f"again:   dlgauge run {asked}" + (" (picks up where this stopped)" if result.cancelled else " --again"))
    else:
        print("no trial could run")
    if result.cancelled:
        raise typer.Exit(EXIT_CANCELLED)
    if result.failures or not (result.ran or result.skipped):
        raise typer.Exit(EXIT_FAILURES)


def _print_results(study: Study, store_path: Path) -> None:
    import sys

    from rich.console import Console

    from harness.reporting import comparison_text, write_report

    print()
    if sys.stdout.isatty():
        console = Console()
        console.print(comparison_text(store_path, study.name, console.width))
    else:
        print(comparison_text(store_path, study.name))
    report = write_report(store_path, study.name)
    if any(cell.co_location for cell in study.cells):
        from harness.cli.slowdown import slowdown_text, slowdowns_of

        print()
        print(slowdown_text(slowdowns_of(store_path, study.name)), end="")
    print()
    print(f"store:   {store_path / study.name}")
    print(f"report:  {report}")
    print(f"compare: dlgauge compare {store_path} --study {study.name} --format markdown")
