"""ResNet-32 under the setting of He et al. as a Torch user would write it: modules as in torchvision, `optim.SGD`."""

import sys
import time

import numpy as np
import torch
from torch import nn

DATA, STEPS, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
BATCH = 128

torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)
images = torch.from_numpy(np.load(DATA + "/train_images.npy"))
labels = torch.from_numpy(np.load(DATA + "/train_labels.npy").astype(np.int64))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = None
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        y += x if self.shortcut is None else self.shortcut(x)
        return self.relu(y)


def stage(inputs, outputs, stride):
    return nn.Sequential(Block(inputs, outputs, stride), *(Block(outputs, outputs, 1) for _ in range(4)))


model = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1, bias=False),
    nn.BatchNorm2d(16),
    nn.ReLU(inplace=True),
    stage(16, 16, 1),
    stage(16, 32, 2),
    stage(32, 64, 2),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(64, 10),
)
for module in model.modules():
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
nn.init.normal_(model[-1].weight, std=0.01)
nn.init.zeros_(model[-1].bias)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.0001)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [32000, 48000], 0.1)
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
