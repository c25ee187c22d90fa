"""LeNet under Caffe's MNIST setting as Theano's tutorials write it: shared data, one function of the mini-batch's number."""

import sys
import time

import numpy as np
import theano
import theano.tensor as T
from theano.tensor.nnet import conv2d
from theano.tensor.signal.pool import pool_2d

DATA, STEPS = sys.argv[1], int(sys.argv[2])
BATCH = 64

images = theano.shared(np.load(DATA + "/train_images.npy"), borrow=True)
labels = T.cast(theano.shared(np.load(DATA + "/train_labels.npy").astype("float32"), borrow=True), "int32")
rng = np.random.RandomState(1)


def xavier(*shape):
    bound = np.sqrt(3.0 / np.prod(shape[1:]))
    return theano.shared(rng.uniform(-bound, bound, shape).astype("float32"))


def zeros(n):
    return theano.shared(np.zeros(n, "float32"))


w1, b1 = xavier(20, 1, 5, 5), zeros(20)
w2, b2 = xavier(50, 20, 5, 5), zeros(50)
w3, b3 = theano.shared(xavier(500, 800).get_value().T.copy()), zeros(500)
w4, b4 = theano.shared(xavier(10, 500).get_value().T.copy()), zeros(10)

index, rate = T.lscalar(), T.fscalar()
x = images[index * BATCH : (index + 1) * BATCH]
y = labels[index * BATCH : (index + 1) * BATCH]
c1 = conv2d(x, w1, input_shape=(BATCH, 1, 28, 28), filter_shape=(20, 1, 5, 5))
p1 = pool_2d(c1, (2, 2), ignore_border=True) + b1.dimshuffle("x", 0, "x", "x")
c2 = conv2d(p1, w2, input_shape=(BATCH, 20, 12, 12), filter_shape=(50, 20, 5, 5))
p2 = pool_2d(c2, (2, 2), ignore_border=True) + b2.dimshuffle("x", 0, "x", "x")
hidden = T.nnet.relu(T.dot(p2.flatten(2), w3) + b3)
probabilities = T.nnet.softmax(T.dot(hidden, w4) + b4)
loss = -T.mean(T.log(probabilities)[T.arange(BATCH), y])

updates = []
parameters = [w1, b1, w2, b2, w3, b3, w4, b4]
for parameter, gradient in zip(parameters, T.grad(loss, parameters)):
    scaled = rate * np.float32(2.0 if parameter.ndim == 1 else 1.0)
    velocity = theano.shared(np.zeros_like(parameter.get_value()))
    new = np.float32(0.9) * velocity + scaled * (gradient + np.float32(0.0005) * parameter)
    updates += [(velocity, new), (parameter, parameter - new)]
train = theano.function([index, rate], loss, updates=updates)

batches = images.get_value(borrow=True).shape[0] // BATCH
for step in range(STEPS):
    if step == 1:
        begin = time.monotonic()
    value = train(step % batches, np.float32(0.01 * (1 + 1e-4 * step) ** -0.75))
print((STEPS - 1) * BATCH / (time.monotonic() - begin), float(value))
