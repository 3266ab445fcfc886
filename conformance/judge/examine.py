"""One outcome against everything that is known of its case: exceptions, oracle, peer, law."""

from __future__ import annotations

from conformance.judge import identities, random_, returned
from conformance.judge.claims import ClaimCheck, slip_of
from conformance.judge.item import Item
from conformance.judge.oracle import Expectation
from conformance.judge.returned import Examined, OracleStandard, PeerStandard, unsupported_kind
from conformance.judge.structure import CALL
from conformance.judge.verdict import Finding
from conformance.judge.words import said
from conformance.phrase import Phrase
from conformance.run.outcome import (
    Crashed,
    Outcome,
    Raised,
    Returned,
    TimedOut,
    Unavailable,
    Unsupported,
)
from conformance.run.target import place
from conformance.taxonomy import Kind

NO_ORACLE = said("no oracle")
UNCHECKED = said("the NumPy reference does not check arguments")
UNKNOWN = "?"
"""What PyTorch does is not known: it has no side here, or it did not run."""

_NARROW = ("float16", "bfloat16")


def examine(
    item: Item, outcome: Outcome, expectation: Expectation | None, peer: Outcome | None
) -> tuple[Examined, list[ClaimCheck]]:
    """Return what `outcome` shows, and the published exceptions checked on the way.

    `expectation` is None where the operation has no oracle; `peer` is what PyTorch did with the
    same case through the same pair, None when it did not run.
    """
    match outcome:
        case Unavailable():
            return Examined(why=outcome.reason or said("the target could not start")), []
        case Crashed():
            detail = said(
                "the interpreter died: {signal}; {stderr}",
                signal=outcome.signal or said("without a signal"),
                stderr=outcome.stderr[-300:],
            )
            return _found(Kind.CRASH, detail), []
        case TimedOut():
            detail = said("the call did not end within {limit:g} s", limit=outcome.limit)
            return _found(Kind.HANG, detail), []
        case Raised(stage="resolve" | "assign"):
            detail = said("the call could not be made: {does}", does=_raises(outcome))
            return _found(Kind.EXCEPTION, detail, contradicts=True), []
    if item.of_reference:
        return _reference(item, outcome, expectation, peer), []
    if item.case.raises:
        return _expected_to_raise(item, outcome, expectation, peer)
    return _value(item, outcome, expectation, peer), []


def _found(kind: Kind, detail: str, contradicts: bool = False) -> Examined:
    return Examined([Finding(kind, CALL, detail, contradicts=contradicts)], compared=True)


def _value(
    item: Item, outcome: Outcome, expectation: Expectation | None, peer: Outcome | None
) -> Examined:
    """Judge an outcome that should have returned."""
    if expectation is None:
        return _against_peer(item, outcome, peer)
    if isinstance(outcome, Unsupported):
        return _found(unsupported_kind(outcome), _raises(outcome))
    if isinstance(outcome, Raised):
        return _found(Kind.EXCEPTION, _but_should(outcome, None))
    assert isinstance(outcome, Returned)
    if expectation.raised is not None:
        return Examined(why=said("the reference raised {error}", error=_name(expectation.raised)))
    if expectation.distribution is not None:
        law = expectation.distribution
        return random_.examine(outcome, law, expectation.dtypes[0])
    outcome, reordered = returned.in_order(item, outcome)
    seen = returned.examine(item, outcome, OracleStandard(expectation))
    if expectation.identities is not None:
        identities.examine(seen, item, outcome, expectation)
    seen.findings += reordered
    return seen


def _against_peer(item: Item, outcome: Outcome, peer: Outcome | None) -> Examined:
    if all(isinstance(o, Raised) and not isinstance(o, Unsupported) for o in (outcome, peer)):
        # Two calls that fail agree on nothing, whatever the exceptions.
        return _found(Kind.EXCEPTION, _but_should(outcome, None))
    if item.framework != "mindspore" or not isinstance(peer, Returned | Raised):
        return Examined(why=NO_ORACLE)
    if isinstance(outcome, Unsupported):
        return _found(unsupported_kind(outcome), _raises(outcome))
    if isinstance(peer, Unsupported):
        return Examined(why=said("no oracle, and torch has no kernel"))
    if isinstance(outcome, Returned) and isinstance(peer, Returned):
        return returned.examine(item, outcome, PeerStandard(peer))
    seen = Examined(compared=True)
    seen.findings += _parity(outcome, peer.exception if isinstance(peer, Raised) else None)
    return seen


def _reference(
    item: Item, outcome: Outcome, expectation: Expectation | None, peer: Outcome | None
) -> Examined:
    """Judge the reference in the case's own dtype: it shows arithmetic, not argument checks."""
    should = _canonical(item, peer)
    if item.case.raises and should != UNKNOWN and should is not None:
        if isinstance(outcome, Raised):
            return Examined(compared=True)
        return Examined(why=UNCHECKED)
    if isinstance(outcome, Raised):
        dtypes = {array.dtype.name for array in item.case.arrays.values()}
        narrow = [name for name in _NARROW if name in dtypes]
        if isinstance(outcome, Unsupported) or (narrow and "TypeError" in outcome.types):
            why = said(
                "NumPy does not compute this in {dtypes}: {message}",
                dtypes=_either(narrow),
                message=outcome.message[:200],
            )
            return Examined(why=why)
    return _value(item, outcome, expectation, peer) if expectation else Examined(why=NO_ORACLE)


