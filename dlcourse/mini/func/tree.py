"""Trees of dicts, lists and tuples (named ones, too): whatever else they hold is a leaf."""


def _branches(tree):
    """What is right below the root of `tree`; None for a leaf."""
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if isinstance(tree, list | tuple) else None


def leaves(tree):
    """The leaves from left to right."""
    branches = _branches(tree)
    return [tree] if branches is None else [leaf for b in branches for leaf in leaves(b)]


def like(tree, values):
    """A tree of the same structure with these leaves."""
    return _rebuilt(tree, iter(values))


def _rebuilt(tree, values):
    branches = _branches(tree)
    if branches is None:
        return next(values)
    branches = [_rebuilt(b, values) for b in branches]
    if isinstance(tree, dict):
        out = tree.copy()  # an OrderedDict or a defaultdict stays one
        out.update(zip(tree, branches, strict=True))
        return out
    return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)


def mapped(function, tree):
    """The tree with function(leaf) in the place of every leaf."""
    return like(tree, map(function, leaves(tree)))


def spread(prefix, tree):
    """For every leaf of `tree` the leaf of `prefix` that stands there or above; else None.

    `prefix` may end where `tree` goes on: 0 stands for a whole dict.
    """
    mine, theirs = _branches(prefix), _branches(tree)
    if mine is None:
        return [prefix] * len(leaves(tree))
    if theirs is None or type(prefix) is not type(tree) or len(mine) != len(theirs):
        return None
    if isinstance(tree, dict):
        # NB: in torch vmap's in_dims of a dict count in their own order, whatever their keys are.
        if prefix.keys() != tree.keys():
            return None
        mine = [prefix[key] for key in tree]
    parts = [spread(m, t) for m, t in zip(mine, theirs, strict=True)]
    return None if None in parts else [leaf for part in parts for leaf in part]


def same_structure(a, b):
    """Whether both have leaves, and no others, at the same places."""
    return spread(a, b) is not None and spread(b, a) is not None


class _Star:
    def __repr__(self):
        return "*"


def shown(tree):
    """The structure, with a star for each leaf."""
    return repr(mapped(lambda leaf: _Star(), tree))
