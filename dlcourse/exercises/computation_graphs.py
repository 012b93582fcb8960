"""Exercises of the chapter computation_graphs. The form: dlcourse/exercises/__init__.py."""

import math
from typing import NamedTuple

from dlcourse.exercises import Hint, close, exercise, expect, expect_close


class Node(NamedTuple):
    """A node of the chapter's graphs."""

    name: str
    op: str
    args: tuple


# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="replayed",
    solution=2.25,
    reasoning=(
        "At 5 the loop halves three times: 5, 2.5, 1.25, 0.625. The recording halves three times "
        "whatever it is given: $12 / 8 = 1.5$, squared $2.25$."
    ),
    shown="The recording repeats the turns of the run at 5, not the condition of the loop.",
)
def check_replayed(answer):
    if close(answer, 0.5625):
        raise Hint("0.5625 is `f(12)`. Does a recording ask `abs(x) > 1` again?")
    if close(answer, 0.390625):
        raise Hint("0.390625 is `f(5)`. The input is no constant: 12 goes through the operations.")
    if close(answer, 144.0):
        raise Hint("The halvings are on the tape, too. How many does the run at 5 make?")
    if close(answer, 9.0):
        raise Hint("At 5 two halvings leave 1.25, which is still greater than 1.")
    expect(
        close(answer, 2.25),
        "Not yet. Write down the operations that `f(5)` executes, then put 12 through them.",
    )


check_replayed.wrong("ask `abs(x) > 1` again", 0.5625)
check_replayed.wrong("is no constant", 0.390625)
check_replayed.wrong("on the tape, too", 144.0)
check_replayed.wrong("still greater than 1", 9.0)
check_replayed.wrong("then put 12 through them", 1.5)


# -- by hand -----------------------------------------------------------------------------------


def count_paths(parents, source, target):
    """The number of paths from `source` to `target`: linear in the edges."""
    paths = {}
    for node, its_parents in parents.items():
        through = sum(paths[p] for p in its_parents)
        paths[node] = 1 if node == source else through
    return paths[target]


class _Parents(dict):
    """A graph that stops a walk which looks at it far too often."""

    looks = 0

    def __getitem__(self, key):
        self.looks += 1
        if self.looks > 50 * len(self):
            raise Hint(
                "Your walk asks for parents more than fifty times as often as there are nodes. "
                "Does it follow every path? Count the paths to each node once, in order."
            )
        return super().__getitem__(key)


@exercise(
    solution=count_paths,
    reasoning=r"""Column $j$ of $N = (I - A)^{-1}$ by forward substitution: $n_j = 1$, and for every
other node $n_i = \sum_p A_{ip}\, n_p$, in topological order. Nodes in front of the source get 0 by
themselves, for they have no path from it.""",
    shown="A number of paths with 60 digits, from a few hundred additions.",
)
def check_count_paths(count_paths):
    graph = {"a": [], "b": [], "u": ["a", "b"], "s": ["a", "b"], "w": ["u", "s"], "L": ["w", "u"]}
    got = count_paths(_Parents(graph), "a", "L")
    if close(got, 6):
        raise Hint("6 counts the paths from both inputs. Only those that begin at `source` count.")
    if close(got, 2):
        raise Hint("2 is the number of L's edges. How many paths lead to each parent of L?")
    expect_close(got, 3, "the number of paths from a to L")
    square = {"x": [], "y": ["x", "x"], "z": ["y", "y"]}
    got = count_paths(_Parents(square), "x", "z")
    if close(got, 1):
        raise Hint("`x * x` has two edges from x: a parent that occurs twice counts twice.")
    expect_close(got, 4, "the number of paths through two squarings")
    got = count_paths(_Parents(graph), "s", "s")
    expect(close(got, 1), "From a node to itself there is one path, the one of length zero.")
    got = count_paths(_Parents(graph), "w", "s")
    expect(close(got, 0), "No path leads from w to s: edges go one way.")
    ladder = {0: [], **{i: [i - 1, i - 1] for i in range(1, 201)}}
    try:
        got = count_paths(_Parents(ladder), 0, 200)
    except RecursionError:
        raise Hint("Two hundred nodes in a row overflow the stack: go through the dict.") from None
    expect(got == 2**200, "Two hundred squarings have 2**200 paths; yours gives another number.")
    fibonacci, (before, last) = {0: [], 1: [0]}, (1, 1)
    for i in range(2, 121):
        fibonacci[i], before, last = [i - 1, i - 2], last, before + last
    got = count_paths(_Parents(fibonacci), 0, 120)
    expect(
        got == last,
        f"Where node i has the parents i - 1 and i - 2, {last} paths lead to node 120; yours gives "
        "another number. Floats hold sixteen digits: count in whole numbers of Python.",
    )


