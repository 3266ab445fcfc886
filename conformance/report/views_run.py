"""What the page "Run" shows of how the targets went about their calls, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TargetView:
    """A target of the run; `unavailable` says why it did not start, empty when it did."""

    name: str
    framework: str
    version: str = ""
    build: str = ""
    device: str = ""
    mode: str = ""
    python: str = ""
    platform: str = ""
    cpu: str = ""
    unavailable: str = ""


@dataclass(frozen=True)
class RunView:
    """A run: what its file says of how it was made.

    `select`, `quick` and `covering` say what was selected; `repeat` how often each call was made;
    `seconds` is the wall-clock time of executing, since the last start where a run was resumed.
    `lost` are targets that died for good, with the reason.
    """

    command: str = ""
    started: str = ""
    ended: str = ""
    corpus: str = ""
    finished: bool = True
    covering: bool = False
    quick: bool = False
    select: str = ""
    repeat: int = 1
    seconds: float | None = None
    conformance: str = ""
    platform: str = ""
    targets: tuple[str, ...] = ()
    lost: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class PlaceView:
    """Where the pages show a case of a pair, for a link from another page.

    `case` is the expanded case id, `pair` the line of text a pair is called by.
    """

    operation: str
    anchor: str
    case: str
    pair: str


@dataclass(frozen=True)
class TargetTimeView:
    """What a target did: `calls` it made, `seconds` inside the framework, outcomes by kind.

    A call that several pairs share is made, and counted, once.
    """

    target: str
    calls: int
    seconds: float
    outcomes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class OperationTimeView:
    """Seconds inside the frameworks that an operation took: on each target, and on all."""

    operation: str
    seconds: tuple[float, ...]
    total: float


@dataclass(frozen=True)
class SlowView:
    """One call and its seconds inside the framework."""

    place: PlaceView
    target: str
    outcome: str
    seconds: float


@dataclass(frozen=True)
class DeathView:
    """A call that ended its worker, hung, or was in flight when its worker died.

    `outcome` is the outcome's kind, `shown` the signal or the limit, `note` what the harness adds.
    """

    place: PlaceView
    target: str
    outcome: str
    shown: str
    stderr: str = ""
    note: str = ""


@dataclass(frozen=True)
class WarningView:
    """A warning by its first wording: who gave it, in how many calls, and one of them."""

    category: str
    text: str
    deprecation: bool
    targets: tuple[str, ...]
    calls: int
    place: PlaceView


@dataclass(frozen=True)
class ExecutionView:
    """How the calls went, targets in the order of the site.

    Lists are bounded: `deaths_left` and `warnings_left` say how many are not shown.
    """

    times: tuple[TargetTimeView, ...] = ()
    operations: tuple[OperationTimeView, ...] = ()
    slowest: tuple[SlowView, ...] = ()
    deaths: tuple[DeathView, ...] = ()
    deaths_left: int = 0
    warnings: tuple[WarningView, ...] = ()
    warnings_left: int = 0
