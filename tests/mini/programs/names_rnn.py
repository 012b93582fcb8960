"""Names sorted by language, letter by letter: a recurrent network by hand and one of nn.RNN."""

import torch
import torch.nn as nn

ALL_LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAMES = {"it": ["rossi", "bianchi", "ferrari"], "ru": ["ivanov", "petrov", "orlov"],
         "jp": ["sato", "suzuki", "tanaka"]}  # fmt: skip
categories = list(NAMES)


def line_to_tensor(line):
    tensor = torch.zeros(len(line), 1, len(ALL_LETTERS))
    for li, letter in enumerate(line):
        tensor[li][0][ALL_LETTERS.find(letter)] = 1
    return tensor


class HandRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.i2h = nn.Linear(input_size + hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, input, hidden):
        combined = torch.cat((input, hidden), 1)
        hidden = torch.tanh(self.i2h(combined))
        return self.softmax(self.h2o(hidden)), hidden

    def init_hidden(self):
        return torch.zeros(1, self.hidden_size)


class CharRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.rnn = nn.RNN(input_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, output_size)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, line_tensor):
        _, hidden = self.rnn(line_tensor)
        return self.softmax(self.h2o(hidden[0]))


def make_model():
    n = len(ALL_LETTERS)
    return nn.ModuleDict({"hand": HandRNN(n, 8, 3), "char": CharRNN(n, 8, 3)})


def train(model, category_tensor, line_tensor, criterion, learning_rate):
    model.zero_grad()
    if isinstance(model, HandRNN):
        hidden = model.init_hidden()
        for i in range(line_tensor.size()[0]):
            output, hidden = model(line_tensor[i], hidden)
    else:
        output = model(line_tensor)
    loss = criterion(output, category_tensor)
    loss.backward()
    for p in model.parameters():
        p.data.add_(p.grad.data, alpha=-learning_rate)
    return output, loss.item()


def main(model):
    criterion = nn.NLLLoss()
    losses, confusion = [], torch.zeros(3, 3)
    for epoch in range(3):
        for c, category in enumerate(categories):
            for name in NAMES[category]:
                for kind in ("hand", "char"):
                    target = torch.tensor([c], dtype=torch.long)
                    output, loss = train(model[kind], target, line_to_tensor(name), criterion, 0.1)
                    losses.append(loss)
                    top_n, top_i = output.topk(1)
                    confusion[c][top_i[0].item()] += 1
    for i in range(3):
        confusion[i] = confusion[i] / confusion[i].sum()
    return losses + confusion.flatten().tolist()