@check_count_paths.wrong("follow every path")
def walks_all_paths(parents, source, target):
    if source == target:
        return 1
    return sum(walks_all_paths(parents, source, p) for p in parents[target])


@check_count_paths.wrong("begin at `source`")
def counts_from_all_inputs(parents, source, target):
    paths = {}
    for node, its_parents in parents.items():
        paths[node] = sum(paths[p] for p in its_parents) if its_parents else 1
    return paths[target]


@check_count_paths.wrong("counts twice")
def forgets_double_edges(parents, source, target):
    paths = {}
    for node, its_parents in parents.items():
        paths[node] = 1 if node == source else sum(paths[p] for p in set(its_parents))
    return paths[target]


@check_count_paths.wrong("Floats hold sixteen digits")
def counts_in_floats(parents, source, target):
    paths = {}
    for node, its_parents in parents.items():
        paths[node] = 1.0 if node == source else sum((paths[p] for p in its_parents), 0.0)
    return paths[target]


@check_count_paths.wrong("number of L's edges")
def counts_the_last_edges(parents, source, target):
    return len(parents[target])


@check_count_paths.wrong("of length zero")
def forgets_the_empty_path(parents, source, target):
    return 0 if source == target else count_paths(parents, source, target)


# -- change the code ---------------------------------------------------------------------------


def peak_values(nodes, outputs):
    """The most values held at once, each freed after its last use."""
    last_use = {}
    for i, node in enumerate(nodes):
        last_use[node.name] = i  # at least while it is made
        for a in node.args:
            if a in last_use:
                last_use[a] = i
    last_use |= dict.fromkeys(outputs, len(nodes))
    held, peak = set(), 0
    for i, node in enumerate(nodes):
        held.add(node.name)
        peak = max(peak, len(held))
        held = {name for name in held if last_use[name] > i}
    return peak


def _nodes(*lines):
    return [Node(name, op, args) for name, op, *args in lines for args in [tuple(args)]]


_CHAIN = _nodes(("x", "input"), *((f"v{i}", "sin", f"v{i - 1}" if i else "x") for i in range(6)))
_FORK = _nodes(
    ("x", "input"),
    ("a", "sin", "x"),
    ("b", "cos", "x"),
    ("c", "mul", "a", 2.0),
    ("d", "mul", "b", "c"),
    ("e", "add", "d", "a"),
)


@exercise(
    solution=peak_values,
    reasoning="""The last use of a value is the position of the last node that has it among its
arguments; for an output it lies behind the end, and for what nobody uses it is its own making. A
dynamic graph cannot know any of this. To find the *order* with the smallest peak is hard in
general (it is a pebble game), so compilers use heuristics.""",
    shown="A chain of any length runs in the memory of two values, once the last uses are known.",
)
def check_peak_values(peak_values):
    got = peak_values(list(_CHAIN), ["v5"])
    if close(got, 7):
        raise Hint("7 is the number of all values. Free an argument that nobody uses later.")
    if close(got, 1):
        raise Hint("While a node runs, its argument *and* its result are held: 2 in a chain.")
    expect_close(got, 2, "the peak of a chain of six sines")
    try:
        got = peak_values(list(_FORK), ["e"])
    except KeyError:
        got = None
    if close(got, 3):
        raise Hint("A value is freed after its *last* use, not after its first: `a` is used twice.")
    expect_close(got, 4, "the peak where `a` is used early and late")
    got = peak_values(list(_CHAIN), ["v5", "v0", "v1"])
    if close(got, 2):
        raise Hint("An output is never freed, even if its last use is early in the list.")
    expect_close(got, 4, "the peak of the chain with three outputs")
    dead = _nodes(*((f"d{i}", "sin", "x") for i in range(4)))
    got = peak_values([_CHAIN[0], *dead, *_CHAIN[1:]], ["v5"])
    if not close(got, 2):
        raise Hint("What nobody uses and is no output is freed as soon as it has been made.")
    three = _nodes(("x", "input"), ("y", "input"), ("z", "input"))
    got = peak_values([*three, *_nodes(("a", "add", "x", "y"), ("b", "mul", "a", "z"))], ["b"])
    if close(got, 2) or close(got, 3):
        raise Hint("Inputs are values, too: while x + y runs, x, y, z and the sum are held.")
    expect_close(got, 4, "the peak of (x + y) * z")
    scaled = _nodes(("x", "input"), ("a", "mul", "x", 2.0), ("b", "mul", "a", 3.0))
    got = peak_values(scaled, ["b"])
    expect(
        close(got, 2),
        f"For (x * 2) * 3 your peak is {got}. The numbers 2 and 3 stand in the program and take no "
        "place: 2 values are held.",
    )
    late = _nodes(("x", "input"), ("a", "sin", "x"), ("b", "add", "x", "a"), ("y", "input"))
    got = peak_values([*late, *_nodes(("v", "add", "b", "y"))], ["v"])
    expect(
        close(got, 3),
        f"Where the input `y` comes after `b = x + sin(x)`, your peak is {got}; 3 is right. An "
        "input is there from its turn on, not from the beginning.",
    )
    unused = _nodes(("x", "input"), ("y", "input"), ("u", "mul", "x", "y"), ("v", "sin", "x"))
    got = peak_values(unused, ["v"])
    expect(
        close(got, 3),
        f"Where x * y is computed and never used, your peak is {got}; 3 is right. Its result, too, "
        "is held while it is made.",
    )


