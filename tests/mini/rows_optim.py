"""(optimizer, options) beside Adam and SGD: every option, alone and with others."""

from itertools import product


def grid(**choices):
    """Every combination of the choices, as dicts."""
    return [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]


COMMON = grid(lr=[0.05], weight_decay=[0, 0.1], maximize=[False, True])
DECOUPLED = grid(lr=[0.05], weight_decay=[0, 0.1], decoupled_weight_decay=[False, True])
OPTIONS = {
    "Adamax": [*COMMON, {"betas": (0.5, 0.9), "eps": 0.1}],
    "NAdam": [
        *COMMON, *DECOUPLED, {"betas": (0.5, 0.9), "eps": 0.1}, {"momentum_decay": 0.5},
    ],
    "RAdam": [
        *COMMON, *DECOUPLED, {"betas": (0.5, 0.9), "eps": 0.1}, {"betas": (0.9, 0.5)},
    ],
    "Adagrad": [*COMMON, {"lr_decay": 0.3, "initial_accumulator_value": 0.5, "eps": 0.1}],
    "Adadelta": [*COMMON, {"rho": 0.5, "eps": 0.1}],
    "RMSprop": [
        *COMMON, {"alpha": 0.5, "eps": 0.1},
        *grid(lr=[0.01], momentum=[0, 0.9], centered=[False, True], weight_decay=[0, 0.1]),
    ],
    "Rprop": [
        {"lr": 0.3, "maximize": True}, {"etas": (0.3, 1.5), "step_sizes": (0.02, 0.2)},
        {"lr": 0.3},
    ],
    "ASGD": [*COMMON, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 2}],
    "Adafactor": [
        *COMMON, {"beta2_decay": -0.3, "eps": (0.1, 0.5), "d": 2.0}, {"lr": 1.0},
    ],
}  # fmt: skip
ROWS = [(name, options) for name, rows in OPTIONS.items() for options in [{}, *rows]]
