"""cifar10_quick under Caffe's setting as a Torch user would write it: `nn.Sequential`, `optim.SGD`, resident tensors."""

import sys
import time

import numpy as np
import torch
from torch import nn

DATA, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = 100

torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)
images = torch.from_numpy(np.load(DATA + "/train_images.npy"))
labels = torch.from_numpy(np.load(DATA + "/train_labels.npy").astype(np.int64))


def initial(layer, std):
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer


model = nn.Sequential(
    initial(nn.Conv2d(3, 32, 5, padding=2), 0.0001),
    nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.ReLU(inplace=True),
    initial(nn.Conv2d(32, 32, 5, padding=2), 0.01),
    nn.ReLU(inplace=True),
    nn.AvgPool2d(3, 2, ceil_mode=True),
    initial(nn.Conv2d(32, 64, 5, padding=2), 0.01),
    nn.ReLU(inplace=True),
    nn.AvgPool2d(3, 2, ceil_mode=True),
    nn.Flatten(),
    initial(nn.Linear(1024, 64), 0.1),
    initial(nn.Linear(64, 10), 0.1),
)
weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
groups = [{"params": weights, "lr": 0.001}, {"params": biases, "lr": 0.002}]
optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=0.004)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4000], 0.1)
criterion = nn.CrossEntropyLoss()

order = torch.randperm(len(images))
position = 0
for step in range(STEPS):
    if step == 1:
        begin = time.monotonic()
    if position + BATCH > len(images):
        order, position = torch.randperm(len(images)), 0
    chosen = order[position : position + BATCH]
    position += BATCH
    optimizer.zero_grad()
    loss = criterion(model(images[chosen]), labels[chosen])
    loss.backward()
    optimizer.step()
    scheduler.step()
print((STEPS - 1) * BATCH / (time.monotonic() - begin), float(loss.detach()))