@check_peak_values.wrong("number of all values")
def frees_nothing(nodes, outputs):
    return len(nodes)


@check_peak_values.wrong("its argument *and* its result")
def frees_before_it_runs(nodes, outputs):
    return peak_values(nodes, outputs) - 1


@check_peak_values.wrong("after its *last* use")
def frees_after_the_first_use(nodes, outputs):
    held, peak = set(), 0
    for node in nodes:
        held.add(node.name)
        peak = max(peak, len(held))
        held -= set(node.args) - set(outputs)
    return peak


@check_peak_values.wrong("An output is never freed")
def frees_outputs(nodes, outputs):
    return peak_values(nodes, outputs[:1])


@check_peak_values.wrong("Inputs are values, too")
def forgets_inputs(nodes, outputs):
    return peak_values([node for node in nodes if node.op != "input"], outputs)


@check_peak_values.wrong("take no place")
def counts_numbers(nodes, outputs):
    return max(peak_values(nodes, outputs), *(1 + len(node.args) for node in nodes))


@check_peak_values.wrong("from its turn on")
def takes_all_inputs_first(nodes, outputs):
    return peak_values(sorted(nodes, key=lambda node: node.op != "input"), outputs)


@check_peak_values.wrong("is held while it is made")
def never_makes_what_is_unused(nodes, outputs):
    used = {a for node in nodes for a in node.args} | set(outputs)
    last_use = {a: i for i, node in enumerate(nodes) for a in node.args}
    last_use |= dict.fromkeys(outputs, len(nodes))
    held, peak = set(), 0
    for i, node in enumerate(nodes):
        held |= {node.name} & used
        peak = max(peak, len(held))
        held = {name for name in held if last_use[name] > i}
    return peak


@check_peak_values.wrong("as soon as it has been made")
def keeps_dead_values(nodes, outputs):
    used = {a for node in nodes for a in node.args}
    return peak_values(nodes, [*outputs, *(n.name for n in nodes if n.name not in used)])


# -- build a transformation --------------------------------------------------------------------


def tangents(nodes):
    """The nodes and, behind each, those of its tangent d_<name>."""
    new = []
    for name, op, args in nodes:
        new.append(Node(name, op, args))
        d = [f"d_{a}" if isinstance(a, str) else 0.0 for a in args]
        if op == "add":
            new.append(Node(f"d_{name}", "add", tuple(d)))
        elif op == "mul":  # da * b + a * db
            new.append(Node(f"l_{name}", "mul", (d[0], args[1])))
            new.append(Node(f"r_{name}", "mul", (args[0], d[1])))
            new.append(Node(f"d_{name}", "add", (f"l_{name}", f"r_{name}")))
        elif op == "sin":
            new.append(Node(f"s_{name}", "cos", args))
            new.append(Node(f"d_{name}", "mul", (f"s_{name}", d[0])))
        elif op == "cos":
            new.append(Node(f"n_{name}", "sin", args))
            new.append(Node(f"s_{name}", "mul", (f"n_{name}", -1.0)))
            new.append(Node(f"d_{name}", "mul", (f"s_{name}", d[0])))
    return new


