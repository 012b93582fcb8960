"""A VQ-VAE: the nearest code word forward, the gradient straight through."""

import torch
import torch.nn.functional as F
from torch import nn


class VectorQuantizer(nn.Module):
    def __init__(self, num_embeddings, embedding_dim, commitment_cost=0.25):
        super().__init__()
        self._num_embeddings, self._embedding_dim = num_embeddings, embedding_dim
        self._embedding = nn.Embedding(num_embeddings, embedding_dim)
        self._embedding.weight.data.uniform_(-1 / num_embeddings, 1 / num_embeddings)
        self._commitment_cost = commitment_cost

    def forward(self, inputs):
        inputs = inputs.permute(0, 2, 3, 1).contiguous()
        flat_input = inputs.view(-1, self._embedding_dim)
        distances = (
            torch.sum(flat_input**2, dim=1, keepdim=True)
            + torch.sum(self._embedding.weight**2, dim=1)
            - 2 * torch.matmul(flat_input, self._embedding.weight.t())
        )
        encoding_indices = torch.argmin(distances, dim=1).unsqueeze(1)
        encodings = torch.zeros(
            encoding_indices.shape[0], self._num_embeddings, device=inputs.device
        )
        encodings.scatter_(1, encoding_indices, 1)
        quantized = torch.matmul(encodings, self._embedding.weight).view(inputs.shape)
        e_latent_loss = F.mse_loss(quantized.detach(), inputs)
        q_latent_loss = F.mse_loss(quantized, inputs.detach())
        loss = q_latent_loss + self._commitment_cost * e_latent_loss
        quantized = inputs + (quantized - inputs).detach()
        avg_probs = torch.mean(encodings, dim=0)
        perplexity = torch.exp(-torch.sum(avg_probs * torch.log(avg_probs + 1e-10)))
        return loss, quantized.permute(0, 3, 1, 2).contiguous(), perplexity, encodings


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self._block = nn.Sequential(
            nn.ReLU(True),
            nn.Conv2d(channels, 3, kernel_size=3, stride=1, padding=1, bias=False),
            nn.ReLU(True),
            nn.Conv2d(3, channels, kernel_size=1, stride=1, bias=False),
        )

    def forward(self, x):
        return x.clone() + self._block(x.clone())


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self._encoder = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=4, stride=2, padding=1), nn.ReLU(), Residual(4)
        )
        self._pre_vq_conv = nn.Conv2d(4, 3, kernel_size=1)
        self._vq_vae = VectorQuantizer(5, 3)
        self._decoder = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)
        )

    def forward(self, x):
        loss, quantized, perplexity, _ = self._vq_vae(self._pre_vq_conv(self._encoder(x)))
        return loss, self._decoder(quantized), perplexity


def make_model():
    return Model()


def main(model):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, amsgrad=False)
    x = torch.cos(torch.arange(128) * 0.37).view(2, 1, 8, 8)
    data_variance = torch.var(x)
    out = []
    model.train()
    for _ in range(8):
        optimizer.zero_grad()
        vq_loss, data_recon, perplexity = model(x)
        recon_error = F.mse_loss(data_recon, x) / data_variance
        (recon_error + vq_loss).backward()
        optimizer.step()
        out += [recon_error.item(), vq_loss.item(), perplexity.item()]
    return out
