"""Exported schedules in optax: in calls, under `jit`, and inside an optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from cases import cases, equal, find_dlgauge


def trained(schedule, steps):
    """The rate that moved the parameter in every step: from 0 along a gradient of -1, the whole loop compiled."""
    optimizer = optax.sgd(learning_rate=schedule)

    @jax.jit
    def run():
        def step(state, _):
            updates, state = optimizer.update(-jnp.ones(()), state)
            return state, optax.apply_updates(jnp.zeros(()), updates)

        return jax.lax.scan(step, optimizer.init(jnp.zeros(())), length=steps)[1]

    return np.asarray(run())


def main():
    find_dlgauge()
    from harness.schedules.export import optax_schedule

    for case in cases():
        rates = case.rates.astype(np.float32)
        schedule = case.module().schedule
        equal(trained(schedule, len(rates)), rates, f"{case.name}, file")
        equal(trained(optax_schedule(case.policy, len(rates)), len(rates)), rates, f"{case.name}, function")
        assert float(jax.jit(schedule)(jnp.int32(3))) == float(schedule(3)) == rates[3]
        assert float(schedule(len(rates) + 5)) == rates[-1]
        # What optax makes of schedules it must be able to make of this one.
        shifted = optax.join_schedules([optax.constant_schedule(1.0), schedule], [2])
        assert float(shifted(3)) == rates[1]
    jax.config.update("jax_enable_x64", True)
    equal(jax.vmap(case.module().schedule)(jnp.arange(len(rates))), case.rates, "float64")
    print("optax", optax.__version__, "jax", jax.__version__, len(cases()), "cases")


if __name__ == "__main__":
    main()
