"""Seeded edits of case files: the framework is the same before and after."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.gate.change import Category

ABS, SQUARE = "torch.abs", "torch.square"
DECLARED = "{{kind: value, cases: [c0]{more}, targets: [torch], note: {{en: so it is, zh: 如此}}}}"
SOME = "{id: c0, inputs: {input: [-1.5, 3.0]}}"
OTHER = "{id: c1, inputs: {input: [-2.5, 4.0]}}"
NUMBER = "{id: c0, inputs: {input: 1.5}%s}"


@dataclass(frozen=True)
class Edit:
    """A case file before and after (NAME stands for its operation), and what the gate must tell.

    `told` maps a case and the number of its pair to a category.
    """

    name: str
    old: str
    new: str
    told: tuple[tuple[str, str, Category], ...] = ()


def file(*cases: str, pairs: str = f"{{torch: {ABS}}}", **more: str) -> str:
    """Return a case file of |x| for those cases; `more` replaces or adds keys."""
    keys = {
        "operation": "NAME",
        "reference": "elementwise.abs",
        "accuracy": "exact",
        "parameters": "{input: {role: input}}",
        **more,
        "pairs": f"[{pairs}]",
        "cases": f"[{', '.join(cases)}]",
    }
    return "".join(f"{key}: {value}\n" for key, value in keys.items() if value)


def changed(case: str = "c0", api: str = ABS) -> tuple[tuple[str, str, Category], ...]:
    return ((case, api, Category.CHANGED),)


def wrong(declared: str = "") -> str:
    """Return a case file of which torch.square shows a difference, declared or not."""
    differences = f", differences: [{declared}]" if declared else ""
    return file(SOME, pairs=f"{{torch: {SQUARE}{differences}}}")


TWO_PAIRS = f"{{torch: {ABS}}}, {{torch: {ABS}, mindspore: mindspore.ops.abs%s}}"
PLAIN_ADD = {
    "reference": "elementwise.add",
    "parameters": "{input: {role: input}, other: {role: input}}",
}
ADDED = "{id: c0, inputs: {input: [1.5], other: [2.0]}}"
RAISES = "{id: c0, inputs: {input: [1.5]}, expect: {raises: {torch: %s}}}"
GRID = "{id: c0, inputs: {input: [-1.5]}, grid: {dtype: [%s]}}"
EDITS = [
    Edit("nothing", file(SOME, OTHER), file(SOME, OTHER)),
    Edit("input", file(SOME), file(SOME.replace("3.0", "3.5")), changed()),
    Edit("dtype", file(SOME), file(SOME.replace("c0,", "c0, dtype: float64,")), changed()),
    Edit(
        "printed",
        file(NUMBER % ", expect: {torch: '1.5'}"),
        file(NUMBER % ", expect: {torch: '1.50'}"),
        changed(),
    ),
    Edit("printed_wrong", file(NUMBER % ""), file(NUMBER % ", expect: {torch: '7.0'}"), changed()),
    Edit(
        "printed_right",
        file(NUMBER % ", expect: {torch: '7.0'}"),
        file(NUMBER % ", expect: {torch: '1.5'}"),
        changed(),
    ),
    Edit(
        "exception",
        file(RAISES % "ValueError", pairs="{torch: torch.picky}"),
        file(RAISES % "'ValueError: other words'", pairs="{torch: torch.picky}"),
        changed(api="torch.picky"),
    ),
    Edit(
        "accuracy_of_case", file(NUMBER % ""), file(NUMBER % ", accuracy: elementwise"), changed()
    ),
    Edit(
        "accuracy_of_all",
        wrong(),
        wrong().replace("exact", "{rtol: 9, atol: 9, reason: an experiment}"),
        changed(api=SQUARE),
    ),
    Edit(
        "oracle_gone",
        file(SOME),
        file(SOME, reference="", no_reference="{en: none, zh: 无}"),
        changed(),
    ),
    Edit("gradients", file(SOME), file(SOME, gradients="[input]"), changed()),
    Edit(
        "passed_by_name",
        file(ADDED, pairs="{torch: torch.add}", **PLAIN_ADD),
        file(ADDED, pairs="{torch: torch.add, torch_positional: []}", **PLAIN_ADD),
        changed(api="torch.add"),
    ),
    Edit("added", file(SOME), file(SOME, OTHER), (("c1", ABS, Category.NEW),)),
    Edit("removed", file(SOME, OTHER), file(SOME), (("c1", ABS, Category.REMOVED),)),
    Edit("renamed", file(SOME, OTHER), file(SOME.replace("c0", "c7"), OTHER)),
    Edit(
        "swapped",
        file(SOME, OTHER),
        file(OTHER.replace("c1", "c0"), SOME.replace("c0", "c1")),
    ),
    Edit("titled", file(SOME), file(SOME.replace("c0,", "c0, title: {en: some, zh: 某},"))),
    Edit("spaced", file(SOME, OTHER), "# A comment.\n" + file(OTHER, SOME)),
    Edit(
        "grid_grown",
        file(GRID % "float32"),
        file(GRID % "float32, float64"),
        (("c0[dtype=float64]", ABS, Category.NEW),),
    ),
    Edit(
        "grid_shrunk",
        file(GRID % "float32, float64"),
        file(GRID % "float64"),
        (("c0[dtype=float32]", ABS, Category.REMOVED),),
    ),
    Edit("declared", wrong(), wrong(DECLARED.format(more="")), changed(api=SQUARE)),
    Edit("undeclared", wrong(DECLARED.format(more="")), wrong(), changed(api=SQUARE)),
    Edit(
        "declared_at_times",
        wrong(),
        wrong(DECLARED.format(more=", sometimes: true")),
        changed(api=SQUARE),
    ),
    Edit(
        "undeclared_at_times",
        wrong(DECLARED.format(more=", sometimes: true")),
        wrong(),
        changed(api=SQUARE),
    ),
    Edit(
        "declared_unshown",
        file(SOME),
        file(SOME, pairs=f"{{torch: {ABS}, differences: [{DECLARED.format(more='')}]}}"),
    ),
    Edit(
        "declared_unshown_at_times",
        file(SOME),
        file(
            SOME,
            pairs=f"{{torch: {ABS}, differences: [{DECLARED.format(more=', sometimes: true')}]}}",
        ),
    ),
    Edit(
        "pair_added",
        file(SOME),
        file(SOME, pairs=TWO_PAIRS % ""),
        (("c0", ABS, Category.NEW),),
    ),
    Edit(
        "pair_removed",
        file(SOME, pairs=TWO_PAIRS % ""),
        file(SOME),
        (("c0", ABS, Category.REMOVED),),
    ),
    Edit(
        "pair_narrowed",
        file(SOME, OTHER, pairs=TWO_PAIRS % ""),
        file(SOME, OTHER, pairs=TWO_PAIRS % ", cases: [c0]"),
        (("c1", ABS, Category.REMOVED),),
    ),
]
