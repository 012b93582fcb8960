"""Translation by nn.Transformer: sinusoidal positions, padding masks, greedy decoding."""

import math

import torch
import torch.nn as nn

PAD, BOS, EOS = 0, 1, 2


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.0, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(p=dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return self.dropout(x + self.pe[: x.size(0)])


class Seq2SeqTransformer(nn.Module):
    def __init__(self, vocab, d_model=12, nhead=3):
        super().__init__()
        self.transformer = nn.Transformer(d_model, nhead, 1, 1, 16, dropout=0.0)
        self.generator = nn.Linear(d_model, vocab)
        self.src_emb = nn.Embedding(vocab, d_model)
        self.tgt_emb = nn.Embedding(vocab, d_model)
        self.positional = PositionalEncoding(d_model)
        self.scale = math.sqrt(d_model)

    def forward(self, src, tgt):
        tgt_mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(0))
        src_mask = torch.zeros((src.shape[0], src.shape[0])).type(torch.bool)
        src_pad, tgt_pad = (src == PAD).transpose(0, 1), (tgt == PAD).transpose(0, 1)
        outs = self.transformer(
            self.positional(self.src_emb(src) * self.scale),
            self.positional(self.tgt_emb(tgt) * self.scale),
            src_mask, tgt_mask < 0, None, src_pad, tgt_pad, src_pad,
        )  # fmt: skip
        return self.generator(outs)


def make_model():
    return Seq2SeqTransformer(9)


def main(model):
    src = torch.tensor([[3, 4, 5, 6], [7, 8, 3, PAD], [5, 4, PAD, PAD]]).t()
    tgt = torch.tensor(
        [[BOS, 6, 5, 4, 3, EOS], [BOS, 3, 8, 7, EOS, PAD], [BOS, 4, 5, EOS, PAD, PAD]]
    ).t()
    loss_fn = nn.CrossEntropyLoss(ignore_index=PAD)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.98), eps=1e-9)
    losses = []
    for step in range(6):
        logits = model(src, tgt[:-1, :])
        optimizer.zero_grad()
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt[1:, :].reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    ys = torch.ones(1, 1).fill_(BOS).type(torch.long)
    for _ in range(5):
        prob = model(src[:, :1], ys)[-1]
        _, next_word = torch.max(prob, dim=1)
        ys = torch.cat([ys, torch.ones(1, 1).type_as(src).fill_(next_word.item())], dim=0)
    return losses + ys.flatten().tolist()
