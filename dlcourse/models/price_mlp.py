"""A network that prices a row of a table: numbers and categories (B, D + C) to outputs (B, K).

Categories become short learnt vectors (Guo and Berkhahn 2016); numbers are standardised by
statistics that the model keeps beside its weights, so that a saved model is never parted from them.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F


class PriceMLP(nn.Module):
    """Embeddings beside standardised numbers, then hidden layers of SiLU, then a linear layer.

    The last `len(counts)` columns of the input hold the categories' codes, as whole numbers.
    `embedding` 0 puts the codes themselves, standardised, in the place of learnt vectors.
    These start small, or what they learn would be lost among what they are born with.
    """

    def __init__(
        self,
        numbers: int,
        counts: Sequence[int],
        embedding: int = 2,
        embedding_std: float = 0.1,
        hidden: int = 64,
        layers: int = 2,
        outputs: int = 1,
        logs: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.numbers, self.logs = numbers, list(logs)
        self.tables = nn.ModuleList(nn.Embedding(n, embedding) for n in counts if embedding)
        for table in self.tables:
            nn.init.normal_(table.weight, std=embedding_std)
        scaled = numbers if embedding else numbers + len(counts)
        self.register_buffer("mean", torch.zeros(scaled))
        self.register_buffer("std", torch.ones(scaled))
        widths = [scaled + embedding * len(counts), *[hidden] * layers]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.output = nn.Linear(widths[-1], outputs)

    def standardise_by(self, rows: torch.Tensor, targets: torch.Tensor) -> None:
        """Take mean and standard deviation from the rows of the training set, and no others.

        The output's bias starts at the mean of the targets, so that nothing is learnt from far off.
        """
        numbers = self._prepared(rows)
        self.mean.copy_(numbers.mean(dim=0))
        self.std.copy_(numbers.std(dim=0))
        with torch.no_grad():
            self.output.bias[0] = targets.mean()

    def _prepared(self, rows: torch.Tensor) -> torch.Tensor:
        numbers = rows[:, : len(self.mean)].clone()
        numbers[:, self.logs] = numbers[:, self.logs].log()
        return numbers

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        x = (self._prepared(rows) - self.mean) / self.std  # (B, D)
        codes = rows[:, self.numbers :].long()  # (B, C)
        vectors = [table(codes[:, i]) for i, table in enumerate(self.tables)]  # C of (B, E)
        x = torch.cat([x, *vectors], dim=1)
        for layer in self.hidden:
            x = F.silu(layer(x))
        return self.output(x)  # (B, K)
