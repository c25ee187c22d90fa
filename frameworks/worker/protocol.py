"""The files through which a worker tells the harness what happened. Shared by both sides; standard library only.

`docs/architecture.md` section 3 is the description of record.
"""

from __future__ import annotations

import json
import struct

PROTOCOL_VERSION = 2

TRIAL_FILE = "trial.json"
WEIGHTS_FILE = "weights.npz"
LEARNING_RATES_FILE = "learning_rates.npy"
EVENTS_FILE = "events.jsonl"
STEPS_FILE = "steps.bin"
PROBE_FILE = "probe.npz"
STDOUT_FILE = "stdout.log"
STDERR_FILE = "stderr.log"
LAUNCHER_FILE = "launcher.jsonl"
SAMPLER_SOCKET = "sampler.sock"
START_PIPE = "start.pipe"
"""Named pipe in the folder of each of several jobs side by side: one byte in it starts the job's training."""

RATES_PROBE = "rates"
"""`probe` of a case that is about the learning rate alone."""

PHASES = ("import", "prepare", "build", "warm_up", "train", "evaluate", "teardown")
END = "end"

STEP_RECORD = struct.Struct("<qqqdd")
DATA_NS_UNKNOWN = -1
"""`data_ns` of a step whose framework gathers the mini-batch inside its compiled step, where nobody can time it."""
STEP_FIELDS = ("step", "t_end_ns", "data_ns", "loss", "learning_rate")


class ProtocolError(ValueError):
    """A worker wrote something that is not the protocol."""


def parse_event(line: bytes, number: int) -> dict:
    """Return the event on one line of `events.jsonl`.

    Raises:
        ProtocolError: the line is no JSON object with an integer `t_ns` and a text `event`.
    """
    try:
        event = json.loads(line.decode("utf-8"))
    except (UnicodeDecodeError, ValueError) as error:
        raise ProtocolError("%s line %d: not JSON: %r (%s)" % (EVENTS_FILE, number, line[:80], error)) from None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str) or not isinstance(event.get("t_ns"), int):
        raise ProtocolError("%s line %d: no event with t_ns: %r" % (EVENTS_FILE, number, line[:80]))
    if event["event"] == "phase" and event.get("phase") not in PHASES + (END,):
        raise ProtocolError("%s line %d: unknown phase %r" % (EVENTS_FILE, number, event.get("phase")))
    return event
