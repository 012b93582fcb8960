"""Sentences of unequal lengths: padded by the loader, packed for a GRU in two directions."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

SENTENCES = [([3, 5, 2, 7], 1), ([4, 1], 0), ([6, 6, 5], 1), ([2, 1, 3, 4, 1], 0), ([7], 1),
             ([1, 4, 4], 0)]  # fmt: skip


def collate_fn(batch):
    texts, labels = zip(*batch)
    lengths = torch.tensor([len(t) for t in texts])
    padded = pad_sequence([torch.tensor(t) for t in texts], batch_first=True, padding_value=0)
    return padded, lengths, torch.tensor(labels)


class Classifier(nn.Module):
    def __init__(self, vocab_size, embed_dim=6, hidden=5, num_layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.gru = nn.GRU(
            embed_dim, hidden, num_layers, batch_first=True, bidirectional=True, dropout=0.0
        )
        self.fc = nn.Linear(4 * hidden, 1)

    def forward(self, text, lengths):
        embedded = self.embedding(text)
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        packed_output, hidden = self.gru(packed)
        output, output_lengths = pad_packed_sequence(packed_output, batch_first=True)
        last = torch.cat((hidden[-2, :, :], hidden[-1, :, :]), dim=1)
        mean = output.sum(dim=1) / output_lengths.unsqueeze(1)
        return self.fc(torch.cat([last, mean], dim=1)).squeeze(1)


def make_model():
    return Classifier(8)


def main(model):
    loader = DataLoader(SENTENCES, batch_size=3, shuffle=False, collate_fn=collate_fn)
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for epoch in range(5):
        epoch_acc = 0.0
        for text, lengths, labels in loader:
            optimizer.zero_grad()
            predictions = model(text, lengths)
            loss = criterion(predictions, labels.to(predictions.dtype))
            loss.backward()
            optimizer.step()
            rounded = torch.round(torch.sigmoid(predictions))
            epoch_acc += (rounded == labels).float().mean().item()
            losses.append(loss.item())
        losses.append(epoch_acc / len(loader))
    return losses