_COMPUTE = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "sin": math.sin,
    "cos": math.cos,
}


def _play(nodes, values):
    """Run the nodes, with a hint for what cannot be run."""
    values = dict(values)
    for name, op, args in nodes:
        if op == "input":
            continue
        expect(
            name not in values, f"Two nodes of yours are called `{name}`: each needs a new name."
        )
        expect(op in _COMPUTE, f"There is no operation `{op}`: use add, mul, sin and cos.")
        for a in args:
            if isinstance(a, str) and a not in values:
                raise Hint(
                    f"`{name}` uses `{a}`, which no node in front of it makes. A number has no "
                    "tangent: its d is 0."
                    if not a.removeprefix("d_").isidentifier()
                    else f"`{name}` uses `{a}`, which no node in front of it makes."
                )
        values[name] = _COMPUTE[op](*(values[a] if isinstance(a, str) else a for a in args))
    return values


@exercise(
    solution=tangents,
    reasoning=r"""$\dot v_i = \sum_p \frac{\partial \varphi_i}{\partial v_p}\, \dot v_p$ is forward
substitution in $(I - D)\,\dot v = e_j$, written as nodes. What it needs stands in front of it, so
one pass in order is enough, and nothing has to be kept for later: that is forward mode's
advantage.""",
    shown="A program that computes value and derivative, made before any number existed.",
)
def check_tangents(tangents):
    at, inputs = (
        {"x": 0.7, "y": -1.3, "d_x": 1.0, "d_y": 0.0},
        _nodes(("x", "input"), ("y", "input")),
    )
    sum_of = [*inputs, *_nodes(("v", "add", "x", "y"))]
    expect(hasattr(tangents(list(sum_of)), "__iter__"), "Return a new list of nodes.")

    def run(nodes, **others):
        ran = _play(tangents([*inputs, *nodes]), at | others)
        op = nodes[-1].op
        expect("d_v" in ran, f"Of `v`, made by {op}, no tangent `d_v` is among your nodes.")
        expect("v" in ran, "Keep the nodes of the function itself: `v` is gone.")
        return ran

    ran = run(_nodes(("v", "add", "x", "y")))
    expect_close(ran["d_v"], 1.0, "d(x + y)/dx")
    shifted = run(_nodes(("v", "add", "x", 3.0)))
    if close(shifted["d_v"], 4.0):
        raise Hint("d(x + 3)/dx is 1: the tangent of a number is 0, not the number.")
    expect_close(shifted["d_v"], 1.0, "d(x + 3)/dx")
    product = run(_nodes(("v", "mul", "x", "y")), d_y=1.0)
    if close(product["d_v"], 1.0):
        raise Hint("You multiply the tangents. d(x * y) = d_x * y + x * d_y.")
    if close(product["d_v"], 0.7) or close(product["d_v"], -1.3):
        raise Hint("d(x * y) is a sum of two products, and yours has lost one of them.")
    expect_close(product["d_v"], -0.6, "d(x * y) at (0.7, -1.3) in the direction (1, 1)")
    scaled = run(_nodes(("v", "mul", 3.0, "x")))
    expect_close(scaled["d_v"], 3.0, "d(3 * x)/dx")
    chain = _nodes(("a", "mul", "x", "x"), ("v", "sin", "a"))
    ran = run(chain)
    if close(ran["d_v"], math.cos(0.49)):
        raise Hint("d sin(a) = cos(a) * d_a: the inner tangent is missing.")
    expect_close(ran["d_v"], math.cos(0.49) * 1.4, "d sin(x * x)/dx at 0.7")
    ran = run(_nodes(("a", "mul", "x", "x"), ("v", "cos", "a")))
    if close(ran["d_v"], math.sin(0.49) * 1.4):
        raise Hint("The derivative of the cosine is *minus* the sine.")
    if close(ran["d_v"], -math.sin(0.49)):
        raise Hint("d cos(a) = -sin(a) * d_a: the tangent of the argument is missing.")
    expect_close(ran["d_v"], -math.sin(0.49) * 1.4, "d cos(x * x)/dx at 0.7")


def _tangents_with(**rules):
    """The solution with other nodes for some operations: {op: f(node, d) -> nodes}."""

    def tangents_of(nodes):
        new = []
        for node in nodes:
            d = [f"d_{a}" if isinstance(a, str) else 0.0 for a in node.args]
            if node.op in rules:
                new += [node, *rules[node.op](node, d)]
            else:
                new += tangents([node])
        return new

    return tangents_of


