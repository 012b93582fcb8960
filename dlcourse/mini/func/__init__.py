"""Functions made of functions, under the names of torch.func: derivatives, maps over a batch."""

from dlcourse.mini.func.batch import vmap
from dlcourse.mini.func.derivatives import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    vjp,
)
from dlcourse.mini.func.state import functional_call, stack_module_state

__all__ = [
    "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "stack_module_state", "vjp", "vmap",
]  # fmt: skip
