"""The text form of protocol buffers, in which Caffe reads networks and solvers."""

from __future__ import annotations


class Symbol(str):
    """A member of an enumeration, such as `MAX`: written without quotes."""


def message(fields: dict) -> str:
    """The fields of a message: a list repeats its field, a dictionary is a message of its own.

    Floats are written so that they are read back as the same double.
    """
    lines = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            lines.append(
                "%s { %s }" % (name, message(one)) if isinstance(one, dict) else "%s: %s" % (name, scalar(one))
            )
    return " ".join(lines)


def scalar(value) -> str:
    """One value that is no message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Symbol):
        return str(value)
    if isinstance(value, str):
        return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"')
    return repr(value)


def solver(net_path: str, kind: str, momentum: float) -> str:
    """A solver with rate 1 and without decay, snapshots or tests of its own; `kind` is `SGD` or `Nesterov`."""
    return message(
        {
            "net": net_path,
            "type": kind,
            "base_lr": 1.0,
            "lr_policy": "fixed",
            "momentum": float(momentum),
            "weight_decay": 0.0,
            "display": 0,
            "snapshot": 0,
            "snapshot_after_train": False,
            "solver_mode": Symbol("CPU"),
            "random_seed": 1,
        }
    )
