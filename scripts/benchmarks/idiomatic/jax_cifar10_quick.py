"""cifar10_quick under Caffe's setting as a JAX user would write it: pure functions, `jax.jit`, donated parameters."""

import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# The third argument, threads, is in force already: XLA takes it from the environment variable NPROC.
DATA, STEPS = sys.argv[1], int(sys.argv[2])
BATCH = 100

images = jnp.array(np.load(DATA + "/train_images.npy"))
labels = jnp.array(np.load(DATA + "/train_labels.npy").astype(np.int32))


def initial(shape, std, seed):
    weights = std * jax.random.normal(jax.random.key(seed), shape)
    return {"w": weights, "b": jnp.zeros(shape[0] if len(shape) == 4 else shape[1])}


def convolution(p, x):
    return lax.conv(x, p["w"], (1, 1), "SAME") + p["b"][:, None, None]


# "SAME" has the windows of Caffe's pools, whose number is rounded up.
def windows(x, start, operation):
    return lax.reduce_window(x, start, operation, (1, 1, 3, 3), (1, 1, 2, 2), "SAME")


def max_pool(x):
    return windows(x, -jnp.inf, lax.max)


def average_pool(x):
    return windows(x, 0.0, lax.add) / windows(jnp.ones((1, 1, *x.shape[2:])), 0.0, lax.add)


def dense(p, x):
    return x @ p["w"] + p["b"]


def forward(params, x):
    x = jax.nn.relu(max_pool(convolution(params["conv1"], x)))
    x = average_pool(jax.nn.relu(convolution(params["conv2"], x)))
    x = average_pool(jax.nn.relu(convolution(params["conv3"], x)))
    return dense(params["dense2"], dense(params["dense1"], x.reshape(len(x), -1)))


def criterion(params, x, y):
    log_probabilities = jax.nn.log_softmax(forward(params, x))
    return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()


@partial(jax.jit, donate_argnums=(0, 1))
def train_step(params, velocity, images, labels, chosen, rate):
    loss, gradients = jax.value_and_grad(criterion)(params, images[chosen], labels[chosen])
    rates = {name: {"w": rate, "b": 2 * rate} for name in params}
    velocity = jax.tree.map(lambda v, g, p, r: 0.9 * v + r * (g + 0.004 * p), velocity, gradients, params, rates)
    return jax.tree.map(jnp.subtract, params, velocity), velocity, loss


params = {
    "conv1": initial((32, 3, 5, 5), 0.0001, 1),
    "conv2": initial((32, 32, 5, 5), 0.01, 2),
    "conv3": initial((64, 32, 5, 5), 0.01, 3),
    "dense1": initial((1024, 64), 0.1, 4),
    "dense2": initial((64, 10), 0.1, 5),
}
velocity = jax.tree.map(jnp.zeros_like, params)
rng = np.random.default_rng(1)
order = rng.permutation(len(images)).astype(np.int32)
position = 0
for step in range(STEPS):
    if step == 1:
        jax.block_until_ready(params)
        begin = time.monotonic()
    if position + BATCH > len(order):
        order, position = rng.permutation(len(order)).astype(np.int32), 0
    chosen = order[position : position + BATCH]
    position += BATCH
    rate = 0.001 if step < 4000 else 0.0001
    params, velocity, loss = train_step(params, velocity, images, labels, chosen, rate)
loss = float(loss)
print((STEPS - 1) * BATCH / (time.monotonic() - begin), loss)
