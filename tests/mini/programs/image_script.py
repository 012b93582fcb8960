"""A script that trains on images: meters, top-k accuracy, shares of the data, scaled losses."""

import io
import math
from enum import Enum

import torch
import torch.backends.cudnn as cudnn
import torch.distributed as dist
import torch.nn as nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Subset, TensorDataset
from torch.utils.data.distributed import DistributedSampler

cudnn.benchmark = not dist.is_initialized()
cudnn.deterministic = True


class Summary(Enum):
    NONE = 0
    AVERAGE = 1


class AverageMeter:
    def __init__(self, name, fmt=":f", summary_type=Summary.AVERAGE):
        self.name, self.fmt, self.summary_type = name, fmt, summary_type
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

    def __str__(self):
        text = "{name} {val" + self.fmt + "}"
        if self.summary_type is Summary.AVERAGE:
            text += " ({avg" + self.fmt + "})"
        return text.format(**self.__dict__)


def accuracy(output, target, topk=(1,)):
    """How many percent have the right class among the k first, for each k."""
    with torch.no_grad():
        _, pred = output.topk(max(topk), 1, True, True)
        correct = pred.t().eq(target.view(1, -1).expand_as(pred.t()))
        return [
            correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / target.size(0))
            for k in topk
        ]


def make_model():
    torch.manual_seed(0)
    model = nn.Sequential()
    model.features = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1), nn.SiLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    model.classifier = nn.Linear(8, 7)
    model.features = torch.nn.DataParallel(model.features)
    return model


def images(n=22):
    x = (torch.arange(n * 3 * 8 * 8) * 0.37).sin().reshape(n, 3, 8, 8)
    return TensorDataset(x * (1 + torch.arange(n).view(-1, 1, 1, 1) % 7), torch.arange(n) % 7)


def epoch(model, loader, criterion, device, optimizer=None, scaler=None):
    losses, top1 = AverageMeter("Loss", ":.4e"), AverageMeter("Acc@1", ":6.2f", Summary.NONE)
    model.train(optimizer is not None)
    with torch.set_grad_enabled(optimizer is not None):
        for inputs, target in loader:
            inputs = inputs.to(device, non_blocking=True, memory_format=torch.channels_last)
            target = target.to(device, non_blocking=True)
            output = model(inputs)
            loss = criterion(output, target)
            if optimizer is not None:
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            acc1, acc5 = accuracy(output, target, topk=(1, 5))
            losses.update(loss.item(), inputs.size(0))
            top1.update(acc1[0], inputs.size(0))
    assert str(losses).startswith("Loss ") and "(" not in str(top1)
    return [losses.avg, top1.avg.item(), acc5.item()]


def main(model):
    device = torch.device("cpu")
    model = model.to(device, memory_format=torch.channels_last)
    assert "features.module.0.weight" in model.state_dict()
    assert model.features.module[0].weight.is_contiguous(memory_format=torch.channels_last)
    data = images()
    share = DistributedSampler(data, num_replicas=2, rank=1, shuffle=False)
    train_loader = DataLoader(data, batch_size=4, shuffle=False, sampler=share)
    val_loader = DataLoader(Subset(data, range(0, 22, 2)), batch_size=5)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    scheduler = StepLR(optimizer, step_size=2, gamma=0.1)
    scaler = torch.amp.GradScaler(device.type, init_scale=2.0**10, growth_interval=4)
    numbers, kept = [], io.BytesIO()
    for i in range(3):
        share.set_epoch(i)
        numbers += epoch(model, train_loader, criterion, device, optimizer, scaler)
        numbers += [*epoch(model, val_loader, criterion, device), scaler.get_scale()]
        scheduler.step()
        if i == 1:
            torch.save({"epoch": i + 1, "state_dict": model.state_dict(),
                        "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(),
                        "scaler": scaler.state_dict()}, kept)  # fmt: skip
    kept.seek(0)
    checkpoint = torch.load(kept, map_location=device)
    for part, name in ((model, "state_dict"), (optimizer, "optimizer"), (scheduler, "scheduler"),
                       (scaler, "scaler")):  # fmt: skip
        part.load_state_dict(checkpoint[name])
    again = epoch(model, train_loader, criterion, device, optimizer, scaler)
    assert all(math.isclose(a, b) for a, b in zip(again, numbers[14:17]))
    return numbers + again + [scheduler.get_last_lr()[0], torch.cuda.memory_allocated()]
