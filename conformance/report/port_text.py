"""Words and numbers of the pages of verified ports."""

from __future__ import annotations

import math

from conformance.phrase import number
from conformance.port.result import Verdict
from conformance.report.text import N_

VERDICT = {
    Verdict.SAME: N_("same"),
    Verdict.DIFFERS: N_("differs"),
    Verdict.UNRESOLVED: N_("unresolved"),
    Verdict.NOT_COMPARED: N_("not compared"),
}
MARK = {
    Verdict.SAME: "✓",
    Verdict.DIFFERS: "✗",
    Verdict.UNRESOLVED: "?",
    Verdict.NOT_COMPARED: "∅",
}
"""A sign beside the colour, for those who do not see it."""
CODE = {
    Verdict.SAME: "c",
    Verdict.DIFFERS: "x",
    Verdict.UNRESOLVED: "k",
    Verdict.NOT_COMPARED: "n",
}
"""The class of the style sheet."""
CAUSE = {
    "weights": N_("weights"),
    "glue": N_("code between layers"),
    "kernel": N_("kernel"),
    "layer": N_("layer"),
    "optimizer": N_("optimizer"),
    "schedule": N_("learning rate"),
    "loss": N_("loss"),
    "frozen": N_("not trained"),
    "gradient": N_("gradient"),
    "state": N_("running statistics"),
}
"""Kinds of causes; another one is a setting's name."""
PASS = {False: N_("eval"), True: N_("train")}


def relative(difference: float) -> str:
    """Return a difference relative to the signal, as ``3.2e-07``."""
    return "0" if difference == 0 else f"{difference:.1e}"


def times(ratio: float) -> str:
    """Return how many times farther something is, as ``1.3``, ``41``, ``9,700`` or ``1.2e+06``."""
    if not math.isfinite(ratio):
        return "∞" if ratio > 0 else str(ratio)
    return f"{ratio:,.0f}" if 100 <= ratio < 99_999.5 else number(ratio)


def verdicts() -> tuple[tuple[str, str, str], ...]:
    """Return class, sign and name of every verdict, for the style sheet."""
    return tuple((CODE[verdict], MARK[verdict], VERDICT[verdict]) for verdict in Verdict)
