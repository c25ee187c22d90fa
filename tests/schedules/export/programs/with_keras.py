"""Exported schedules in Keras on TensorFlow: in calls, in `fit`, and in a model that was saved."""

import sys
from pathlib import Path

import keras
import numpy as np
from cases import cases, equal, find_dlgauge

IN_TRAINING = ("TRI", "SINEXP", "POLY", "composite")


def model_of_one_weight():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    return model


def minus_mean(_, output):
    return -keras.ops.mean(output)


class Applied(keras.callbacks.Callback):
    """The rate that moved the weight in every step: from 0 along a gradient of -1."""

    def __init__(self):
        super().__init__()
        self.rates = []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.set_weights([np.zeros((1, 1), np.float32)])

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(self.model.get_weights()[0][0, 0])


def trained(model, steps):
    applied = Applied()
    ones = np.ones((steps, 1), np.float32)
    model.fit(ones, ones, batch_size=1, epochs=1, shuffle=False, verbose=0, callbacks=[applied])
    return np.array(applied.rates)


def in_training(case, module, steps):
    rates = case.rates.astype(np.float32)
    model = model_of_one_weight()
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=module.schedule), loss=minus_mean)
    half = steps // 2
    equal(trained(model, half), rates[:half], f"{case.name}, fit")
    path = Path(sys.argv[1]) / f"{case.name}.keras"
    model.save(path)
    loaded = keras.models.load_model(path, custom_objects={"minus_mean": minus_mean})
    equal(trained(loaded, steps - half), rates[half:steps], f"{case.name}, fit of a saved model")


def main():
    find_dlgauge()
    from harness.schedules.export import keras_schedule

    for case in cases():
        steps = np.arange(len(case.rates))
        rates = case.rates.astype(np.float32)
        module = case.module()
        schedule = module.schedule
        assert isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
        found = keras.ops.convert_to_numpy(schedule(steps))
        assert found.dtype == np.float32
        equal(found, rates, f"{case.name}, file")
        equal(keras.ops.convert_to_numpy(keras_schedule(case.policy, len(rates))(steps)), rates, f"{case.name}, function")
        again = type(schedule).from_config(schedule.get_config())
        equal(again.rates, case.rates, f"{case.name}, get_config")
        config = keras.optimizers.schedules.serialize(module.schedule)
        again = keras.optimizers.schedules.deserialize(config)
        equal(again.rates, case.rates, f"{case.name}, serialize")
        assert float(schedule(len(rates) + 5)) == rates[-1]
        if case.name in IN_TRAINING:
            in_training(case, module, 40)
    print("keras", keras.__version__, len(cases()), "cases")


if __name__ == "__main__":
    main()
