"""Small networks that give the next letter: tokens (B, T) to logits (B, T, K), row t from 0 to t.

From one letter of context to all: a table (the bigram), a window (Bengio, Ducharme, Vincent and
Jauvin 2003), a state that is carried along (Elman 1990; Hochreiter and Schmidhuber 1997; Cho et
al. 2014), attention to everything before (Vaswani et al. 2017).  All have one interface, so that
scoring and sampling are written once.
"""

from dlcourse.models.gpt import GPT, GPTConfig

import torch
from torch import nn
from torch.nn import functional as F

PLACES = 24  # symbols that fit into the Transformer, the start included


class Bigram(nn.Module):
    """A row of logits for each symbol: what comes next depends on the last symbol alone."""

    def __init__(self, symbols: int, outputs: int) -> None:
        super().__init__()
        self.table = nn.Embedding(symbols, outputs)
        nn.init.zeros_(self.table.weight)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.table(tokens)  # (B, T, K)


class WindowMLP(nn.Module):
    """The vectors of the last `context` symbols side by side, one hidden layer of tanh."""

    def __init__(
        self,
        symbols: int,
        outputs: int,
        context: int = 4,
        embedding: int = 16,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(symbols, embedding)
        self.hidden = nn.Linear(context * embedding, hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        padded = F.pad(tokens, (self.context - 1, 0))  # 0, the boundary, before a name
        windows = padded.unfold(1, self.context, 1)  # (B, T, context)
        x = self.embedding(windows).flatten(start_dim=2)  # (B, T, context * embedding)
        x = self.dropout(torch.tanh(self.hidden(x)))  # (B, T, hidden)
        return self.output(x)  # (B, T, K)


CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """A state that each symbol updates: an RNN with tanh, a GRU or an LSTM."""

    def __init__(
        self,
        symbols: int,
        outputs: int,
        cell: str = "gru",
        embedding: int = 16,
        hidden: int = 128,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, embedding)
        self.recurrent = CELLS[cell](embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, outputs)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.recurrent(self.dropout(self.embedding(tokens)))  # (B, T, hidden)
        return self.output(self.dropout(states))  # (B, T, K)


class Transformer(GPT):
    """The course's GPT, of which the logits of start symbols, which no name holds, are cut off."""

    def __init__(
        self,
        symbols: int,
        outputs: int,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        options = {"width": width, "heads": heads, "layers": layers, "dropout": dropout}
        super().__init__(GPTConfig(symbols, context=PLACES, **options))
        self.outputs = outputs

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return super().forward(tokens)[..., : self.outputs]  # (B, T, K)