def _named(node, op, *args):
    return [Node(f"d_{node.name}", op, args)]


check_tangents.wrong(
    "lost one of them", _tangents_with(mul=lambda n, d: _named(n, "mul", n.args[0], d[1]))
)
check_tangents.wrong(
    "You multiply the tangents", _tangents_with(mul=lambda n, d: _named(n, "mul", *d))
)
check_tangents.wrong(
    "inner tangent is missing", _tangents_with(sin=lambda n, d: _named(n, "cos", *n.args))
)
check_tangents.wrong(
    "*minus* the sine",
    _tangents_with(
        cos=lambda n, d: [
            Node(f"s_{n.name}", "sin", n.args),
            *_named(n, "mul", f"s_{n.name}", d[0]),
        ]
    ),
)
check_tangents.wrong(
    "tangent of the argument is missing",
    _tangents_with(
        cos=lambda n, d: [
            Node(f"s_{n.name}", "sin", n.args),
            *_named(n, "mul", f"s_{n.name}", -1.0),
        ]
    ),
)
check_tangents.wrong(
    "not the number",
    _tangents_with(
        add=lambda n, d: _named(n, "add", *(f"d_{a}" if isinstance(a, str) else a for a in n.args))
    ),
)
check_tangents.wrong(
    "made by mul", _tangents_with(mul=lambda n, d: [Node("slope", "mul", (n.args[0], d[1]))])
)


@check_tangents.wrong("`v` is gone")
def drops_the_function(nodes):
    return [node for node in tangents(nodes) if node.name != "v"]


@check_tangents.wrong("a new name")
def reuses_a_name(nodes):
    return [
        Node(n.name.replace("l_", "h_").replace("r_", "h_"), n.op, n.args) for n in tangents(nodes)
    ]


@check_tangents.wrong("A number has no tangent")
def gives_numbers_tangents(nodes):
    return [
        n._replace(args=tuple("d_3.0" if a == 0.0 else a for a in n.args)) for n in tangents(nodes)
    ]


# -- build new ---------------------------------------------------------------------------------


def guarded(record, guard):
    """A function that records once for each value of guard(x)."""
    recordings = {}

    def function(x):
        key = guard(x)
        if key not in recordings:
            recordings[key] = record(x)
        return recordings[key](x)

    return function


@exercise(
    solution=guarded,
    reasoning="""The guard states what a recording has assumed; two inputs with the same answer may
share it. `torch.compile` keeps such a cache for each function, with types, shapes and flags as
guards, and gives up after eight entries. A guard that says too little gives wrong answers, one that
says too much makes the cache useless.""",
    shown="As many recordings as there are cases, and never a wrong one: guards and recompilation.",
)
def check_guarded(guarded):
    first = guarded(lambda x: lambda x: x + 1.0, lambda x: "always")
    other = guarded(lambda x: lambda x: x + 2.0, lambda x: "always")
    expect(callable(first), "Return a function of `x`.")
    if close(first(5.0), 6.0) and close(other(5.0), 6.0):
        raise Hint(
            "Two guarded functions share their recordings: the second plays those of the first. "
            "Make the dict inside `guarded`."
        )
    made = []

    def record(x):
        made.append(x)
        k = 0
        while abs(x) > 2**k:
            k += 1
        return lambda x: (x / 2**k) ** 2

    def guard(x):
        return 0 if abs(x) <= 1 else math.ceil(math.log2(abs(x)))

    function = guarded(record, guard)
    if made:
        raise Hint("A recording was made before any `x` was there: record when you are called.")
    inputs = (3.0, 3.5, 0.5, 13.0, 3.25, -9.0, 1.0)
    for x in inputs:
        got = function(x)
        expect(not callable(got), "Play the recording: return `recording(x)`, not the recording.")
        if close(got, (x / 4) ** 2) and guard(x) != 2:
            raise Hint(
                f"At x = {x} you play the recording that was made at 3. Ask `guard(x)` in each "
                "call."
            )
        if close(got, (made[0] / 4) ** 2) and x != made[0]:
            raise Hint("You keep *results*. Keep the recordings, and give each the new x.")
        expect_close(got, (x / 2 ** guard(x)) ** 2, f"the value at {x}")
    if len(made) == len(inputs):
        raise Hint("You record in every call. Keep each recording under the value of its guard.")
    expect(len(made) == 3, f"Three cases, but {len(made)} recordings: one for each guard's value.")


