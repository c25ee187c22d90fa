"""A table of learning rates as a schedule of Keras 3."""

from __future__ import annotations

import keras
import numpy as np


@keras.saving.register_keras_serializable(package="dlgauge")
class RateTable(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of step `t`, counted from 0, in float32: `keras.optimizers.SGD(learning_rate=schedule)`.

    Args:
        rates: learning rates, shape `(steps,)`; after the last of them the rate stays what it was.
    """

    def __init__(self, rates):
        self.rates = np.asarray(rates, dtype=np.float64)

    def __call__(self, step):
        """The rate of a step: a scalar float32 tensor."""
        index = keras.ops.minimum(keras.ops.cast(step, "int32"), len(self.rates) - 1)
        return keras.ops.take(keras.ops.convert_to_tensor(self.rates, dtype="float32"), index)

    def get_config(self):
        """The table as a list of floats, from which a saved model gets its schedule again."""
        return {"rates": self.rates.tolist()}
