"""Containers, the registers of Module and its hooks: one program under mini and torch."""

import copy
import re
from collections import OrderedDict

from dlcourse import mini
from dlcourse.mini import nn

import pytest
import torch
from both import agree, same_error


def shown(module):
    return re.sub(r"\b(torch|mini)\.", "", repr(module))


def sequential(f):
    nn = f.nn
    m = nn.Sequential(nn.ReLU(), nn.Tanh())
    seen = [shown(m.insert(1, nn.GELU())), shown(m.append(nn.ELU())), shown(m.extend([nn.SELU()]))]
    seen += [shown(m.insert(-1, nn.CELU())), shown(m.pop(0)), shown(m)]
    del m[1]
    seen.append(shown(m))
    del m[1:3]
    m += nn.Sequential(nn.Sigmoid())
    seen += [
        shown(m),
        shown(m + m),
        shown(m * 1),
        shown(m * 2),
        shown(2 * m),
        list((m * 2).state_dict()),
    ]
    m *= 2
    seen += [shown(m), m[0] in m, len(m)]
    named = nn.Sequential(OrderedDict(a=nn.Linear(2, 2), b=nn.ReLU()))
    return [*seen, shown(named[:1]), list(named.state_dict()), shown(named.a)]


def module_list(f):
    nn = f.nn
    m = nn.ModuleList([nn.ReLU()])
    m.insert(0, nn.Linear(2, 3))
    m += [nn.Tanh()]
    seen = [shown(m), shown(m.pop(-1)), shown(m[:1]), m[0] in m]
    seen.append(shown(m + [nn.GELU()]))  # noqa: RUF005
    m[1] = nn.Sigmoid()
    del m[0]
    return [*seen, shown(m), len(m), [n for n, _ in m.named_modules()]]


def module_dict(f):
    nn = f.nn
    m = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.ReLU()})
    m["c"] = nn.Tanh()
    m.update([("a", nn.Linear(3, 1)), ("d", nn.Sequential(nn.ReLU()))])
    seen = [shown(m), list(m), list(m.keys()), [shown(v) for v in m.values()], "a" in m, len(m)]
    seen += [[k for k, _ in m.items()], list(m.state_dict()), shown(m.pop("b")), shown(m["a"])]
    del m["c"]
    seen.append(shown(m))
    m.clear()
    return [*seen, shown(m), len(m)]


def parameter_list(f):
    m = f.nn.ParameterList([f.ones(2), f.nn.Parameter(f.zeros(2, 3), requires_grad=False), 7])
    m.append(f.ones(1))
    m[0] = f.zeros(4)
    m += [f.ones(2)]
    return [
        shown(m), [n for n, _ in m.named_parameters()], list(m.state_dict()), len(m), m[-1],
        [p.requires_grad for p in m.parameters()], shown(m[1:3]), m[2],
        sum(p.sum() for p in m if not isinstance(p, int)),
    ]  # fmt: skip


def parameter_dict(f):
    m = f.nn.ParameterDict({"a": f.ones(2), "b": f.nn.Parameter(f.zeros(3))})
    m["c"] = f.ones(1)
    other = m | {"d": f.ones(5)}
    seen = [shown(m), shown(other), list(m), [k for k, _ in m.items()], m.get("x"), m["a"]]
    seen += [m.setdefault("e", f.ones(2)), m.popitem()[0], shown(m.copy()), list(m.state_dict())]
    m.update({"a": f.zeros(4)})
    del m["b"]
    return [*seen, shown(m), shown(m.fromkeys("xy", f.ones(1))), len(m), "c" in m]


def registers(f):
    m = f.nn.Sequential(f.nn.Linear(2, 3), f.nn.Sequential(f.nn.BatchNorm1d(3)))
    m.scratch = f.nn.Buffer(f.ones(2), persistent=False)
    m.kept = f.nn.Buffer(f.zeros(1))
    seen = [list(m.state_dict()), [n for n, _ in m.named_buffers()], m.scratch]
    m.scratch = f.zeros(3)
    seen += [m.get_buffer("scratch").clone(), m.get_parameter("0.bias").shape == (3,)]
    seen += [m.get_buffer("1.0.running_mean").clone(), list(m._modules), list(m._buffers)]
    seen += [list(m[0]._parameters), m._get_name(), m.type(f.float64).kept]
    m.set_submodule("1.0", f.nn.ReLU())
    m.set_submodule("1.extra", f.nn.Tanh())
    return [*seen, shown(m), list(copy.deepcopy(m).state_dict())]


