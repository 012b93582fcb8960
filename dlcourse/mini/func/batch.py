"""vmap: a function of one example becomes a function of a batch of them."""

from contextlib import contextmanager
from functools import partial, wraps

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import here
from dlcourse.mini.func.tree import leaves, like, same_structure, shown, spread
from dlcourse.mini.ops.compare import equal
from dlcourse.mini.ops.shape import stack, unbind

__all__ = ["vmap"]

# -- what func must not do -------------------------------------------------------------------------

CALLED = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
    "'different' randomness flags on vmap or perform the randomness operation out of vmap"
)
WROTE = (
    "vmap: func wrote in place to a tensor that all examples share; mini would do so once for each "
    "example: write out of place"
)


class Level:
    """One vmap: it is told of every draw from a generator, and of every write in place."""

    def __init__(self, randomness, batches=()):
        self.randomness, self.states = randomness, {}
        self.example, self.written = 0, {}
        self.batches = {id(batch._writes) for batch in batches}  # these are written part by part

    def draw(self, generator):
        if self.randomness == "error":
            raise RuntimeError(CALLED)
        if self.randomness == "same" and generator not in self.states:
            self.states[generator] = generator.get_state()

    def write(self, tensor):
        # NB: in torch func may write to a tensor that all examples share, if it writes the same for
        # each of them.
        if tensor._writes is None:  # in inference mode
            return
        key = id(tensor._writes)
        example, _ = self.written.setdefault(key, (self.example, tensor._writes))
        if example != self.example and key not in self.batches:
            raise RuntimeError(WROTE)

    def next_example(self):
        self.example += 1
        for generator, state in self.states.items():
            generator.set_state(state)


def check_randomness(randomness):
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )


@contextmanager
def entered(level):
    """Within it the level is told of what happens."""
    around = here.mode.levels
    here.mode.levels = (*around, level)
    try:
        yield
    finally:
        here.mode.levels = around


# -- the map ---------------------------------------------------------------------------------------


def vmap(func, in_dims=0, out_dims=0, randomness="error", chunk_size=None):
    """The function that applies `func` to every example of a batch and stacks what it returns.

    `in_dims` says along which dim of each argument the examples lie, None that all of them get
    the argument as it is: one number for all, or a tuple of numbers or trees of numbers.
    `out_dims` says the same of the outputs.  A random function in `func` is an "error", draws
    "different" numbers for every example, or the "same".
    """
    # NB: in torch vmap calls func once for all examples (or chunk_size of them), and func may not
    # ask its tensors for numbers; mini calls it once for each example, and there it may.
    check_randomness(randomness)
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @wraps(func)
    def mapped(*args, **kwargs):
        name = _name(func)
        _check_out_dims(name, out_dims)
        dims = _dims_of(name, in_dims, args)
        batches = [a for d, a in zip(dims, leaves(args), strict=True) if d is not None]
        size = _size_of(dims, batches)
        level = Level(randomness, batches)
        outputs = []
        with entered(level):
            for example in _examples(dims, leaves(args), size):
                level.next_example()
                outputs.append(func(*like(args, example), **kwargs))
        return _stacked(name, out_dims, outputs, size)

    return mapped


def _name(func):
    if isinstance(func, partial) and not hasattr(func, "__name__"):
        return f"functools.partial({_name(func.func)}, ...)"
    return getattr(func, "__name__", None) or repr(func)


def _check_out_dims(name, out_dims):
    if not all(dim is None or isinstance(dim, int) for dim in leaves(out_dims)):
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python "
            "collection of ints representing where in the outputs the vmapped dimension should "
            "appear."
        )


def _dims_of(name, in_dims, args):
    """The dim of each leaf of `args`, from 0 on, or None."""
    where = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, int | tuple):
        raise ValueError(
            f"{where}: expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to vmap over a function with no inputs. The latter is unsupported."
        )
    dims = spread(in_dims, args)
    if dims is None:
        raise ValueError(
            f"{where}: in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {shown(in_dims)} but inputs has structure {shown(args)}."
        )
    for dim, arg in zip(dims, leaves(args), strict=True):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{where}: Got in_dim={dim} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not isinstance(arg, Tensor):
            raise ValueError(
                f"{where}: Got in_dim={dim} for an input but the input is of type {type(arg)}. We "
                "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -arg.ndim <= dim < arg.ndim:
            raise ValueError(
                f"{where}: Got in_dim={dim} for some input, but that input is a Tensor of "
                f"dimensionality {arg.ndim} so expected in_dim to satisfy -{arg.ndim} <= in_dim < "
                f"{arg.ndim}."
            )
    return dims


def _size_of(dims, batches):
    if not batches:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    dims = [dim for dim in dims if dim is not None]
    sizes = [batch.shape[dim] for dim, batch in zip(dims, batches, strict=True)]
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0]


def _examples(dims, args, size):
    """The arguments for each example; if there is none for one of zeros: what would come back?"""
    pairs = list(zip(dims, args, strict=True))
    if size == 0:
        return [[a if d is None else a.new_zeros(_without(d, a.shape)) for d, a in pairs]]
    return zip(*[[a] * size if d is None else unbind(a, d) for d, a in pairs], strict=True)


def _without(dim, shape):
    return tuple(size for d, size in enumerate(shape) if d != dim % len(shape))


def _stacked(name, out_dims, outputs, size):
    """The outputs of the examples as one."""
    first = outputs[0]
    if isinstance(out_dims, tuple) and len(out_dims) == 1 and isinstance(first, Tensor):
        (out_dims,) = out_dims
    dims = spread(out_dims, first)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with "
            f"the structure of `outputs`. out_dims has structure {shown(out_dims)} but outputs has "
            f"structure {shown(first)}."
        )
    if not all(same_structure(first, other) for other in outputs):
        raise ValueError(f"vmap({name}, ...): `{name}` must return the same structure every time")
    parts = zip(*[leaves(out) for out in outputs], strict=True)
    return like(first, [_joined(name, d, p, size) for d, p in zip(dims, parts, strict=True)])


def _joined(name, dim, parts, size):
    first = parts[0]
    if dim is None:
        # NB: in torch what depends on the examples is refused, even if it is the same for all.
        if isinstance(first, Tensor) and not all(equal(first, part) for part in parts):
            raise ValueError(
                f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
            )
        return first
    for part in parts:
        if not isinstance(part, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(part)}. Did "
                "you mean to set out_dims= to None for output?"
            )
    out = stack(parts, dim)
    return out if size else out.narrow(dim, 0, 0)
