"""Ordinary torch programs run on mini when only their imports change, and give torch's losses."""

import re
import sys
import types
from pathlib import Path

from dlcourse import mini

import pytest
import torch
from both import START

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


# -- programs as files -----------------------------------------------------------------------------

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))
# What a reader changes in a program of torch.
IMPORTS = (
    (r"^import torch\.nn\.functional as F$", "from dlcourse.mini.nn import functional as F"),
    (r"^import torch\.(\S+) as (\w+)$", r"import dlcourse.mini.\1 as \2"),
    (r"^import torch$", "import dlcourse.mini as torch"),
    (r"^from torch(\S*) import", r"from dlcourse.mini\1 import"),
)


def module(path, framework):
    """The program as a module of that framework."""
    source = path.read_text()
    for pattern, instead in IMPORTS if framework is mini else ():
        source = re.sub(pattern, instead, source, flags=re.MULTILINE)
    out = types.ModuleType(f"{path.stem}_of_{framework.__name__.replace('.', '_')}")
    sys.modules[out.__name__] = out  # dataclasses look there
    exec(compile(source, str(path), "exec"), vars(out))
    return out


@pytest.fixture
def _double():
    kept = [(f, f.get_default_dtype()) for f in (mini, torch)]
    for f, _ in kept:
        f.set_default_dtype(f.float64)
    yield
    for f, dtype in kept:
        f.set_default_dtype(dtype)


@pytest.mark.usefixtures("_double")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated")  # of torch.func itself
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("path", PROGRAMS, ids=[p.stem for p in PROGRAMS])
def test_program_of_a_file_gives_torchs_losses(path):
    """From torch's first weights; each file has make_model() and main(model) -> numbers."""
    ours, theirs = module(path, mini), module(path, torch)
    model = theirs.make_model()
    twin = ours.make_model()
    twin.load_state_dict(model.state_dict())
    wanted = theirs.main(model)
    assert ours.main(twin) == pytest.approx(wanted, rel=1e-7, abs=1e-9)
    assert len(set(wanted)) > 3


@pytest.mark.parametrize("path", PROGRAMS, ids=[p.stem for p in PROGRAMS])
def test_nothing_of_torch_is_left(path):
    program = module(path, mini)
    named = [v for v in vars(program).values() if getattr(v, "__name__", "").startswith("torch")]
    assert named == []