def forward_hooks(f):
    m, seen = f.nn.Linear(2, 2).double(), []
    f.nn.init.ones_(m.weight)
    f.nn.init.zeros_(m.bias)
    x = f.ones(1, 2, dtype=f.float64, requires_grad=True)
    m.register_forward_hook(lambda m, a, o: seen.append("a"))
    m.register_forward_hook(lambda m, a, o: seen.append("b"), prepend=True)
    m.register_forward_pre_hook(lambda m, a: seen.append("c"))
    handle = m.register_forward_pre_hook(lambda m, a: (a[0] * 2,), prepend=True)
    m.register_full_backward_hook(lambda m, i, o: seen.append(["d", i, o]))
    m.register_full_backward_hook(lambda m, i, o: seen.append("e"), prepend=True)
    m.register_full_backward_pre_hook(lambda m, o: (o[0] * 3,))
    m.register_full_backward_pre_hook(lambda m, o: seen.append(["f", o]), prepend=True)
    m(x).sum().backward()
    handle.remove()
    return [*seen, m(x), x.grad, m.weight.grad]


def hooks_of_what_fails(f):
    m, seen = f.nn.Linear(2, 2), []
    m.register_forward_hook(lambda m, a, o: seen.append("not called"))
    m.register_forward_hook(lambda m, a, o: seen.append(["called", o]), always_call=True)
    with pytest.raises(RuntimeError):
        m(f.ones(3))
    return seen


def state_hooks(f):
    m, seen = f.nn.Sequential(f.nn.Linear(1, 1)), []
    m.register_state_dict_pre_hook(lambda m, prefix, keep: seen.append(["pre", prefix, keep]))
    m[0].register_state_dict_post_hook(
        lambda m, state, prefix, meta: state.update({prefix + "more": 1})
    )
    state = m.state_dict(prefix="p.")
    seen.append(list(state))
    m.register_load_state_dict_pre_hook(lambda m, state, *rest: state.update({"0.bias": f.ones(1)}))
    m.register_load_state_dict_post_hook(lambda m, keys: seen.append(list(keys.missing_keys)))
    m.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    given = {}
    keys = m.load_state_dict(given, strict=False)
    return [*seen, given, m[0].bias, list(keys.missing_keys)]


def assigned(f):
    m = f.nn.BatchNorm1d(2)
    m.bias.requires_grad_(False)
    state = {k: v.double() + 1 for k, v in m.state_dict().items()}
    m.load_state_dict(state, assign=True)
    return m.weight, m.bias.requires_grad, m.running_mean, type(m.weight).__name__


def a_module_that_passes_questions_on(f):
    class Wrapped(f.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def __getattr__(self, name):
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("inner"), name)

    m = Wrapped(f.nn.Linear(2, 3))
    with pytest.raises(AttributeError) as said:
        getattr(m, "depth")  # noqa: B009
    twin, own = copy.deepcopy(m), (m.out_features, m.weight is m.inner.weight, list(m.state_dict()))
    return *own, str(said.value), twin.in_features


PROGRAMS = [
    sequential, module_list, module_dict, parameter_list, parameter_dict, registers,
    forward_hooks, hooks_of_what_fails, state_hooks, assigned, a_module_that_passes_questions_on,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program):
    agree(program)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda f: f.nn.Sequential().insert(2, f.nn.ReLU()),
        lambda f: f.nn.Sequential() * 0,
        lambda f: f.nn.Sequential() * 1.5,
        lambda f: f.nn.ModuleList().pop(0),
        lambda f: f.nn.ModuleDict()["a"],
        lambda f: f.nn.ParameterList([f.ones(1)])[3],
        lambda f: f.nn.ParameterList()(),
        lambda f: f.nn.Linear(1, 1).get_parameter("bias2"),
        lambda f: f.nn.Linear(1, 1).get_parameter("in_features"),
        lambda f: f.nn.Linear(1, 1).get_buffer("weight"),
        lambda f: f.nn.Linear(1, 1).register_buffer("weight", f.ones(1)),
        lambda f: f.nn.BatchNorm1d(1).register_parameter("running_mean", None),
        lambda f: f.nn.BatchNorm1d(1).add_module("bias", f.nn.ReLU()),
        lambda f: f.nn.Sequential().set_submodule("", f.nn.ReLU()),
        lambda f: f.nn.Sequential().set_submodule("a", f.nn.ReLU(), strict=True),
    ],
)
def test_errors(wrong):
    same_error(wrong, same_sentence=False)


def test_the_registers_cannot_be_written_behind_the_back():
    with pytest.raises(TypeError):
        nn.Linear(1, 1)._parameters["x"] = mini.ones(1)


def test_a_buffer_prints_as_a_tensor():
    assert repr(nn.Buffer(mini.ones(2))) == repr(torch.nn.Buffer(torch.ones(2)))
