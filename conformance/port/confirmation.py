"""Which suspects are the causes: those of outputs by outputs, those of training by statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.phrase import counted
from conformance.port.again import OFF, Again
from conformance.port.attempts import Attempts
from conformance.port.both import Both
from conformance.port.confirm import confirm
from conformance.port.evidence import Evidence, Suspect
from conformance.port.result import FORM, Verdict, worst
from conformance.port.training_run import state_again


def confirmed(
    found: Sequence[Suspect], both: Both, evidence: Evidence, echo: Callable[[str], None]
) -> list[Suspect]:
    """Try suspects: those of outputs by outputs, then those that only training shows.

    Statistics are looked at with all that is confirmed of the outputs put right.
    """
    trains = {(item.setting, item.mindspore_layer) for item in evidence.static if item.trains}
    later = [s for s in found if s.layers and {(s.setting, n) for n in s.layers} <= trains]
    first = [suspect for suspect in found if suspect not in later]
    wrong = worst(row.verdict for row in evidence.forward if row.output != FORM) in OFF
    again = Again(both, evidence.forward)
    if first and wrong and again.reproduced():
        echo(f"{counted(len(first), 'suspect', 'suspects')}: each put right alone")
        first = confirm(first, Attempts(both, evidence.static, again))
    settled = [suspect for suspect in first if suspect.cause.confirmed]
    moved = any(row.verdict is Verdict.DIFFERS for row in evidence.state)
    if later and (settled or not wrong) and moved:
        attempts = Attempts(
            both, evidence.static, lambda: worst(r.verdict for r in state_again(both))
        )
        if attempts(settled) is not Verdict.SAME:
            echo(f"{counted(len(later), 'suspect', 'suspects')} of training: likewise")
            later = confirm(later, lambda tried: attempts([*settled, *tried]))
    return [*first, *later]
