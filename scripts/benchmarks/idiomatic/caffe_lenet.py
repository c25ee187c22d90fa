"""LeNet under Caffe's MNIST setting as a pycaffe user would write it: Caffe's own prototxt, in-memory data, its solver."""

import os
import sys
import tempfile
import time

os.environ["GLOG_minloglevel"] = "2"
import caffe
import numpy as np

DATA, STEPS = sys.argv[1], int(sys.argv[2])
BATCH = 64

NET = """
name: "LeNet"
layer { name: "mnist" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 64 channels: 1 height: 28 width: 28 } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 20 kernel_size: 5 stride: 1
    weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2" param { lr_mult: 1 } param { lr_mult: 2 }
  convolution_param { num_output: 50 kernel_size: 5 stride: 1
    weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool2" top: "ip1" param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 500 weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } bias_filler { type: "constant" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "%s" type: "SGD" base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005
lr_policy: "inv" gamma: 0.0001 power: 0.75
display: 0 snapshot: 0 snapshot_after_train: false solver_mode: CPU
"""

images, labels = np.load(DATA + "/train_images.npy"), np.load(DATA + "/train_labels.npy").astype(np.float32)
whole = len(images) // BATCH * BATCH
caffe.set_mode_cpu()
folder = tempfile.mkdtemp()
for name, text in (("net.prototxt", NET), ("solver.prototxt", SOLVER % (folder + "/net.prototxt"))):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)
solver = caffe.SGDSolver(folder + "/solver.prototxt")
solver.net.set_input_arrays(images[:whole], labels[:whole])
solver.step(1)
begin = time.monotonic()
solver.step(STEPS - 1)
print((STEPS - 1) * BATCH / (time.monotonic() - begin), float(solver.net.blobs["loss"].data))