@check_guarded.wrong("Ask `guard(x)` in each call")
def records_once(record, guard):
    recordings = []

    def function(x):
        if not recordings:
            recordings.append(record(x))
        return recordings[0](x)

    return function


@check_guarded.wrong("record in every call")
def records_always(record, guard):
    return lambda x: record(x)(x)


@check_guarded.wrong("You keep *results*")
def keeps_results(record, guard):
    results = {}

    def function(x):
        key = guard(x)
        if key not in results:
            results[key] = record(x)(x)
        return results[key]

    return function


@check_guarded.wrong("return `recording(x)`")
def returns_the_recording(record, guard):
    return lambda x: record(x)


@check_guarded.wrong("share their recordings")
def keeps_them_in_a_default(record, guard, recordings={}):  # noqa: B006
    def function(x):
        key = guard(x)
        if key not in recordings:
            recordings[key] = record(x)
        return recordings[key](x)

    return function


@check_guarded.wrong("one for each guard's value")
def keeps_only_the_last(record, guard):
    last = {}

    def function(x):
        if guard(x) not in last:
            last.clear()
            last[guard(x)] = record(x)
        return last[guard(x)](x)

    return function


# -- read a paper ------------------------------------------------------------------------------


def longest_chain(s, r):
    """The longest chain that s places and r runs of each step can reverse."""
    if r == 0:
        return 1  # the beginning is held, so one step can be reversed
    if s == 1:
        return r + 1  # all from the beginning, again and again
    return longest_chain(s - 1, r) + longest_chain(s, r - 1)


@exercise(
    solution=longest_chain,
    reasoning=r"""Cut the chain at its first checkpoint. What lies behind it is reversed with one
place less and all $r$ runs; what lies before it gets all places back, but its steps have been run
once. So $\ell(s, r) = \ell(s - 1, r) + \ell(s, r - 1)$: Pascal's rule. With $\ell(s, 0) = 1$ and
$\ell(1, r) = r + 1$ the solution is $\binom{s + r}{s}$.""",
    shown="Pascal's triangle: memory and time enter alike, and the length grows with both.",
)
def check_longest_chain(longest_chain):
    try:
        without, got = longest_chain(5, 0), longest_chain(1, 4)
    except RecursionError:
        raise Hint(
            "Your recursion does not end. Say first what it comes down to: the chain that no run "
            "at all can reverse, and the one of a single place."
        ) from None
    expect_close(without, 1, "the chain that can be reversed without any run")
    if close(got, 4):
        raise Hint("With one place and 4 runs of the first step, 5 steps can be reversed: count.")
    expect_close(got, 5, "the longest chain with one place and four runs")
    got = longest_chain(2, 1)
    if close(got, 2) or close(got, 4):
        raise Hint(
            "Two places, one run: hold the beginning and one value behind it, then go back. Which "
            "steps are reversed from the one, which from the other?"
        )
    expect_close(got, 3, "the longest chain with two places and one run")
    got = longest_chain(3, 3)
    if close(got, 16) or close(got, 9):
        raise Hint("That treats all segments alike. A freed place serves again, in a shorter part.")
    if close(got, 27) or close(got, 64):
        raise Hint("The parts are *added*: one behind the checkpoint, one before it.")
    expect_close(got, 20, "the longest chain with three places and three runs")
    expect_close(longest_chain(4, 6), 210, "the longest chain with four places and six runs")


@check_longest_chain.wrong("5 steps can be reversed")
def forgets_the_held_beginning(s, r):
    return max(1, math.comb(s + r, s) - 1)


@check_longest_chain.wrong("Your recursion does not end")
def never_ends(s, r):
    if r == 0:
        return 1
    return never_ends(s - 1, r) + never_ends(s, r - 1)


@check_longest_chain.wrong("then go back")
def both_parts_lose(s, r):
    if r == 0 or s == 1:
        return r + 1
    return both_parts_lose(s - 1, r - 1) + both_parts_lose(s, r - 1)


@check_longest_chain.wrong("all segments alike")
def equal_segments(s, r):
    if r == 0 or s == 1 or r == 1:
        return 1 if r == 0 else s + r
    return (s + 1) * (r + 1)


@check_longest_chain.wrong("The parts are *added*")
def multiplies(s, r):
    if s == 1 or r <= 1:
        return math.comb(s + r, s)
    return (s + 1) ** r
