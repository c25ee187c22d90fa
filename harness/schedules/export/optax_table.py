"""A table of learning rates as a schedule of optax: a function of the step, written with JAX alone."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np


def rate_table(rates):
    """The schedule `count -> rate`: `optax.sgd(learning_rate=schedule)`; it may be traced (`jit`, `scan`, `vmap`).

    Args:
        rates: learning rates, shape `(steps,)`; after the last of them the rate stays what it was. They are float32,
            float64 where `jax_enable_x64` is set.
    """
    table = jnp.asarray(np.asarray(rates, dtype=np.float64))

    def schedule(count):
        return table[jnp.minimum(count, table.shape[0] - 1)]

    return schedule
