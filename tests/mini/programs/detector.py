"""A detector of one stage: boxes decoded in place from a grid, overlaps, and those suppressed."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class SqueezeExcite(nn.Module):
    def __init__(self, c, r=2):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(c, c // r, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(c // r, c, bias=False),
            nn.Hardsigmoid(),
        )

    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.fc(self.avg_pool(x).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)


class Detector(nn.Module):
    def __init__(self, stride=4):
        super().__init__()
        self.stride = stride
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8, eps=1e-3, momentum=0.03),
            nn.Hardswish(),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, padding_mode="reflect"),
            nn.InstanceNorm2d(8, affine=True),
            nn.ReLU6(inplace=True),
            SqueezeExcite(8),
            nn.Conv2d(8, 12, 3, stride=2, padding=1),
        )
        self.register_buffer("anchors", torch.tensor([[4.0, 6.0], [8.0, 4.0]]).view(1, 2, 1, 1, 2))

    def forward(self, x):
        p = self.stem(x)
        bs, _, ny, nx = p.shape
        p = p.view(bs, 2, 6, ny, nx).permute(0, 1, 3, 4, 2).contiguous()
        yv, xv = torch.meshgrid([torch.arange(ny), torch.arange(nx)], indexing="ij")
        grid = torch.stack((xv, yv), 2).view((1, 1, ny, nx, 2)).to(p.dtype)
        y = p.sigmoid().clone()
        y[..., 0:2] = (y[..., 0:2] * 2.0 - 0.5 + grid) * self.stride  # middles
        y[..., 2:4] = (y[..., 2:4] * 2) ** 2 * self.anchors  # widths and heights
        return y.view(bs, -1, 6)


def corners(xywh):
    half = xywh[..., 2:4] / 2
    return torch.cat([xywh[..., :2] - half, xywh[..., :2] + half], dim=-1)


def box_iou(a, b):
    def area(boxes):
        return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])

    lt = torch.max(a[:, None, :2], b[:, :2])
    rb = torch.min(a[:, None, 2:], b[:, 2:])
    wh = (rb - lt).clamp(min=0)
    inter = wh[:, :, 0] * wh[:, :, 1]
    return inter / (area(a)[:, None] + area(b) - inter)


def nms(boxes, scores, threshold):
    order = scores.sort(0, descending=True)[1]
    keep = []
    while order.numel() > 0:
        i = order[0]
        keep.append(i.item())
        if order.numel() == 1:
            break
        iou = box_iou(boxes[i][None], boxes[order[1:]])[0]
        order = order[1:][iou <= threshold]
    return torch.as_tensor(keep)


def make_model():
    return Detector()


def main(model):
    rng = np.random.default_rng(0)
    photos = torch.from_numpy(rng.random((2, 3, 16, 16)))
    truth = torch.tensor([[4.0, 5.0, 6.0, 6.0], [10.0, 9.0, 8.0, 4.0]])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9, weight_decay=5e-4)
    losses = []
    for _ in range(4):
        pred = model(photos)
        box = objectness = 0
        for i, boxes in enumerate(pred):
            iou = box_iou(corners(boxes[:, :4]), corners(truth[i : i + 1])).squeeze(1)
            best = iou.detach().topk(3).indices
            box += (1.0 - iou[best]).mean() + F.smooth_l1_loss(
                boxes[best, :4], truth[i].expand(3, -1), beta=0.5
            )
            wanted = torch.zeros_like(boxes[:, 4])
            wanted[best] = iou.detach()[best].clamp(0).type(wanted.dtype)
            objectness += F.binary_cross_entropy(boxes[:, 4], wanted)
        loss = 0.5 * box + objectness
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += [loss.item(), box.item(), objectness.item()]
    model.eval()
    with torch.no_grad():
        out = model(photos[:1])[0]
        keep = nms(corners(out[:, :4]), out[:, 4], 0.3)
    return losses + keep.tolist() + out[keep[:3]].flatten().tolist()
