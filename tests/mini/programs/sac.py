"""Soft actor-critic: a squashed Gaussian policy, two critics, a temperature that is learnt."""

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn, optim

ACTIONS, STATES, GAMMA, TAU = 2, 5, np.float64(0.99), 0.05


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(np.int64(STATES), 16), nn.ReLU())
        self.mean, self.log_std = nn.Linear(16, ACTIONS), nn.Linear(16, ACTIONS)
        high = np.array([2.0, 0.5])
        self.register_buffer("scale", torch.tensor(high / np.sqrt(4)))

    def forward(self, state, noise):
        h = self.body(state)
        log_std = self.log_std(h).clamp(np.log(1e-2), np.log(2.0))
        normal = torch.distributions.Normal(self.mean(h), log_std.exp())
        raw = normal.mean + normal.stddev * noise  # what rsample does, with a noise of our own
        action = torch.tanh(raw)
        log_prob = normal.log_prob(raw)
        log_prob -= torch.log(self.scale * (1 - action.pow(2)) + 1e-6)
        return action * self.scale, log_prob.sum(1, keepdim=True)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(STATES + ACTIONS, 16)
        self.second = nn.Linear(16, 1)

    def forward(self, state, action):
        return self.second(F.silu(self.first(torch.cat([state, action], 1))))


def make_model():
    return nn.ModuleDict({"actor": Actor(), "q1": Critic(), "q2": Critic()})


def wave(step, *shape):
    rng = np.random.default_rng(step)
    return torch.from_numpy(rng.standard_normal(shape))


def main(model):
    actor, q1, q2 = model["actor"], model["q1"], model["q2"]
    targets = [copy.deepcopy(q).requires_grad_(False) for q in (q1, q2)]
    q_optimizer = optim.Adam([*q1.parameters(), *q2.parameters()], lr=1e-2)
    actor_optimizer = optim.Adam(actor.parameters(), lr=1e-2)
    target_entropy = -float(np.prod((ACTIONS,)))
    log_alpha = torch.zeros(1, requires_grad=True)
    alpha_optimizer = optim.Adam([log_alpha], lr=3e-2)
    losses = []
    for step in range(8):
        state, after, action = (
            wave(step, 12, STATES),
            wave(step + 50, 12, STATES),
            wave(step, 12, 2),
        )
        reward, done = wave(step + 90, 12, 1), torch.as_tensor(np.arange(12) % 5 == 4).view(-1, 1)
        alpha = log_alpha.exp().item()
        with torch.no_grad():
            coming, log_prob = actor(after, wave(step + 7, 12, ACTIONS))
            value = torch.min(*[q(after, coming) for q in targets]) - alpha * log_prob
            goal = reward + GAMMA * (~done).float() * value
        q_loss = F.mse_loss(q1(state, action), goal) + F.mse_loss(q2(state, action), goal)
        q_optimizer.zero_grad()
        q_loss.backward()
        q_optimizer.step()

        chosen, log_prob = actor(state, wave(step + 8, 12, ACTIONS))
        actor_loss = (alpha * log_prob - torch.min(q1(state, chosen), q2(state, chosen))).mean()
        actor_optimizer.zero_grad()
        actor_loss.backward()
        actor_optimizer.step()

        alpha_loss = -(log_alpha.exp() * (log_prob.detach() + target_entropy)).mean()
        alpha_optimizer.zero_grad()
        alpha_loss.backward()
        alpha_optimizer.step()
        with torch.no_grad():
            for q, target in zip((q1, q2), targets, strict=True):
                for p, slow in zip(q.parameters(), target.parameters(), strict=True):
                    slow.data.copy_(TAU * p.data + (1 - TAU) * slow.data)
        losses += [q_loss.item(), actor_loss.item(), alpha_loss.item(), alpha]
    return losses
