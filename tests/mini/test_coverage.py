"""Every public name of mini has a test: a name bound without one fails here."""

import re
from pathlib import Path

from dlcourse import mini
from dlcourse.mini import ops

import optable
import pytest
import test_functional
import test_modules
import test_optim
import test_state
import test_views

THIS = Path(__file__).name
ROWS = {case.name for case in optable.ROWS}
TYPES = """
    bernoulli multinomial rand_like randn_like randint_like normal poisson seed initial_seed
    get_rng_state set_rng_state device cuda backends special finfo iinfo pi e inf nan promote_types
    result_type can_cast is_floating_point is_complex is_signed is_nonzero is_same_size numel
    empty_like bfloat16
"""
DEVICES = """
    accelerator channels_last channels_last_3d compiler contiguous_format distributed
    is_autocast_enabled memory_format mps preserve_format
    set_default_tensor_type version xpu
"""
SETTINGS = """
    amp autocast set_printoptions are_deterministic_algorithms_enabled get_default_device
    get_float32_matmul_precision get_num_threads set_default_device set_float32_matmul_precision
    set_num_threads use_deterministic_algorithms
"""
# Names that other tests are about.
ELSEWHERE = {
    "linalg": "test_linalg", "inverse": "test_linalg", "pinverse": "test_linalg",
    "det": "test_linalg", "logdet": "test_linalg", "slogdet": "test_linalg", "svd": "test_linalg",
    "qr": "test_linalg", "cholesky": "test_linalg", "cholesky_solve": "test_linalg",
    "cholesky_inverse": "test_linalg",
    "manual_seed": "test_state", "rand": "test_state", "randn": "test_state", "empty": "test_state",
    "randint": "test_state", "randperm": "test_state", "Generator": "test_state",
    **dict.fromkeys(TYPES.split(), "test_types"),
    **dict.fromkeys(DEVICES.split(), "test_devices"),
    "default_generator": "test_random", "Size": "test_serialization", "allclose": "test_state",
    "dtype": "test_state", "equal": "test_state", "get_default_dtype": "test_state",
    "is_tensor": "test_state", "set_default_dtype": "test_state", "Tensor": "test_engine",
    "enable_grad": "test_hooks", "inference_mode": "test_hooks", "is_grad_enabled": "test_hooks",
    "is_inference_mode_enabled": "test_hooks", "no_grad": "test_hooks",
    "set_grad_enabled": "test_hooks", "autograd": "test_gradcheck", "nn": "test_modules",
    "is_anomaly_enabled": "test_autograd_tools", "random": "test_random", "func": "test_func",
    "vmap": "test_func",
    "jit": "test_older_names", "compile": "test_older_names", "typename": "test_older_names",
    **dict.fromkeys(mini.FUNCTIONAL.split() + mini.IN_PLACE.split(), "test_older_names"),
    **dict.fromkeys(SETTINGS.split(), "test_older_names"),
    "load": "test_serialization",
    "save": "test_serialization",
    "optim": "test_optim",
    "broadcast_shapes": "test_views", "as_strided": "test_views",
    "utils": "test_data",
    "distributions": "test_distributions",
}  # fmt: skip


def test_every_operation_has_a_row():
    named_in_tables = {**ops.FUNCTIONS, **ops.FREE, **ops.OPERATORS}
    assert sorted(named_in_tables.keys() - ROWS - ELSEWHERE.keys()) == []


def test_every_in_place_twin_has_rows_of_its_base():
    with_methods = {case.name for case in optable.ROWS if "method" in case.forms}
    assert sorted(set(ops.IN_PLACE) - with_methods) == []
    assert set(ops.IN_PLACE_OPERATORS.values()) <= set(ops.IN_PLACE)


def test_every_other_method_is_asked_about():
    methods = {**ops.METHODS, **ops.SPECIAL, **ops.PROPERTIES}
    assert sorted(methods.keys() - ROWS - test_state.covered() - test_views.covered()) == []


def test_every_public_name_of_mini_is_known():
    assert sorted(set(mini.__all__) - ROWS - ELSEWHERE.keys() - mini._dtype.DTYPES.keys()) == []


def test_a_name_without_a_row_would_be_seen(monkeypatch):
    """These tests can fail."""
    for module, name, check in (
        (ops.FUNCTIONS, "cbrt", test_every_operation_has_a_row),
        (ops.METHODS, "cbrt", test_every_other_method_is_asked_about),
    ):
        monkeypatch.setitem(module, name, None)
        with pytest.raises(AssertionError, match="cbrt"):
            check()
    for module, check in (
        (mini.nn.functional, test_functional.test_every_function_has_a_row),
        (mini.nn, test_modules.test_every_module_has_a_row),
        (mini.optim, test_optim.test_every_optimizer_has_a_row),
    ):
        monkeypatch.setattr(module, "Extra", mini.nn.ReLU, raising=False)
        monkeypatch.setattr(module, "__all__", [*module.__all__, "Extra"])
        with pytest.raises(AssertionError):
            check()


def test_every_helper_is_called_somewhere():
    """The names outside the tables: autograd, nn.utils, nn.init, data, testing."""
    from dlcourse import testing

    sources = [p.read_text() for p in Path(__file__).parent.glob("test_*.py") if p.name != THIS]
    modules = mini.autograd, mini.func, mini.nn.utils, mini.nn.init, mini.utils.data, testing
    modules += mini.nn.utils.prune, mini.nn.utils.parametrizations
    modules += mini.distributions, mini.distributions.constraints, mini.utils.checkpoint
    for module in modules:
        own = [n for n, v in vars(module).items() if getattr(v, "__module__", 0) == module.__name__]
        public = getattr(module, "__all__", [n for n in own if not n.startswith("_")])
        assert public
        unused = [n for n in public if not any(re.search(rf"\b{n}\b", s) for s in sources)]
        assert unused == [], module.__name__
