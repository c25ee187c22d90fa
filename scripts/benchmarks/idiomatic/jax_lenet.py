"""LeNet under Caffe's MNIST setting as a JAX user would write it: pure functions, `jax.jit`, donated parameters."""

import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# The third argument, threads, is in force already: XLA takes it from the environment variable NPROC.
DATA, STEPS = sys.argv[1], int(sys.argv[2])
BATCH = 64

images = jnp.array(np.load(DATA + "/train_images.npy"))
labels = jnp.array(np.load(DATA + "/train_labels.npy").astype(np.int32))


def initial(shape, fan_in, seed):
    weights = jax.random.normal(jax.random.key(seed), shape) / np.sqrt(fan_in)
    return {"w": weights, "b": jnp.zeros(shape[0] if len(shape) == 4 else shape[1])}


def convolution(p, x):
    return lax.conv(x, p["w"], (1, 1), "VALID") + p["b"][:, None, None]


def max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def dense(p, x):
    return x @ p["w"] + p["b"]


def forward(params, x):
    x = max_pool(convolution(params["conv1"], x))
    x = max_pool(convolution(params["conv2"], x))
    x = jax.nn.relu(dense(params["dense1"], x.reshape(len(x), -1)))
    return dense(params["dense2"], x)


def criterion(params, x, y):
    log_probabilities = jax.nn.log_softmax(forward(params, x))
    return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()


@partial(jax.jit, donate_argnums=(0, 1))
def train_step(params, velocity, images, labels, chosen, rate):
    loss, gradients = jax.value_and_grad(criterion)(params, images[chosen], labels[chosen])
    rates = {name: {"w": rate, "b": 2 * rate} for name in params}
    velocity = jax.tree.map(lambda v, g, p, r: 0.9 * v + r * (g + 0.0005 * p), velocity, gradients, params, rates)
    return jax.tree.map(jnp.subtract, params, velocity), velocity, loss


params = {
    "conv1": initial((20, 1, 5, 5), 25, 1),
    "conv2": initial((50, 20, 5, 5), 500, 2),
    "dense1": initial((800, 500), 800, 3),
    "dense2": initial((500, 10), 500, 4),
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
    rate = 0.01 * (1 + 1e-4 * step) ** -0.75
    params, velocity, loss = train_step(params, velocity, images, labels, chosen, rate)
loss = float(loss)
print((STEPS - 1) * BATCH / (time.monotonic() - begin), loss)
