"""Two seconds: one tensor, one gradient, one training step.  Runs first; no torch."""

from dlcourse import mini


def test_tensor():
    x = mini.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.shape == (2, 2)
    assert (x @ x).tolist() == [[7, 10], [15, 22]]


def test_gradient():
    x = mini.tensor(3.0, requires_grad=True)
    (x**2 + 2 * x).backward()
    assert x.grad.item() == 8  # 2x + 2


def test_training_step():
    # By hand: w = 0, loss = mean((w * x - y)^2), dL/dw = mean(2 * x * (w * x - y)) = -10.
    layer = mini.nn.Linear(1, 1, bias=False)
    mini.nn.init.zeros_(layer.weight)
    optimizer = mini.optim.SGD(layer.parameters(), lr=0.1)
    x, y = mini.tensor([[1.0], [2.0]]), mini.tensor([[2.0], [4.0]])
    loss = mini.nn.functional.mse_loss(layer(x), y)
    assert loss.item() == 10
    loss.backward()
    optimizer.step()
    assert abs(layer.weight.item() - 1) < 1e-6
    assert mini.nn.functional.mse_loss(layer(x), y).item() < loss.item()
