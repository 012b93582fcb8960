"""Deep Q-learning: a replay memory, a target network followed softly, the Huber loss."""

import copy
import random
from collections import deque, namedtuple

import torch
from torch import nn, optim

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward"))


class ReplayMemory:
    def __init__(self, capacity):
        self.memory = deque(maxlen=capacity)

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, batch_size, rng):
        return rng.sample(self.memory, batch_size)


class DuelingDQN(nn.Module):
    def __init__(self, n_observations=4, n_actions=3):
        super().__init__()
        self.layer1 = nn.Linear(n_observations, 16)
        self.advantage, self.value = nn.Linear(16, n_actions), nn.Linear(16, 1)

    def forward(self, x):
        h = torch.relu(self.layer1(x))
        advantage = self.advantage(h)
        return self.value(h) + advantage - advantage.mean(dim=-1, keepdim=True)


def make_model():
    return DuelingDQN()


def select_action(policy_net, state, explore, device):
    if explore is not None:
        return torch.tensor([[explore]], device=device, dtype=torch.long)
    with torch.no_grad():
        return policy_net(state).max(1).indices.view(1, 1)


def optimize_model(policy_net, target_net, optimizer, transitions, device, gamma=0.99):
    batch = Transition(*zip(*transitions, strict=True))
    non_final_mask = torch.tensor(
        tuple(s is not None for s in batch.next_state), device=device, dtype=torch.bool
    )
    non_final_next_states = torch.cat([s for s in batch.next_state if s is not None])
    state_batch, action_batch = torch.cat(batch.state), torch.cat(batch.action)
    reward_batch = torch.cat(batch.reward)
    state_action_values = policy_net(state_batch).gather(1, action_batch)
    next_state_values = torch.zeros(len(transitions), device=device)
    with torch.no_grad():
        next_state_values[non_final_mask] = target_net(non_final_next_states).max(1).values
    expected = (next_state_values * gamma) + reward_batch
    loss = nn.SmoothL1Loss()(state_action_values, expected.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    for param in policy_net.parameters():
        param.grad.data.clamp_(-1, 1)
    optimizer.step()
    return loss.item()


def main(model):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rng = random.Random(0)
    policy_net = model.to(device)
    target_net = copy.deepcopy(policy_net)
    target_net.eval()
    optimizer = optim.AdamW(policy_net.parameters(), lr=1e-2, amsgrad=True)
    memory, losses = ReplayMemory(100), []
    for step in range(30):
        state = torch.cos(torch.arange(4, device=device) * (step + 0.3)).unsqueeze(0)
        action = select_action(policy_net, state, step % 3 if step % 2 else None, device)
        reward = torch.tensor([float(action.item() == step % 3)], device=device)
        memory.push(state, action, None if step % 5 == 4 else state.sin(), reward)
        if len(memory.memory) < 8:
            continue
        transitions = memory.sample(8, rng)
        losses.append(optimize_model(policy_net, target_net, optimizer, transitions, device))
        target_dict, policy_dict = target_net.state_dict(), policy_net.state_dict()
        for key in policy_dict:
            target_dict[key] = policy_dict[key] * 0.1 + target_dict[key] * 0.9
        target_net.load_state_dict(target_dict)
    return losses + target_net(state).flatten().tolist()
