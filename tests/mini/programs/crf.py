"""A conditional random field over an LSTM, one sentence at a time, and its best path."""

import torch
import torch.nn as nn
import torch.optim as optim

START_TAG, STOP_TAG = "<START>", "<STOP>"
DATA = [
    ("the street journal said that apple made money", "B I I O O B O O"),
    ("georgia tech is in georgia", "B I O O B"),
]
DATA = [(words.split(), tags.split()) for words, tags in DATA]
word_to_ix = {}
for words, _ in DATA:
    for word in words:
        if word not in word_to_ix:
            word_to_ix[word] = len(word_to_ix)
tag_to_ix = {"B": 0, "I": 1, "O": 2, START_TAG: 3, STOP_TAG: 4}


def argmax(vec):
    _, idx = torch.max(vec, 1)
    return idx.item()


def prepare_sequence(seq, to_ix):
    return torch.tensor([to_ix[w] for w in seq], dtype=torch.long)


def log_sum_exp(vec):
    max_score = vec[0, argmax(vec)]
    max_score_broadcast = max_score.view(1, -1).expand(1, vec.size()[1])
    return max_score + torch.log(torch.sum(torch.exp(vec - max_score_broadcast)))


class BiLSTM_CRF(nn.Module):
    def __init__(self, vocab_size, tag_to_ix, embedding_dim, hidden_dim):
        super(BiLSTM_CRF, self).__init__()
        self.hidden_dim = hidden_dim
        self.tag_to_ix = tag_to_ix
        self.tagset_size = len(tag_to_ix)
        self.word_embeds = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim // 2, num_layers=1, bidirectional=True)
        self.hidden2tag = nn.Linear(hidden_dim, self.tagset_size)
        self.transitions = nn.Parameter(torch.randn(self.tagset_size, self.tagset_size))
        self.transitions.data[tag_to_ix[START_TAG], :] = -10000
        self.transitions.data[:, tag_to_ix[STOP_TAG]] = -10000
        self.hidden = self.init_hidden()

    def init_hidden(self):
        return (torch.zeros(2, 1, self.hidden_dim // 2), torch.zeros(2, 1, self.hidden_dim // 2))

    def _get_lstm_features(self, sentence):
        self.hidden = self.init_hidden()
        embeds = self.word_embeds(sentence).view(len(sentence), 1, -1)
        lstm_out, self.hidden = self.lstm(embeds, self.hidden)
        return self.hidden2tag(lstm_out.view(len(sentence), self.hidden_dim))

    def _forward_alg(self, feats):
        forward_var = torch.full((1, self.tagset_size), -10000.0)
        forward_var[0][self.tag_to_ix[START_TAG]] = 0.0
        for feat in feats:
            alphas_t = []
            for next_tag in range(self.tagset_size):
                emit_score = feat[next_tag].view(1, -1).expand(1, self.tagset_size)
                trans_score = self.transitions[next_tag].view(1, -1)
                alphas_t.append(log_sum_exp(forward_var + trans_score + emit_score).view(1))
            forward_var = torch.cat(alphas_t).view(1, -1)
        return log_sum_exp(forward_var + self.transitions[self.tag_to_ix[STOP_TAG]])

    def _score_sentence(self, feats, tags):
        score = torch.zeros(1)
        start = torch.tensor([self.tag_to_ix[START_TAG]], dtype=torch.long)
        tags = torch.cat([start, tags])
        for i, feat in enumerate(feats):
            score = score + self.transitions[tags[i + 1], tags[i]] + feat[tags[i + 1]]
        return score + self.transitions[self.tag_to_ix[STOP_TAG], tags[-1]]

    def _viterbi_decode(self, feats):
        backpointers = []
        forward_var = torch.full((1, self.tagset_size), -10000.0)
        forward_var[0][self.tag_to_ix[START_TAG]] = 0
        for feat in feats:
            bptrs_t, viterbivars_t = [], []
            for next_tag in range(self.tagset_size):
                next_tag_var = forward_var + self.transitions[next_tag]
                best_tag_id = argmax(next_tag_var)
                bptrs_t.append(best_tag_id)
                viterbivars_t.append(next_tag_var[0][best_tag_id].view(1))
            forward_var = (torch.cat(viterbivars_t) + feat).view(1, -1)
            backpointers.append(bptrs_t)
        terminal_var = forward_var + self.transitions[self.tag_to_ix[STOP_TAG]]
        best_tag_id = argmax(terminal_var)
        path_score = terminal_var[0][best_tag_id]
        best_path = [best_tag_id]
        for bptrs_t in reversed(backpointers):
            best_tag_id = bptrs_t[best_tag_id]
            best_path.append(best_tag_id)
        assert best_path.pop() == self.tag_to_ix[START_TAG]
        best_path.reverse()
        return path_score, best_path

    def neg_log_likelihood(self, sentence, tags):
        feats = self._get_lstm_features(sentence)
        return self._forward_alg(feats) - self._score_sentence(feats, tags)

    def batched(self, emissions, mask):
        """The scores of all paths, for padded sentences at once."""
        score = self.transitions.T[self.tag_to_ix[START_TAG]] + emissions[:, 0]
        for i in range(1, emissions.size(1)):
            each = score.unsqueeze(2) + self.transitions.T + emissions[:, i].unsqueeze(1)
            score = torch.where(mask[:, i].unsqueeze(1), torch.logsumexp(each, dim=1), score)
        score += self.transitions[self.tag_to_ix[STOP_TAG]]
        return torch.logsumexp(score, dim=1)

    def forward(self, sentence):
        return self._viterbi_decode(self._get_lstm_features(sentence))


def make_model():
    return BiLSTM_CRF(len(word_to_ix), tag_to_ix, 4, 4)


def main(model):
    optimizer = optim.SGD(model.parameters(), lr=0.01, weight_decay=1e-4)
    losses = []
    for _ in range(3):
        for sentence, tags in DATA:
            model.zero_grad()
            inputs, targets = (
                prepare_sequence(sentence, word_to_ix),
                prepare_sequence(tags, tag_to_ix),
            )
            loss = model.neg_log_likelihood(inputs, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    with torch.no_grad():
        score, path = model(prepare_sequence(DATA[0][0], word_to_ix))
        feats = [model._get_lstm_features(prepare_sequence(s, word_to_ix)) for s, _ in DATA]
        padded = nn.utils.rnn.pad_sequence(feats, batch_first=True)
        mask = torch.arange(padded.size(1))[None].lt(torch.tensor([[len(f)] for f in feats]))
        together = model.batched(padded, mask)
        assert torch.allclose(together, torch.stack([model._forward_alg(f) for f in feats]))
    return losses + [score.item(), *path] + together.tolist() + padded[1].flatten().tolist()