def _expected_to_raise(
    item: Item, outcome: Outcome, expectation: Expectation | None, peer: Outcome | None
) -> tuple[Examined, list[ClaimCheck]]:
    claimed = _claimed(item, item.framework, place(item.target)[1])
    holds = _does(outcome, claimed)
    checks = []
    seen = Examined()
    if note := slip_of(item):
        says = said("raises {exception}", exception=claimed) if claimed else said("returns")
        checks = [ClaimCheck(item.framework, says, _behaviour(outcome), holds, note)]
        seen.findings += [f for check in checks if (f := check.finding())]
        seen.compared = isinstance(outcome, Raised)
    elif holds:
        seen.compared = isinstance(outcome, Raised)
    else:
        seen = _unexpected(outcome, claimed, _but_should(outcome, claimed))
    if item.framework == "mindspore" and not seen.findings:
        canonical = _canonical(item, peer)
        if canonical != UNKNOWN:
            seen.findings += _parity(outcome, canonical)
        elif note:
            seen.compared = False
            seen.why = said("what torch does is not known")
    if isinstance(outcome, Returned):
        _add_value(seen, item, outcome, expectation, peer)
    return seen, checks


def _unexpected(outcome: Outcome, claimed: str | None, detail: str) -> Examined:
    if isinstance(outcome, Unsupported) and (claimed is None or outcome.reason == "device"):
        return _found(unsupported_kind(outcome), _raises(outcome))
    return _found(Kind.EXCEPTION, detail, contradicts=True)


def _add_value(
    seen: Examined,
    item: Item,
    outcome: Returned,
    expectation: Expectation | None,
    peer: Outcome | None,
) -> None:
    """Compare values too, where there is something to compare with."""
    value = _value(item, outcome, expectation, peer)
    if expectation is None and isinstance(peer, Raised):
        return  # told by parity
    seen.findings += value.findings
    seen.ratio, seen.gradient_ratio = value.ratio, value.gradient_ratio
    seen.compared |= value.compared
    seen.why = seen.why or value.why


def _parity(outcome: Outcome, canonical: str | None) -> list[Finding]:
    exception = canonical.partition(": ")[0] if canonical else None
    if _does(outcome, exception):
        return []
    does = _behaviour(outcome)
    detail = said("{does}, but torch returns", does=does)
    if exception:
        detail = said("{does}, but torch raises {exception}", does=does, exception=exception)
    return [Finding(Kind.EXCEPTION, CALL, detail)]


def _canonical(item: Item, peer: Outcome | None) -> str | None:
    """Return the exception PyTorch raises, None when it returns, or UNKNOWN."""
    if item.pair.torch is None:
        return _claimed(item, "mindspore") if item.of_reference else UNKNOWN
    if "torch" not in item.case.case.slip:
        return _claimed(item, "torch")
    if isinstance(peer, Raised):
        return peer.exception
    return None if isinstance(peer, Returned) else UNKNOWN


def _claimed(item: Item, framework: str, mode: str = "") -> str | None:
    expect = item.case.case.expect
    if expect is None or expect.raises is None:
        return None
    raises = expect.raises
    if framework != "mindspore":
        return raises.torch if framework == "torch" else raises.numpy
    apart = mode == "graph" and "mindspore_graph" in raises.model_fields_set
    return raises.mindspore_graph if apart else raises.mindspore


def _does(outcome: Outcome, exception: str | None) -> bool:
    if exception is None:
        return isinstance(outcome, Returned)
    wanted, _, words = exception.partition(": ")
    no_kernel = isinstance(outcome, Unsupported) and outcome.reason == "device"
    if no_kernel or not isinstance(outcome, Raised):
        return False
    return wanted in outcome.types and words in outcome.message


def _but_should(outcome: Outcome, exception: str | None) -> Phrase:
    does = _behaviour(outcome)
    if exception is None:
        return said("{does}, but should return", does=does)
    return said("{does}, but should raise {exception}", does=does, exception=exception)


def _behaviour(outcome: Outcome) -> Phrase:
    return _raises(outcome) if isinstance(outcome, Raised) else said("returns")


def _raises(outcome: Raised) -> Phrase:
    return said(
        "raises {exception} ({message})",
        exception=outcome.exception,
        message=outcome.message[:300],
    )


def _either(dtypes: list[str]) -> str:
    if len(dtypes) > 1:
        return said("{one} or {other}", one=dtypes[0], other=dtypes[1])
    return dtypes[0] if dtypes else said("this dtype")


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"
