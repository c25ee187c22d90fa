"""LeNet under Caffe's MNIST setting as a TensorFlow user would write it: Keras layers and optimizer, `tf.function`."""

import sys
import time

import keras
import numpy as np
import tensorflow as tf

DATA, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = 64

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)
images = tf.constant(np.load(DATA + "/train_images.npy").transpose(0, 2, 3, 1))
labels = tf.constant(np.load(DATA + "/train_labels.npy"))

model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(20, 5),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(50, 5),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(500, activation="relu"),
        keras.layers.Dense(10),
    ]
)
optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9)
criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DECAY = 0.0005


@tf.function
def train_step(chosen, rate):
    with tf.GradientTape() as tape:
        loss = criterion(tf.gather(labels, chosen), model(tf.gather(images, chosen), training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    gradients = [g + DECAY * v for g, v in zip(gradients, model.trainable_variables)]
    optimizer.learning_rate.assign(rate)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
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
    loss = train_step(chosen, tf.constant(0.01 * (1 + 1e-4 * step) ** -0.75, tf.float32))
loss = float(loss)
print((STEPS - 1) * BATCH / (time.monotonic() - begin), loss)
