"""A small network learns from a large one: soft targets, hidden layers, images set straight.

In the manner of programs of 2017: sums by `size_average`, numbers before tensors, initial values by
names without underscores, modules in `DataParallel`.  The student looks through a spatial
transformer.
"""

import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Variable
from torch.optim.optimizer import Optimizer, required


class OlderSGD(Optimizer):
    """With momentum; the number stands before the tensors."""

    def __init__(self, params, lr=required, momentum=0.9):
        super(OlderSGD, self).__init__(params, dict(lr=lr, momentum=momentum))  # noqa: C408, UP008

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                grad = p.grad.data
                if grad.is_sparse:
                    raise RuntimeError("OlderSGD takes no sparse gradients")
                state = self.state[p]
                if len(state) == 0:
                    state["step"], state["buffer"] = 0, torch.zeros_like(p.data)
                    state["square"] = p.data.new(p.size()).fill_(1.0)
                state["step"] += 1
                state["buffer"].mul_(group["momentum"]).add_(1 - group["momentum"], grad)
                state["square"].mul_(0.9).addcmul_(0.1, grad, grad)
                p.data.addcdiv_(-group["lr"], state["buffer"], state["square"].sqrt().add_(1e-8))


class Network(nn.Module):
    def __init__(self, channels, looks=False):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(True),
            nn.MaxPool2d(2),
        )  # fmt: skip
        self.match = nn.Conv2d(channels, 6, 1)
        self.classifier = nn.LazyLinear(4)
        self.look = nn.Sequential(nn.Flatten(), nn.Linear(64, 6)) if looks else None

    def forward(self, x):
        if self.look is not None:
            upright = torch.tensor([[1.0, 0.02, 0.01], [0.01, 1.0, 0.03]])
            theta = 0.2 * torch.tanh(self.look(x)).view(-1, 2, 3) + upright
            grid = F.affine_grid(theta, x.size(), align_corners=False)
            x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        hidden = self.features(x)
        return self.classifier(hidden.view(hidden.size(0), -1)), self.match(hidden)


def images(n, phase):
    wave = torch.arange(n * 64) * (0.37 + phase)
    return wave.sin().view(n, 1, 8, 8)


def make_model():
    model = nn.ModuleDict({"teacher": Network(8), "student": Network(3, looks=True)})
    for part in model.values():
        part(images(2, 0.1))  # the sizes of the lazy layers
    return nn.DataParallel(model)


def distil(teacher, student, x, y, temperature=3.0):
    """The three losses of a batch: labels, soft targets, hidden layers."""
    with torch.no_grad():
        soft, goal = teacher(x)
    logits, hidden = student(x)
    labels = F.cross_entropy(logits, y, size_average=False) / len(y)
    targets = F.softmax(soft / temperature, dim=1)
    log_probs = F.log_softmax(logits / temperature, dim=1)
    matched = nn.MSELoss(size_average=True)(hidden, goal)
    same = torch.ones(x.size(0))
    alike = nn.CosineEmbeddingLoss()(hidden.flatten(1), goal.flatten(1), same)
    divergence = nn.KLDivLoss(reduction="batchmean")(log_probs, targets) * temperature**2
    return labels, divergence, matched + alike


def main(model):
    teacher, student = model.module["teacher"], model.module["student"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all that torch says of older programs
        nn.init.constant(student.look[1].weight, 0.01)
        nn.init.constant(teacher.classifier.bias, 0.1)
        losses = []
        for network, lr in ((teacher, 0.02), (student, 0.01)):
            optimizer = OlderSGD(network.parameters(), lr=lr)
            for epoch in range(5):
                x, y = Variable(images(8, 0.05 * epoch)), torch.arange(8) % 4
                network.train()
                optimizer.zero_grad()
                if network is teacher:
                    parts = (F.cross_entropy(teacher(x)[0], y), teacher(x)[1].pow(2).mean())
                else:
                    teacher.eval()
                    parts = distil(teacher, student, x, y)
                sum(parts).backward()
                optimizer.step()
                losses += [float(part.data) for part in parts]
        seen = F.upsample(images(2, 0.2), scale_factor=2, mode="bilinear", align_corners=True)
        student.eval()
        logits, _ = student(F.avg_pool2d(seen, 2))
    return losses + logits.data.view(-1).tolist()
