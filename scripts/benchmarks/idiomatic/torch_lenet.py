"""LeNet under Caffe's MNIST setting as a Torch user would write it: `nn.Sequential`, `optim.SGD`, resident tensors."""

import sys
import time

import numpy as np
import torch
from torch import nn

DATA, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = 64

torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)
images = torch.from_numpy(np.load(DATA + "/train_images.npy"))
labels = torch.from_numpy(np.load(DATA + "/train_labels.npy").astype(np.int64))

model = nn.Sequential(
    nn.Conv2d(1, 20, 5),
    nn.MaxPool2d(2),
    nn.Conv2d(20, 50, 5),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(800, 500),
    nn.ReLU(),
    nn.Linear(500, 10),
)
weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
biases = [p for name, p in model.named_parameters() if name.endswith("bias")]
optimizer = torch.optim.SGD([{"params": weights}, {"params": biases}], lr=0.01, momentum=0.9, weight_decay=0.0005)
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
    rate = 0.01 * (1 + 1e-4 * step) ** -0.75
    optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = rate, 2 * rate
    optimizer.zero_grad()
    loss = criterion(model(images[chosen]), labels[chosen])
    loss.backward()
    optimizer.step()
print((STEPS - 1) * BATCH / (time.monotonic() - begin), float(loss.detach()))
