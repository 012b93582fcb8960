"""The work that mini and torch are timed on, W1 to W7: one source for both.

Each function takes a framework, `torch` or `mini`, and returns a function that does the work once.
Weights come from the framework's own initialisation, which makes no difference to the time.
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType


def mlp(f: ModuleType) -> Callable[[], None]:
    """W1: 784-256-128-10, ReLU, cross-entropy, batch 128: one step of training."""
    nn = f.nn
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    return classifier_step(f, model, f.randn(128, 784))


def lenet(f: ModuleType) -> Callable[[], None]:
    """W2: two convolutions 5 x 5 with max pooling, three linear layers, batch 64 of 28 x 28."""
    nn = f.nn
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )
    return classifier_step(f, model, f.randn(64, 1, 28, 28))


def cnn(f: ModuleType) -> Callable[[], None]:
    """W3: three times convolution, batch norm, ReLU, max pooling; batch 64 of 32 x 32."""
    nn, layers = f.nn, []
    for c_in, c_out in ((3, 32), (32, 64), (64, 64)):
        layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(1024, 10))
    return classifier_step(f, model, f.randn(64, 3, 32, 32))


def lstm(f: ModuleType) -> Callable[[], None]:
    """W4: an LSTM over 32 steps, batch 32, 64 in, 128 hidden, its last output to 10 classes."""

    class Classifier(f.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = f.nn.LSTM(64, 128, batch_first=True)
            self.head = f.nn.Linear(128, 10)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.head(out[:, -1])

    return classifier_step(f, Classifier(), f.randn(32, 32, 64))


def block(f: ModuleType) -> Callable[[], None]:
    """W5: a pre-norm Transformer block, causal: batch 8, 64 tokens, width 128, 4 heads."""
    B, T, D, heads = 8, 64, 128, 4
    nn, F = f.nn, f.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(D), nn.LayerNorm(D)
            self.qkv, self.out = nn.Linear(D, 3 * D), nn.Linear(D, D)
            gelu = nn.GELU(approximate="tanh")
            self.mlp = nn.Sequential(nn.Linear(D, 4 * D), gelu, nn.Linear(4 * D, D))

        def forward(self, x):
            q, k, v = self.qkv(self.norm1(x)).split(D, dim=2)  # each (B, T, D)
            split = (B, T, heads, D // heads)
            q, k, v = (t.view(split).transpose(1, 2) for t in (q, k, v))  # (B, nh, T, hs)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(B, T, D))
            return x + self.mlp(self.norm2(x))

    model, x, target = Block(), f.randn(B, T, D), f.randn(B, T, D)
    return training_step(f, model, lambda: F.mse_loss(model(x), target))


def tiny(f: ModuleType) -> Callable[[], None]:
    """W6: 10 000 multiplications and additions of single numbers, forward and backward."""
    a, b = f.tensor(1.0001, requires_grad=True), f.tensor(1e-4, requires_grad=True)

    def step():
        x = f.tensor(1.0)
        for _ in range(5000):
            x = x * a
            x = x + b
        x.backward()

    return step


def chain(f: ModuleType) -> Callable[[], None]:
    """W7: 50 000 additions in a row, then backward."""
    a = f.tensor(1.0, requires_grad=True)

    def step():
        x = a
        for _ in range(50_000):
            x = x + 1.0
        x.backward()

    return step


def product(f: ModuleType, m: int, k: int, n: int) -> Callable[[], None]:
    """The bare product of (m, k) and (k, n): for mini of arrays, by NumPy's library."""
    a, b = f.randn(m, k), f.randn(k, n)
    if f.__name__ != "torch":
        a, b = a.numpy(), b.numpy()
    return lambda: a @ b


def classifier_step(f, model, inputs):
    labels = f.randint(0, 10, (len(inputs),))
    return training_step(f, model, lambda: f.nn.functional.cross_entropy(model(inputs), labels))


def training_step(f, model, loss_fn):
    """Forward, backward and a step of SGD."""
    optimizer = f.optim.SGD(model.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad()
        loss_fn().backward()
        optimizer.step()

    return step


# name: (what it is, the function, how often in a row it is done for one figure)
WORKLOADS = {
    "W1": ("MLP", mlp, 20),
    "W2": ("LeNet", lenet, 10),
    "W3": ("CNN with batch norm", cnn, 1),
    "W4": ("LSTM", lstm, 5),
    "W5": ("Transformer block", block, 5),
    "W6": ("10 000 tiny operations", tiny, 1),
    "W7": ("chain of 50 000", chain, 1),
}

# The same for one product of matrices out of each: what the libraries alone make of it.
PRODUCTS = {
    "W1": ("128 × 784 by 784 × 256", partial(product, m=128, k=784, n=256), 100),
    "W4": ("32 × 128 by 128 × 512", partial(product, m=32, k=128, n=512), 1000),
    "W5": ("512 × 128 by 128 × 512", partial(product, m=512, k=128, n=512), 100),
}
