"""ResNet-32 under the setting of He et al. as a TensorFlow user would write it: Keras's functional API, `tf.function`."""

import sys
import time

import keras
import numpy as np
import tensorflow as tf

DATA, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = 128

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)
images = tf.constant(np.load(DATA + "/train_images.npy").transpose(0, 2, 3, 1))
labels = tf.constant(np.load(DATA + "/train_labels.npy"))


def conv_norm(x, filters, kernel, stride=1):
    padding = "same"
    if stride > 1 and kernel > 1:  # "same" would pad one side only; keras.applications has its ResNets pad like this
        x, padding = keras.layers.ZeroPadding2D(kernel // 2)(x), "valid"
    x = keras.layers.Conv2D(filters, kernel, stride, padding=padding, use_bias=False, kernel_initializer="he_normal")(x)
    # Keras 3 computes this by single operations, the adapter by TensorFlow's fused kernel: a ratio above 1 comes from here.
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def block(x, filters, stride):
    shortcut = x if stride == 1 else conv_norm(x, filters, 1, stride)
    x = keras.layers.ReLU()(conv_norm(x, filters, 3, stride))
    x = conv_norm(x, filters, 3)
    return keras.layers.ReLU()(keras.layers.add([x, shortcut]))


inputs = keras.Input((32, 32, 3))
x = keras.layers.ReLU()(conv_norm(inputs, 16, 3))
for filters in (16, 32, 64):
    for number in range(5):
        x = block(x, filters, 2 if filters > 16 and number == 0 else 1)
x = keras.layers.GlobalAveragePooling2D()(x)
outputs = keras.layers.Dense(10, kernel_initializer=keras.initializers.RandomNormal(stddev=0.01))(x)
model = keras.Model(inputs, outputs)

rate = keras.optimizers.schedules.PiecewiseConstantDecay([32000, 48000], [0.1, 0.01, 0.001])
optimizer = keras.optimizers.SGD(learning_rate=rate, momentum=0.9)
criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DECAY = 0.0001


@tf.function
def train_step(chosen):
    with tf.GradientTape() as tape:
        loss = criterion(tf.gather(labels, chosen), model(tf.gather(images, chosen), training=True))
    variables = model.trainable_variables
    gradients = [g + DECAY * v for g, v in zip(tape.gradient(loss, variables), variables)]
    optimizer.apply_gradients(zip(gradients, variables))
    return loss


rng = np.random.default_rng(1)
order = rng.permutation(len(images)).astype(np.int32)
position = 0
for step in range(STEPS):
    if step == 1:
        begin = time.monotonic()
    if position + BATCH > len(order):
        order, position = rng.permutation(len(order)).astype(np.int32), 0
    chosen = tf.constant(order[position : position + BATCH])
    position += BATCH
    loss = train_step(chosen)
loss = float(loss)
print((STEPS - 1) * BATCH / (time.monotonic() - begin), loss)
