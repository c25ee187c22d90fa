"""`dlgauge lr list`: the learning-rate functions there are."""

from __future__ import annotations


def list_functions() -> None:
    """List the learning-rate functions."""
    from typing import get_args

    from harness.schedules import policies

    for model in get_args(get_args(policies.Policy)[0]):
        print((model.__doc__ or "").splitlines()[0])
