"""What programs ask about devices, libraries and orders of memory that mini has not, as torch's."""

import copy
import io
import pickle
import subprocess
import sys
import warnings

from dlcourse import mini
from dlcourse.mini._absent import ABSENT

import numpy as np
import pytest
import torch
from both import agree, same_error

pytestmark = pytest.mark.skipif(
    torch.accelerator.is_available(), reason="compares with a torch that has the CPU alone"
)
METHODS = """
    bfloat16 is_cpu is_meta is_mps is_pinned is_quantized is_sparse is_xpu pin_memory
"""  # which have no rows


def image(f, *shape):
    return f.arange(float(np.prod(shape or (2, 3, 4, 5)))).reshape(shape or (2, 3, 4, 5))


def switched(f):
    f.backends.cuda.matmul.allow_tf32 = f.backends.cudnn.allow_tf32 = True
    f.backends.cudnn.benchmark, f.backends.cudnn.deterministic = True, False
    with f.backends.cudnn.flags(enabled=False):
        out = f.ones(2).sum().item()
    f.backends.cuda.enable_flash_sdp(True)
    return out, f.backends.cuda.matmul.allow_tf32, f.backends.cudnn.benchmark


def on_a_device(f):
    with f.device("cpu") as device:
        return device.type, f.ones(2)


