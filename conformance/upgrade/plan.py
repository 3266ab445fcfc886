"""Which targets an upgrade runs, and where: in the two environments, or beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec

from conformance.errors import CallerError
from conformance.run import target as targets
from conformance.run.target import Target, TargetConfig
from conformance.upgrade.environment import ISOLATED, Environment
from conformance.upgrade.spec import Spec

PEERS = {"mindspore": "torch"}
"""Where an operation has no oracle, what a framework is compared with; it runs unchanged, so that
its own differences show the noise."""


@dataclass(frozen=True)
class UpgradePlan:
    """`inside` are run from each side's environment, `beside` from this interpreter."""

    inside: tuple[Target, ...]
    beside: tuple[Target, ...]

    @property
    def frameworks(self) -> tuple[str, ...]:
        """The frameworks whose workers the environments must serve."""
        return tuple(dict.fromkeys(target.framework for target in self.inside))

    def on(self, environment: Environment) -> list[Target]:
        """Return all targets, those inside with the interpreter of `environment`."""
        inside = [
            replace(t, python=str(environment.python), env=(*t.env, *ISOLATED)) for t in self.inside
        ]
        order = {name: i for i, name in enumerate(targets.DEFAULT_TARGETS)}
        return sorted([*inside, *self.beside], key=lambda t: order.get(t.name, len(order)))


def choose(
    before: Spec,
    after: Spec,
    names: Sequence[str] | None,
    configured: Mapping[str, TargetConfig],
) -> UpgradePlan:
    """Return which targets to run for two specs.

    Without `names` these are the default targets of the frameworks named in the specs, and their
    peer where it is installed here.  Raises CallerError when the specs name different packages, or
    no framework while `names` gives no target either.
    """
    if set(before.names) != set(after.names):
        raise CallerError(f"{before.label} and {after.label} must name the same packages")
    named = [f for f in ("numpy", "torch", "mindspore") if f in before.names]
    if not names:
        if not named:
            raise CallerError(
                f"{before.label} names no framework; say with -t which targets its packages serve"
            )
        names = [n for n in targets.DEFAULT_TARGETS if targets.framework_of(n) in named]
        peers = [PEERS[f] for f in named if PEERS.get(f, f) not in named and find_spec(PEERS[f])]
        names = [*names, *peers]
    parsed = [targets.parse(name, dict(configured)) for name in dict.fromkeys(names)]
    for one in parsed:
        if one.version:
            raise CallerError(f"{one.name}: an upgrade decides the version; write {one.framework}")
    inside = tuple(t for t in parsed if t.framework in named)
    if not inside and len(named) == len(before.names):
        raise CallerError(f"none of the targets runs {', '.join(named)}")
    inside = inside or tuple(parsed)  # what is named serves them, whatever it is
    return UpgradePlan(inside, tuple(t for t in parsed if t not in inside))
