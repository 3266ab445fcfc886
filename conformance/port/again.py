"""Outputs that were not the same, measured again: what a cause is confirmed by."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.errors import PortFailed
from conformance.port.attempts import DRAWS
from conformance.port.both import Both
from conformance.port.config import Mode
from conformance.port.outputs import outputs
from conformance.port.result import FORM, SEVERITY, ForwardRow, Verdict, worst

OFF = (Verdict.DIFFERS, Verdict.UNRESOLVED)
"""Verdicts on what was compared and is not the same."""
Place = tuple[bool, str, Mode]
"""Training or not, size, mode."""


class Again:
    """Measures where `forward` has rows that are off: each size, mode and pass of these, no other.

    Called, it returns the verdict; it stops at the first place that is not the same.
    """

    def __init__(self, both: Both, forward: Sequence[ForwardRow]) -> None:
        self.both = both
        found: dict[Place, Verdict] = {}
        for row in forward:
            if row.verdict in OFF and row.output != FORM:
                place: Place = row.training, row.size, _mode(row)
                worse = max(row.verdict, found.get(place, row.verdict), key=SEVERITY.index)
                found[place] = worse
        # Compiling takes longest, so it comes last.
        self.places = dict(sorted(found.items(), key=lambda item: item[0][2] == "graph"))

    def __call__(self) -> Verdict:
        """Measure again, without compiling what PyNative mode tells already."""
        for place in self.places:
            if (found := self._measured(place)) is not Verdict.SAME:
                return found
        return Verdict.SAME if self.places else Verdict.NOT_COMPARED

    def reproduced(self) -> bool:
        """Whether what differed still does, with nothing put right: else nothing can be confirmed.

        Silenced dropout and chance make a port agree as well as any cause would.
        """
        differ = [place for place, found in self.places.items() if found is Verdict.DIFFERS]
        try:
            if differ:
                return all(self._measured(place) in OFF for place in differ)
            return any(self._measured(place) in OFF for place in self.places)
        except PortFailed as error:
            if error.fatal:
                raise
            return False

    def _measured(self, place: Place) -> Verdict:
        training, size, mode = place
        rows = outputs(
            self.both,
            training=training,
            sizes=[size],
            modes=[mode],
            draws=self.both.plan.draws[:DRAWS],
        )
        return worst(row.verdict for row in rows if row.output != FORM)


def _mode(row: ForwardRow) -> Mode:
    return "graph" if row.mode == "graph" else "pynative"
