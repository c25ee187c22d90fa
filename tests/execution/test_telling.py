"""An observer that fails costs the trial nothing; what is meant to end it still does."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.progress import TrialView
from harness.execution.telling import Teller
from tests.execution.fake_study import only_record, run_study, write_study


@pytest.mark.parametrize("error", [BrokenPipeError("gone"), TypeError("a defect")])
def test_an_observer_that_fails_is_asked_no_more(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    told = []

    def method(value: int) -> None:
        told.append(value)
        if value == 2:
            raise error

    teller = Teller()
    for value in (1, 2, 3):
        teller.tell(method, value)
    assert told == [1, 2]
    assert ("TypeError: a defect" in caplog.text) == isinstance(error, TypeError)


def test_an_interrupt_passes() -> None:
    def method(_value: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Teller().tell(method, 1)


def test_a_defect_of_the_display_leaves_the_trial_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(self: TrialView, event: dict[str, object]) -> None:
        raise TypeError("unsupported")

    monkeypatch.setattr(TrialView, "on_event", defect)
    store = tmp_path / "store"
    run_study(write_study(tmp_path), store)
    record = only_record(store)
    assert (record.termination, record.summary["steps_done"]) == ("completed", 30)
