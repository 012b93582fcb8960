"""Graph networks: sums over edges by scatter_add and index_add, attention over neighbours."""

import torch
import torch.nn.functional as F
from torch import nn

EDGE_INDEX = torch.tensor([[0, 1, 1, 2, 3, 0, 4], [1, 0, 2, 1, 0, 3, 2]], dtype=torch.long)


class GCNConv(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.lin = nn.Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.reset_parameters()

    def reset_parameters(self):
        self.lin.reset_parameters()
        self.bias.data.zero_()

    def forward(self, x, edge_index):
        loops = torch.arange(x.size(0)).unsqueeze(0).repeat(2, 1)
        row, col = torch.cat([edge_index, loops], dim=1)
        x = self.lin(x)
        ones = torch.ones(col.numel(), dtype=x.dtype)
        deg = torch.zeros(x.size(0), dtype=x.dtype).scatter_add_(0, col, ones)
        deg_inv_sqrt = deg.pow(-0.5)
        deg_inv_sqrt[deg_inv_sqrt == float("inf")] = 0
        norm = deg_inv_sqrt[row] * deg_inv_sqrt[col]
        out = torch.zeros_like(x)
        out.index_add_(0, col, norm.view(-1, 1) * x[row])
        return out + self.bias


class GATLayer(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.out_features = out_features
        self.W = nn.Parameter(torch.Tensor(in_features, out_features))
        nn.init.xavier_uniform_(self.W.data, gain=1.414)
        self.a = nn.Parameter(torch.empty(size=(2 * out_features, 1)))
        nn.init.xavier_uniform_(self.a.data, gain=nn.init.calculate_gain("leaky_relu", 0.2))
        self.leakyrelu = nn.LeakyReLU(0.2)

    def forward(self, h, adj):
        Wh = torch.mm(h, self.W)
        one = torch.matmul(Wh, self.a[: self.out_features, :])
        other = torch.matmul(Wh, self.a[self.out_features :, :])
        e = self.leakyrelu(one + other.T)
        attention = torch.where(adj > 0, e, -9e15 * torch.ones_like(e))
        return F.elu(torch.matmul(F.softmax(attention, dim=1), Wh))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GCNConv(4, 6), GCNConv(5, 3)
        self.gat = GATLayer(6, 5)

    def forward(self, x, adj):
        x = F.dropout(F.relu(self.conv1(x, EDGE_INDEX)), p=0.0, training=self.training)
        return F.log_softmax(self.conv2(self.gat(x, adj), EDGE_INDEX), dim=1)


def make_model():
    return Net()


def main(model):
    adj = torch.zeros(5, 5)
    adj[EDGE_INDEX[0], EDGE_INDEX[1]] = 1
    adj = adj + torch.eye(5)
    assert adj.nonzero().size(0) == EDGE_INDEX.size(1) + 5
    x = torch.cos(torch.arange(20) * 1.3).view(5, 4)
    y = torch.tensor([0, 1, 2, 0, 1])
    train_mask = torch.tensor([True, True, False, True, False])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        out = model(x, adj)
        loss = F.nll_loss(out[train_mask], y[train_mask])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    correct = model(x, adj).argmax(dim=1)[~train_mask] == y[~train_mask]
    graph = (y[:3] % 2).view(-1, 1).expand(-1, 3)
    pooled = torch.zeros(2, 3).scatter_reduce_(0, graph, out[:3], "amax", include_self=False)
    degree = torch.diag(adj.sum(1).pow(-0.5))
    walk = torch.matrix_exp(torch.mm(torch.mm(degree, adj), degree))
    losses.append((correct.sum() / (~train_mask).sum()).item())
    return losses + pooled.flatten().tolist() + walk.flatten().tolist()
