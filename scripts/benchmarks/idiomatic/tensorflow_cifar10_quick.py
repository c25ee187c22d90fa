"""cifar10_quick under Caffe's setting as a TensorFlow user would write it: Keras layers and optimizer, `tf.function`."""

import sys
import time

import keras
import numpy as np
import tensorflow as tf

DATA, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = 100

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)
images = tf.constant(np.load(DATA + "/train_images.npy").transpose(0, 2, 3, 1))
labels = tf.constant(np.load(DATA + "/train_labels.npy"))


def gaussian(std):
    return keras.initializers.RandomNormal(stddev=std)


# "same" has the windows of Caffe's pools, whose number is rounded up, and averages the pixels inside, as Caffe does.
model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        keras.layers.Conv2D(32, 5, padding="same", kernel_initializer=gaussian(0.0001)),
        keras.layers.MaxPooling2D(3, 2, padding="same"),
        keras.layers.ReLU(),
        keras.layers.Conv2D(32, 5, padding="same", activation="relu", kernel_initializer=gaussian(0.01)),
        keras.layers.AveragePooling2D(3, 2, padding="same"),
        keras.layers.Conv2D(64, 5, padding="same", activation="relu", kernel_initializer=gaussian(0.01)),
        keras.layers.AveragePooling2D(3, 2, padding="same"),
        keras.layers.Flatten(),
        keras.layers.Dense(64, kernel_initializer=gaussian(0.1)),
        keras.layers.Dense(10, kernel_initializer=gaussian(0.1)),
    ]
)
rate = keras.optimizers.schedules.PiecewiseConstantDecay([4000], [0.001, 0.0001])
optimizer = keras.optimizers.SGD(learning_rate=rate, momentum=0.9)
criterion = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DECAY = 0.004


@tf.function
def train_step(chosen):
    with tf.GradientTape() as tape:
        loss = criterion(tf.gather(labels, chosen), model(tf.gather(images, chosen), training=True))
    variables = model.trainable_variables
    gradients = [g + DECAY * v for g, v in zip(tape.gradient(loss, variables), variables)]
    # Biases have twice the rate; with momentum as Keras has it that is twice the gradient.
    gradients = [2 * g if v.name == "bias" else g for g, v in zip(gradients, variables)]
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
