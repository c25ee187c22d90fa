"""ResNet-32 under the setting of He et al. as a JAX user would write it: pure functions, `jax.jit`, donated state."""

import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# The third argument, threads, is in force already: XLA takes it from the environment variable NPROC.
DATA, STEPS = sys.argv[1], int(sys.argv[2])
BATCH = 128

images = jnp.array(np.load(DATA + "/train_images.npy"))
labels = jnp.array(np.load(DATA + "/train_labels.npy").astype(np.int32))
keys = iter(jax.random.split(jax.random.key(1), 100))


def initial_conv(inputs, outputs, kernel):
    return jax.nn.initializers.he_normal(1, 0)(next(keys), (outputs, inputs, kernel, kernel))


def initial_norm(channels):
    return {"scale": jnp.ones(channels), "shift": jnp.zeros(channels)}


def initial_block(inputs, outputs):
    block = {
        "conv1": initial_conv(inputs, outputs, 3),
        "norm1": initial_norm(outputs),
        "conv2": initial_conv(outputs, outputs, 3),
        "norm2": initial_norm(outputs),
    }
    if inputs != outputs:
        block.update(conv3=initial_conv(inputs, outputs, 1), norm3=initial_norm(outputs))
    return block


def conv(w, x, stride=1):
    pad = w.shape[2] // 2
    return lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad), (pad, pad)])


def norm(p, moving, x):
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    scale = p["scale"] * lax.rsqrt(variance + 1e-5)
    y = (x - mean[:, None, None]) * scale[:, None, None] + p["shift"][:, None, None]
    return y, jax.tree.map(lambda old, new: 0.9 * old + 0.1 * new, moving, {"mean": mean, "variance": variance})


def block(p, moving, x):
    stride, moved = 2 if "conv3" in p else 1, {}
    y, moved["norm1"] = norm(p["norm1"], moving["norm1"], conv(p["conv1"], x, stride))
    y, moved["norm2"] = norm(p["norm2"], moving["norm2"], conv(p["conv2"], jax.nn.relu(y)))
    if "conv3" in p:
        x, moved["norm3"] = norm(p["norm3"], moving["norm3"], conv(p["conv3"], x, stride))
    return jax.nn.relu(y + x), moved


def forward(params, moving, x):
    x, first = norm(params["norm0"], moving["norm0"], conv(params["conv0"], x))
    x, moved = jax.nn.relu(x), []
    for p, own in zip(params["blocks"], moving["blocks"]):
        x, after = block(p, own, x)
        moved.append(after)
    return x.mean((2, 3)) @ params["dense"]["w"] + params["dense"]["b"], {"norm0": first, "blocks": moved}


def criterion(params, moving, x, y):
    logits, moving = forward(params, moving, x)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean(), moving


@partial(jax.jit, donate_argnums=(0, 1, 2))
def train_step(params, velocity, moving, images, labels, chosen, rate):
    value_and_grad = jax.value_and_grad(criterion, has_aux=True)
    (loss, moving), gradients = value_and_grad(params, moving, images[chosen], labels[chosen])
    velocity = jax.tree.map(lambda v, g, p: 0.9 * v + rate * (g + 0.0001 * p), velocity, gradients, params)
    return jax.tree.map(jnp.subtract, params, velocity), velocity, moving, loss


widths = [16] * 6 + [32] * 5 + [64] * 5
params = {
    "conv0": initial_conv(3, 16, 3),
    "norm0": initial_norm(16),
    "blocks": [initial_block(inputs, outputs) for inputs, outputs in zip(widths, widths[1:])],
    "dense": {"w": 0.01 * jax.random.normal(next(keys), (64, 10)), "b": jnp.zeros(10)},
}


def initial_moving(p):
    return {
        name: {"mean": jnp.zeros_like(own["scale"]), "variance": jnp.ones_like(own["scale"])}
        for name, own in p.items()
        if name.startswith("norm")
    }


moving = {**initial_moving(params), "blocks": [initial_moving(p) for p in params["blocks"]]}
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
    rate = 0.1 if step < 32000 else 0.01 if step < 48000 else 0.001
    params, velocity, moving, loss = train_step(params, velocity, moving, images, labels, chosen, rate)
loss = float(loss)
print((STEPS - 1) * BATCH / (time.monotonic() - begin), loss)
