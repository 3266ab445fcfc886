"""Seeded changes of what APIs say of themselves: parameters, deprecations, whereabouts."""

from __future__ import annotations

from conformance.gate.change import Category
from tests.upgrade.seeded.behaviour import GONE, RIGHT, fixed
from tests.upgrade.seeded.seed import Seed, Told


def takes(parameters: str, doc: str = "") -> str:
    """Return the source of a right function with these parameters and that docstring."""
    return f'def NAME({parameters}):\n    """{doc}"""\n    return np.abs(input)\n'


def layer(options: str, inputs: str) -> str:
    """Return the source of a module."""
    return (
        f"class NAME:\n    def __init__(self, {options}):\n        pass\n\n"
        f"    def forward(self, {inputs}):\n        return np.abs(input)\n\n"
        "    __call__ = forward\n"
    )


def drift(what: str, regression: bool, api: str = "") -> tuple[Told, ...]:
    return (Told(Category.SIGNATURE, what, regression=regression, api=api),)


def unmade(error: str) -> tuple[Told, ...]:
    """Return what the case of an API that cannot be called any more must show."""
    return (Told(Category.BROKEN, f"conforms → differs (exception), {error}"),)


PLAIN = "input, scale=1, bias=0"
DIRECTIVE = "Return the modulus.\n\n    .. deprecated:: 2.0\n        Use torch.abs instead.\n    "
DEPRECATED_SCALE = "Args:\n        scale: Deprecated, does nothing.\n    "
WARNS = """\
def NAME(input):
    warnings.warn("NAME is on its way out", DeprecationWarning)
    return np.abs(input)
"""
PARAMETERS = [
    Seed(
        "parameter_added",
        takes(PLAIN),
        takes(f"{PLAIN}, out=None"),
        drift("parameter out added", False),
    ),
    Seed(
        "parameter_demanded",
        takes(PLAIN),
        takes("input, weight, scale=1, bias=0"),
        drift("parameter weight added without a default", True) + unmade("raised TypeError"),
    ),
    Seed(
        "parameter_removed",
        takes(PLAIN),
        takes("input, scale=1"),
        drift("parameter bias removed", True),
    ),
    Seed(
        "parameter_renamed",
        takes(PLAIN),
        takes("input, factor=1, bias=0"),
        drift("parameter scale renamed to factor", True),
    ),
    Seed(
        "parameters_reordered",
        takes(PLAIN),
        takes("input, bias=0, scale=1"),
        drift("parameters reordered", True),
    ),
    Seed(
        "default_changed",
        takes(PLAIN),
        takes("input, scale=2, bias=0"),
        drift("default of scale changed from 1 to 2", True),
    ),
    Seed("default_respelt", takes("input, eps=1e-5"), takes("input, eps=0.00001")),
    Seed(
        "default_given",
        takes("input, scale=1, *, bias"),
        takes("input, scale=1, *, bias=0"),
        drift("default of bias changed from no default to 0", False)
        + fixed("differs (exception), raised TypeError"),
    ),
    Seed(
        "keyword_only_now",
        takes("input, scale=1"),
        takes("input, *, scale=1"),
        drift("scale is keyword-only, was positional-or-keyword", True),
    ),
    Seed(
        "layer_called_otherwise",
        layer("scale=1", "input"),
        layer("scale=1", "input, mask=None"),
        drift("call: parameter mask added", False),
        call="module",
    ),
    Seed(
        "layer_built_otherwise",
        layer("scale=1", "input"),
        layer("factor=1", "input"),
        drift("parameter scale renamed to factor", True),
        call="module",
    ),
]
WHEREABOUTS = [
    Seed("api_removed", RIGHT, GONE, drift("API removed", True) + unmade("no such API")),
    Seed(
        "api_moved",
        RIGHT,
        GONE,
        drift("API removed; the name is at torch.special.NAME", True) + unmade("no such API"),
        special=RIGHT,
    ),
    Seed(
        "api_added",
        GONE,
        RIGHT,
        drift("API added", False) + fixed("differs (exception), no such API"),
    ),
]
DEPRECATIONS = [
    Seed(
        "deprecated_by_directive",
        takes("input"),
        takes("input", DIRECTIVE),
        drift("API deprecated: deprecated 2.0 Use torch.abs instead.", False),
    ),
    Seed(
        "deprecated_by_decorator",
        takes("input"),
        takes("input") + "NAME.__deprecated__ = 'use torch.abs'\n",
        drift("API deprecated: use torch.abs", False),
    ),
    Seed("deprecated_all_along", takes("input", DIRECTIVE)),
    Seed(
        "parameter_deprecated",
        takes(PLAIN),
        takes(PLAIN, DEPRECATED_SCALE),
        drift("parameter scale deprecated", False),
    ),
    Seed(
        "warns_now",
        RIGHT,
        WARNS,
        drift("new warning: NAME is on its way out", False, "DeprecationWarning"),
    ),
    Seed("warns_in_both", WARNS),
]
SEEDS = [*PARAMETERS, *WHEREABOUTS, *DEPRECATIONS]