QUESTIONS = {
    "accelerator": lambda f: (
        f.accelerator.is_available(), f.accelerator.device_count(),
        f.accelerator.current_accelerator(), f.accelerator.current_accelerator(True),
    ),
    "cuda": lambda f: (
        f.cuda.is_available(), f.cuda.is_initialized(), f.cuda.is_bf16_supported(),
        f.cuda.device_count(), f.cuda.memory_allocated(), f.cuda.max_memory_allocated(0),
        f.cuda.memory_reserved(), f.cuda.max_memory_reserved(), f.cuda.get_rng_state_all(),
        f.cuda.set_rng_state_all([]), f.cuda.empty_cache(), f.cuda.manual_seed(0),
    ),
    "types": lambda f: isinstance(f.ones(1), (f.cuda.FloatTensor, f.cuda.LongTensor)),
    "mps": lambda f: (
        f.mps.is_available(), f.mps.device_count(), f.mps.manual_seed(0),
        f.backends.mps.is_available(), f.backends.mps.is_built(),
    ),
    "xpu": lambda f: (
        f.xpu.is_available(), f.xpu.device_count(), f.xpu.manual_seed(0),
        f.xpu.manual_seed_all(0), f.xpu.empty_cache(),
    ),
    "backends": lambda f: (
        f.backends.cuda.is_built(), f.backends.cudnn.is_available(), f.backends.cudnn.version(),
        f.backends.cudnn.enabled, f.backends.opt_einsum.is_available(), switched(f),
    ),
    "tensor": lambda f: [
        getattr(f.ones(2), f"is_{name}")
        for name in ["cpu", "cuda", "meta", "mps", "quantized", "sparse", "xpu"]
    ],
    "is_pinned": lambda f: f.ones(2).is_pinned(),
    "device": on_a_device,
    "distributed": lambda f: f.distributed.is_initialized(),
    "version": lambda f: (
        f.version.cuda, f.version.hip, f.__version__.split("+")[0], f.version.__version__[:4],
    ),
    "newaxis": lambda f: f.ones(3)[:, f.newaxis].shape,
    "is_autocast_enabled": lambda f: (f.is_autocast_enabled(), f.is_autocast_enabled("cpu")),
    "dtype": lambda f: (
        f.bfloat16 == f.bfloat16, f.bfloat16 == f.float16, f.bfloat16.is_floating_point,
        f.bfloat16.itemsize, {"bfloat16": f.bfloat16}["bfloat16"] is f.bfloat16,
        copy.deepcopy(f.bfloat16) is f.bfloat16, pickle.loads(pickle.dumps(f.int32)) is f.int32,
        pickle.loads(pickle.dumps(f.bfloat16)) is f.bfloat16, str(f.bfloat16).split(".")[1],
    ),
    "a copied order": lambda f: [
        (copy.deepcopy(order) is order, pickle.loads(pickle.dumps(order)) is order)
        for order in [f.preserve_format, f.contiguous_format, f.channels_last, f.channels_last_3d]
    ],
    "DataParallel": lambda f: [
        (list(m.state_dict()), m.device_ids, m(f.ones(1, 2)).shape, m.module.in_features,
         repr(m), isinstance(m, f.nn.parallel.DistributedDataParallel))
        for m in [f.nn.DataParallel(f.nn.Linear(2, 3), device_ids=[0, 1])]
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_as_torch(name):
    agree(QUESTIONS[name])


NEEDS_A_CARD = """
    current_device current_stream get_device_capability get_device_name get_rng_state init
    mem_get_info synchronize
"""
REFUSED = {
    **{f"cuda.{n}": lambda f, n=n: getattr(f.cuda, n)() for n in NEEDS_A_CARD.split()},
    "get_device_properties": lambda f: f.cuda.get_device_properties(0),
    "cuda.FloatTensor": lambda f: f.cuda.FloatTensor(2),
    "a model": lambda f: f.nn.Linear(1, 1).cuda(),
    "accelerator.synchronize": lambda f: f.accelerator.synchronize(),
    "accelerator.memory_allocated": lambda f: f.accelerator.memory_allocated(),
    "mps.empty_cache": lambda f: f.mps.empty_cache(),
    "mps.synchronize": lambda f: f.mps.synchronize(),
    "xpu.synchronize": lambda f: f.xpu.synchronize(),
    "pin_memory": lambda f: f.ones(2).pin_memory(),
    "matmul.other": lambda f: setattr(f.backends.cuda.matmul, "other", True),
    "get_rank": lambda f: f.distributed.get_rank(),
    "barrier": lambda f: f.distributed.barrier(),
    "DistributedDataParallel": lambda f: f.nn.parallel.DistributedDataParallel(f.nn.Identity()),
    "channels_last of a matrix": lambda f: f.ones(2, 3).to(memory_format=f.channels_last),
    "channels_last_3d of images": lambda f: image(f).contiguous(memory_format=f.channels_last_3d),
    "clone": lambda f: f.ones(2).clone(memory_format=f.channels_last),
    "zeros_like": lambda f: f.zeros_like(f.ones(2), memory_format=f.channels_last),
    "a module": lambda f: f.nn.Conv3d(1, 1, 2).to(memory_format=f.channels_last),
    "default type": lambda f: quietly(f.set_default_tensor_type, f.LongTensor),
}


def quietly(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_in_torch(name):
    same_error(REFUSED[name], same_sentence=name not in ("matmul.other", "default type"))


@pytest.mark.parametrize("name", mini.cuda.NEEDS_A_CARD.split())
def test_what_needs_a_card_says_so(name):
    with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
        getattr(mini.cuda, name)(0)


@pytest.mark.parametrize("name", mini.cuda.TYPES.split())
def test_no_tensor_is_of_a_cards_types(name):
    same_error(lambda f: getattr(f.cuda, name)(2))
    agree(lambda f: isinstance(f.ones(1), getattr(f.cuda, name)))


@pytest.mark.parametrize("name", mini.accelerator.NEEDS_ONE.split())
def test_what_needs_an_accelerator_says_so(name):
    with pytest.raises(RuntimeError, match="Cannot access accelerator device when none"):
        getattr(mini.accelerator, name)(0)


def test_libraries_that_mini_does_without():
    for name in ("mkl", "mkldnn", "openmp", "opt_einsum"):
        assert getattr(mini.backends, name).is_available() is False
    for name in ("enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp"):
        agree(lambda f, name=name: getattr(f.backends.cuda, name)(True))


def test_one_process_alone():
    assert not mini.distributed.is_available()
    with pytest.raises(RuntimeError, match="mini computes in one process"):
        mini.distributed.init_process_group("gloo")
    for name in mini.distributed.NEEDS_A_GROUP.split():
        with pytest.raises(ValueError, match="Default process group has not been initialized"):
            getattr(mini.distributed, name)(mini.ones(1))


def test_modules_are_imported_under_their_names():
    names = "backends.cudnn backends.cuda nn.parallel utils.data.distributed"
    code = "; ".join(f"import dlcourse.mini.{name} as x" for name in names.split())
    subprocess.run([sys.executable, "-c", code], check=True)


# -- bfloat16 --------------------------------------------------------------------------------------

NO_BFLOAT16 = {
    "zeros": lambda f: f.zeros(2, dtype=f.bfloat16),
    "tensor": lambda f: f.tensor([1.0], dtype=f.bfloat16),
    "to": lambda f: f.ones(2).to(f.bfloat16),
    "bfloat16": lambda f: f.ones(2).bfloat16(),
    "a model": lambda f: f.nn.Linear(2, 1).bfloat16(),
    "a layer": lambda f: f.nn.Linear(2, 1, dtype=f.bfloat16),
    "softmax": lambda f: f.softmax(f.ones(2), 0, dtype=f.bfloat16),
    "default": lambda f: f.set_default_dtype(f.bfloat16),
    "finfo": lambda f: f.finfo(f.bfloat16),
    "promote_types": lambda f: f.promote_types(f.bfloat16, f.float32),
}


@pytest.mark.parametrize("name", NO_BFLOAT16)
def test_no_tensor_is_bfloat16(name):
    with pytest.raises(TypeError, match="NumPy, which has no bfloat16: use"):
        NO_BFLOAT16[name](mini)
    assert mini.get_default_dtype() is mini.float32


def test_bfloat16_in_files():
    kept, theirs = io.BytesIO(), io.BytesIO()
    mini.save({"dtype": mini.bfloat16}, kept)
    kept.seek(0)
    assert mini.load(kept)["dtype"] is mini.bfloat16
    torch.save({"weight": torch.ones(2, dtype=torch.bfloat16)}, theirs)
    theirs.seek(0)
    with pytest.raises(RuntimeError, match="mini has no bfloat16"):
        mini.load(theirs)


# -- orders of memory ------------------------------------------------------------------------------


def contiguous_in(f, x):
    formats = f.contiguous_format, f.channels_last, f.channels_last_3d
    return [x.is_contiguous(memory_format=fmt) for fmt in formats]


FORMATS = {
    "to": lambda f, x: x.to(memory_format=f.channels_last),
    "to, another dtype": lambda f, x: x.to(f.float64, memory_format=f.channels_last),
    "to and back": lambda f, x: x.to(memory_format=f.channels_last).contiguous(),
    "contiguous": lambda f, x: x.contiguous(memory_format=f.channels_last),
    "clone": lambda f, x: x.clone(memory_format=f.channels_last),
    "preserve_format": lambda f, x: x.to("cpu", memory_format=f.preserve_format),
    "zeros_like": lambda f, x: f.zeros_like(x, memory_format=f.channels_last),
    "ones_like": lambda f, x: f.ones_like(x, memory_format=f.channels_last),
    "full_like": lambda f, x: f.full_like(x, 3.0, memory_format=f.channels_last),
    "empty_like": lambda f, x: f.empty_like(x, memory_format=f.channels_last) * 0,
    "channels_last_3d": lambda f, x: x[None].to(memory_format=f.channels_last_3d),
    "a layer": lambda f, x: (
        f.nn.Conv2d(3, 2, 2).to(memory_format=f.channels_last).weight.detach() * 0
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_memory_formats(name):
    def program(f):
        out = FORMATS[name](f, image(f))
        return out, out.stride(), contiguous_in(f, out)

    agree(program)


def test_a_memory_format_changes_no_number():
    def program(f):
        x = image(f).requires_grad_()
        y = x.to(memory_format=f.channels_last)
        y.square().sum().backward()
        same = x.to(memory_format=f.contiguous_format) is x
        return y, x.grad, y.to(memory_format=f.channels_last) is y, same, f.channels_last == "x"

    agree(program)
    assert repr(mini.channels_last) == "mini.channels_last"
    assert isinstance(mini.channels_last, mini.memory_format)


def test_there_is_no_compiler():
    """torch imports a good part of its own for these questions."""
    assert mini.compiler.disable(len) is mini.compiler.disable(recursive=False)(len) is len
    assert (mini.compiler.is_compiling(), mini.compiler.reset()) == (False, None)
    assert mini.compiler.compile(len) is len
    assert mini.nn.Linear(1, 1).compile(mode="max-autotune") is None


# -- the rest --------------------------------------------------------------------------------------


def test_default_tensor_type():
    try:
        for lib in (mini, torch):
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                lib.set_default_tensor_type("torch.DoubleTensor")
            assert lib.ones(2).dtype is lib.float64
            assert lib is torch or "is deprecated as of PyTorch 2.1" in str(seen[0].message)
            quietly(lib.set_default_tensor_type, lib.FloatTensor)
            assert lib.ones(2).dtype is lib.float32
    finally:
        for lib in (mini, torch):
            lib.set_default_dtype(lib.float32)


@pytest.mark.parametrize("name", ["fft", "sparse_coo_tensor", "complex64", "onnx", "hub"])
def test_what_is_not_there_says_what_is(name):
    assert not hasattr(mini, name)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}': {ABSENT[name][:20]}"):
        getattr(mini, name)


def test_nothing_is_called_absent_that_is_there():
    assert [name for name in ABSENT if hasattr(mini, name)] == []
    assert [name for name in ABSENT if not hasattr(torch, name)] == []
