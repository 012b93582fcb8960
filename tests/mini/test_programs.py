"""Ordinary torch programs run on mini when only their imports change, and give torch's losses."""

import pytest

TORCH = """
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader, Dataset, TensorDataset
"""
MINI = """
import dlcourse.mini as torch
import dlcourse.mini.nn as nn
from dlcourse.mini.nn import functional as F
from dlcourse.mini import optim
from dlcourse.mini.utils.data import DataLoader, Dataset, TensorDataset
"""
# The same start for both, without a random number.
START = """
def start(model):
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            wave = torch.arange(p.numel()).reshape(p.shape).double() * (0.7 + i)
            p.copy_(wave.sin() / p[0].numel() ** 0.5)
    return model

def numbers(*shape, times=1.3):
    n = 1
    for size in shape:
        n *= size
    return (torch.arange(n).double() * times).cos().reshape(*shape)
"""

LENET = """
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.norm = nn.BatchNorm2d(6)
        self.fc1 = nn.Linear(6 * 2 * 2, 16)
        self.fc2 = nn.Linear(16, 3)
        self.drop = nn.Dropout(0.0)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(torch.relu(self.norm(self.conv2(x))), 2)
        x = x.view(x.size(0), -1)
        return self.fc2(self.drop(F.relu(self.fc1(x))))

model = start(LeNet().double())
data = TensorDataset(numbers(24, 1, 12, 12), torch.arange(24) % 3)
loader = DataLoader(data, batch_size=8)
loss_fn = nn.CrossEntropyLoss(label_smoothing=0.1)
optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
losses = []
for epoch in range(4):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        correct = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in loader)
        losses.append(correct / len(data))
"""

REGRESSION = """
class Waves(Dataset):
    def __init__(self, n):
        self.x = numbers(n, 2)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"x": self.x[i], "y": (self.x[i] ** 2).sum()}

model = start(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double())
optimizer = optim.AdamW([{"params": model[0].parameters(), "lr": 0.01},
                         {"params": model[2].parameters()}], lr=0.05)
losses = []
for epoch in range(6):
    for batch in DataLoader(Waves(10), batch_size=4, drop_last=True):
        x = batch["x"].requires_grad_()
        y = model(x).squeeze(-1)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        loss = F.mse_loss(y, batch["y"]) + 0.1 * ((slope - 2 * x) ** 2).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
"""

LOGISTIC = """
x, y = numbers(20, 3), (numbers(20, times=2.1) > 0).double()
w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
losses = []
for step in range(20):
    logits = x @ w + b
    loss = F.binary_cross_entropy_with_logits(logits, y) + 0.01 * w.abs().sum()
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad
        b -= 0.5 * b.grad
        w.grad.zero_()
        b.grad = None
    losses.append(loss.item())
"""


def losses(imports, program):
    space = {}
    exec(imports + START + program, space)
    return space["losses"]


@pytest.mark.parametrize(
    "program", [LENET, REGRESSION, LOGISTIC], ids=["lenet", "regression", "logistic"]
)
def test_program_gives_torchs_losses(program):
    ours, theirs = losses(MINI, program), losses(TORCH, program)
    assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert theirs[-1] != theirs[0]
