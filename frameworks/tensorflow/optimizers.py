"""The settings' optimizers on TensorFlow's own kernels for training."""

from __future__ import annotations

from frameworks.worker.adapter import check_optimizer


def make_optimizer(tf, parameters, setting, settings):
    """A function `(gradients by parameter, rate)` that adds one update of all parameters to the graph.

    Args:
        parameters: name -> `tf.Variable`.
        settings: parameter name -> `{rate, weight_decay}`.
    """
    optimizer = check_optimizer(setting)
    kind = {"sgd": sgd, "adam": adam}[optimizer["kind"]]
    begin_step = kind(tf, parameters, optimizer)

    def update(gradients, rate):
        rule = begin_step(rate)
        for name, gradient in gradients.items():
            multiplier, decay = float(settings[name]["rate"]), float(settings[name]["weight_decay"])
            if decay:
                gradient = gradient + decay * parameters[name]
            rule(name, gradient, multiplier)

    return update


def sgd(tf, parameters, optimizer):
    """SGD: a function `(rate of the step) -> (parameter name, gradient, rate multiplier) -> None`.

    `ResourceApplyKerasMomentum` is `v = m v - r g; w += v`, with Nesterov `w += m v - r g`: the setting's
    `rate_in_velocity` with the sign in `v`. `ResourceApplyMomentum` is `v = m v + g; w -= r v`, with Nesterov
    `w -= r g + r m v`: its `rate_on_velocity` (`tensorflow/core/kernels/training_ops.cc`).
    """
    momentum, nesterov = float(optimizer["momentum"]), bool(optimizer["nesterov"])
    if not momentum:
        return lambda rate: _plain(tf, parameters, rate)
    in_velocity = optimizer["momentum_form"] == "rate_in_velocity"
    kernel = tf.raw_ops.ResourceApplyKerasMomentum if in_velocity else tf.raw_ops.ResourceApplyMomentum
    velocities = _zeros(tf, parameters)

    def begin_step(rate):
        def rule(name, gradient, multiplier):
            kernel(
                var=parameters[name].handle,
                accum=velocities[name].handle,
                lr=_scaled(rate, multiplier),
                grad=gradient,
                momentum=momentum,
                use_nesterov=nesterov,
            )

        return rule

    return begin_step


def _plain(tf, parameters, rate):
    def rule(name, gradient, multiplier):
        tf.raw_ops.ResourceApplyGradientDescent(
            var=parameters[name].handle, alpha=_scaled(rate, multiplier), delta=gradient
        )

    return rule


def adam(tf, parameters, optimizer):
    """Adam: a function `(rate of the step) -> (parameter name, gradient, rate multiplier) -> None`.

    `ResourceApplyAdam` is `w -= r sqrt(1 - p2) / (1 - p1) m / (sqrt(v) + epsilon)` for powers p1 and p2 of the betas.
    Here both are 0 and the rate holds the correction, worked out in float64: in float32 `1 - p2` has lost three digits
    in the first steps. `corrected` has epsilon beside `sqrt(v / (1 - b2^t))`, that is `epsilon sqrt(1 - b2^t)` beside
    `sqrt(v)`.
    """
    beta1, beta2, epsilon = (float(optimizer[key]) for key in ("beta1", "beta2", "epsilon"))
    corrected = optimizer["epsilon_placement"] == "corrected"
    first, second = _zeros(tf, parameters), _zeros(tf, parameters)
    steps = tf.Variable(0.0, dtype=tf.float64, trainable=False)

    def begin_step(rate):
        count = steps.assign_add(1.0, read_value=True)
        root = tf.sqrt(1.0 - tf.constant(beta2, tf.float64) ** count)
        correction = tf.cast(root / (1.0 - tf.constant(beta1, tf.float64) ** count), tf.float32)
        own_rate, own_epsilon = rate * correction, tf.cast(epsilon * root, tf.float32) if corrected else epsilon

        def rule(name, gradient, multiplier):
            tf.raw_ops.ResourceApplyAdam(
                var=parameters[name].handle,
                m=first[name].handle,
                v=second[name].handle,
                beta1_power=0.0,
                beta2_power=0.0,
                lr=_scaled(own_rate, multiplier),
                beta1=beta1,
                beta2=beta2,
                epsilon=own_epsilon,
                grad=gradient,
            )

        return rule

    return begin_step


def make_averages(tf, parameters, setting):
    """(moving averages of the parameters, a function that adds their update to the graph); (None, None) without any."""
    if not setting["weight_average"]:
        return None, None
    share = 1.0 - setting["weight_average"]["decay"]
    averages = {name: tf.Variable(variable, trainable=False) for name, variable in parameters.items()}

    def update():
        for name, average in averages.items():
            average.assign_sub(share * (average - parameters[name]))

    return averages, update


def _zeros(tf, parameters):
    return {name: tf.Variable(tf.zeros_like(value), trainable=False) for name, value in parameters.items()}


def _scaled(rate, multiplier):
    return rate if multiplier == 1.0 else rate * multiplier
