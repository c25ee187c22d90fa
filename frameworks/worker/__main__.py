"""`python -m frameworks.worker <trial folder>`: run one trial inside a framework's environment."""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
import time
import traceback

from frameworks.worker import protocol
from frameworks.worker.adapter import Adapter, Unsupported
from frameworks.worker.events import EventLog, StepLog

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(argv: list) -> int:
    """Run the trial whose folder is the only argument; returns the exit status."""
    if len(argv) != 2:
        sys.stderr.write("usage: python -m frameworks.worker TRIAL_FOLDER\n")
        return EXIT_USAGE
    os.chdir(argv[1])
    events = EventLog(protocol.EVENTS_FILE, protocol.SAMPLER_SOCKET)
    events.phase("import")
    try:
        return run_trial(events)
    except Unsupported as refusal:
        events.write("unsupported", what=refusal.what, why=refusal.why)
    except MemoryError as error:
        events.write("error", type="MemoryError", message=str(error), traceback=traceback.format_exc())
        return EXIT_FAILED
    except Exception as error:  # noqa: BLE001 - the boundary: whatever a framework raises ends in the record
        traceback.print_exc()
        trace = traceback.format_exc()[-8000:]
        events.write("error", type=type(error).__name__, message=str(error)[:2000], traceback=trace)
        return EXIT_FAILED
    finally:
        events.phase(protocol.END)
    return 0


def run_trial(events: EventLog) -> int:
    """Everything between the first and the last phase mark."""
    import numpy as np

    from frameworks.worker import blas, inspection
    from frameworks.worker.augmentation import AugmentedBatches
    from frameworks.worker.loop import Diverged, TrainingLoop
    from frameworks.worker.start import wait_for_start

    with open(protocol.TRIAL_FILE) as file:
        trial = json.load(file)
    specification = trial["specification"]
    adapter = make_adapter(specification["framework"]["adapter"], specification["profile"])
    adapter.start()
    described = adapter.describe()
    if "library" not in described:
        described["library"] = blas.describe_library(specification["profile"]["threads"]["intra_op"])
    description = dict(inspection.describe_process(), **described)
    events.write("describe", framework=specification["framework"]["name"], **description)
    if not inspection.report(inspection.check_profile(specification, trial["honours"], description), events):
        return 0

    if "cases" in trial:
        from frameworks.worker.probe import run_cases

        run_cases(adapter, trial["cases"], events)
        events.write("done", steps=0)
        return 0
    events.phase("prepare")
    augmentation = specification["workload"].get("augmentation")
    images, labels = stage_data(adapter, trial["data_folder"], specification["setting"], augmentation)
    train_labels = labels.pop("train")
    events.phase("build")
    with np.load(protocol.WEIGHTS_FILE) as archive:
        weights = {name: archive[name] for name in archive.files}
    network, setting = trial["network"], specification["setting"]
    adapter.build(network, specification["workload"]["loss"], setting, weights)
    if not inspection.report(inspection.check_built(specification, adapter.built()), events):
        return 0
    rates = np.load(protocol.LEARNING_RATES_FILE)
    seed, train_count = specification["seed"], len(train_labels)
    steps = StepLog(protocol.STEPS_FILE)
    batches = None
    if augmentation:
        size = setting["batch_size"]
        batches = AugmentedBatches(images, train_labels, augmentation, seed, size, setting["steps"])
    wait = functools.partial(wait_for_start, trial["start"], events) if "start" in trial else None
    loop = TrainingLoop(adapter, network, setting, seed, rates, labels, train_count, events, steps, batches, wait)
    try:
        loop.run()
    except Diverged as divergence:
        steps.flush(time.monotonic_ns())
        events.write("diverged", step=divergence.step, loss=repr(divergence.loss))
        return 0
    steps.flush(events.phase("teardown", loop.steps_done))
    events.write("done", steps=loop.steps_done)
    return 0


def make_adapter(name: str, profile: dict) -> Adapter:
    """The adapter of that name: class `Adapter` in `frameworks/<name>/adapter.py`."""
    module = importlib.import_module("frameworks.%s.adapter" % name)
    return module.Adapter(profile, os.getcwd())


def stage_data(adapter: Adapter, folder: str, setting: dict, augmentation: list) -> tuple:
    """Load the splits that the setting asks for and hand them to the adapter.

    Returns:
        The training images where augmentation keeps them from the adapter, else None; and the labels by split.
    """
    import numpy as np

    from frameworks.worker.augmentation import for_evaluation
    from frameworks.worker.order import held_out

    def load(name: str):
        return np.load(os.path.join(folder, name + ".npy"))

    images, labels, validation = load("train_images"), {"train": load("train_labels")}, setting.get("validation")
    if validation:
        trained_on, rest = held_out(len(images), validation)
        if validation["every_steps"]:
            labels["validation"] = labels["train"][rest]
            kept = np.ascontiguousarray(for_evaluation(images[rest], augmentation))
            adapter.stage("validation", kept, labels["validation"])
        images, labels["train"] = images[trained_on], labels["train"][trained_on]
    if not augmentation:
        adapter.stage("train", images, labels["train"])
    labels["test"] = load("test_labels")
    adapter.stage("test", load("test_images"), labels["test"])
    return (images if augmentation else None), labels


if __name__ == "__main__":
    exit_status = main(sys.argv)
    sys.stdout.flush()
    sys.stderr.flush()
    # All that is to be kept is written. Taking a framework apart object by object would only be waited for, and some
    # crash at it after a training that went well.
    os._exit(exit_status)
