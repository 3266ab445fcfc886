"""Seeded changes of what calls do: broken, fixed, drifted, lost, known, varying, slower."""

from __future__ import annotations

from conformance.gate.change import Category
from tests.upgrade.seeded.seed import Seed, Told, returns

RIGHT = returns("np.abs(input)")
WRONG = returns("2 * np.abs(input)")
NARROW = returns("np.abs(input).astype(np.float16)")
NAN = returns("np.abs(input) * np.nan")
RAISES = "def NAME(input):\n    raise ValueError('not today')\n"
CRASHES = "def NAME(input):\n    os.kill(os.getpid(), signal.SIGFPE)\n"
HANGS = "def NAME(input):\n    time.sleep(3600)\n"
GONE = ""
TANH = returns("np.tanh(input)")
ONE_UP = returns("np.nextafter(np.tanh(input), np.float32(2))")
VARIES = returns("_jitter(np.tanh(input))")
AT_TIMES = "def NAME(input):\n    return (2 if _again('NAME') else 1) * np.abs(input)\n"
QUICK = "def NAME(input):\n    time.sleep(0.005)\n    return np.abs(input)\n"
SLOW = QUICK.replace("0.005", "0.055")
OBJECT = returns("object()")
DRAWS = returns("(_draws.random_sample(input.shape) < input).astype(input.dtype)")

MANY = ("{linspace: [0.1, 0.9, 64]}",)
SIX = tuple(f"[{i}.5]" for i in range(6))
HALVES = ("{full: {size: [256], value: 0.5}}",)
VARYING_NOW = ", not always the same"


def smooth(name: str, old: str, new: str | None = None, told: tuple[Told, ...] = ()) -> Seed:
    """Return a seed whose value may be off by some roundoffs."""
    return Seed(name, old, new, told, MANY, "elementwise.tanh", "elementwise")


def broken(after: str, evidence: str = "") -> tuple[Told, ...]:
    return (Told(Category.BROKEN, f"conforms → {after}", evidence),)


def fixed(before: str, after: str = "conforms") -> tuple[Told, ...]:
    return (Told(Category.FIXED, f"{before} → {after}"),)


BROKEN = [
    Seed("broken_value", RIGHT, WRONG, broken("differs (value)", r"is 3, but should be 1\.5")),
    Seed("broken_dtype", RIGHT, NARROW, broken("differs (return-dtype)", "dtype is float16")),
    Seed(
        "broken_nan", RIGHT, returns("np.abs(input) * np.nan"), broken("differs (special-values)")
    ),
    Seed(
        "broken_raises",
        RIGHT,
        RAISES,
        broken("differs (exception), raised ValueError", "not today"),
    ),
    Seed("broken_crashes", RIGHT, CRASHES, broken("differs (crash), crashed SIGFPE", "SIGFPE")),
    Seed("broken_hangs", RIGHT, HANGS, broken("differs (hang), timed out", "within 2 s")),
    Seed(
        "sometimes_broken",
        RIGHT,
        AT_TIMES,
        broken("conforms, not always the same", "^at times: value$"),
    ),
    Seed(
        "broken_claim",
        RIGHT,
        WRONG,
        (Told(Category.BROKEN, "not comparable → differs (claim)", "the document says"),),
        ("1.5",),
        reference="",
        more="expect: {torch: '1.5'}",
    ),
    Seed(
        "broken_otherwise",
        WRONG,
        NARROW,
        (Told(Category.BROKEN, "differs (value) → differs (return-dtype)"),),
    ),
]
FIXED = [
    Seed("fixed_value", WRONG, RIGHT, fixed("differs (value)")),
    Seed("fixed_raising", RAISES, RIGHT, fixed("differs (exception), raised ValueError")),
    Seed(
        "fixed_claim",
        WRONG,
        RIGHT,
        fixed("differs (claim)", "not comparable"),
        ("1.5",),
        reference="",
        more="expect: {torch: '1.5'}",
    ),
    Seed(
        "fixed_partly",
        returns("2 * np.abs(input).astype(np.float16)"),
        NARROW,
        fixed("differs (return-dtype, value)", "differs (return-dtype)"),
    ),
]
DRIFTED = [
    smooth(
        "drifted",
        TANH,
        ONE_UP,
        (
            Told(
                Category.DRIFTED,
                "conforms → conforms",
                r"^output: 64 of 64 elements, by at most 1 spacing, 5\.96e-08; "
                r"error [\d.]+ → [\d.]+ roundoffs$",
            ),
        ),
    ),
    Seed(
        "drifted_while_wrong",
        WRONG,
        returns("3 * np.abs(input)"),
        (Told(Category.DRIFTED, "differs (value) → differs (value)"),),
    ),
]
LOST = [
    Seed(
        "lost_draws",
        DRAWS,
        returns("'drawn'"),
        (Told(Category.LOST, "conforms → not comparable", "the target gave no draws"),),
        HALVES,
        "random.bernoulli",
        "statistical",
        "random",
    ),
]
KNOWN = [
    Seed(
        "known_from_two",
        RIGHT,
        WRONG,
        (Told(Category.KNOWN, "conforms → differs (value)", "^until 2999-01-01: seeded"),),
    ),
    Seed(
        "known_until_two",
        WRONG,
        WRONG,
        (
            Told(
                Category.BROKEN,
                "differs (value), known → differs (value)",
                r"holds for <2\.0 only",
            ),
        ),
    ),
    Seed("known_in_both", WRONG),
    Seed(
        "known_but_worse",
        WRONG,
        returns("2 * np.abs(input).astype(np.float16)"),
        (
            Told(
                Category.BROKEN,
                "differs (value) → differs (return-dtype, value)",
                "^return-dtype",
            ),
        ),
    ),
    Seed(
        "known_at_times",
        RIGHT,
        AT_TIMES,
        (Told(Category.KNOWN, "conforms → conforms, not always the same", "at times: value"),),
    ),
    Seed("known_and_fixed", WRONG, RIGHT, fixed("differs (value)")),
]
VARYING = [
    smooth(
        "varies_now",
        TANH,
        VARIES,
        (Told(Category.VARIES, "conforms → conforms, not always the same"),),
    ),
    smooth("varies_in_both", VARIES),
    smooth("varies_no_more", VARIES, TANH),
]
TIMED = [
    Seed("slow_now", QUICK, SLOW, (Told(Category.SLOWER, "", "times as long, over 6 calls"),), SIX),
    *(Seed(f"quick_{i}", QUICK, inputs=SIX) for i in range(6)),
]
CONTROLS = [
    Seed("same_value", RIGHT),
    Seed("same_difference", WRONG),
    smooth("same_error", TANH),
    Seed(
        "same_claim",
        RIGHT,
        returns("np.nextafter(np.abs(input), np.float32(2))"),
        (Told(Category.DRIFTED, "not comparable → not comparable"),),
        ("1.5",),
        reference="",
        more="expect: {torch: '1.5'}",
    ),
    Seed("same_draws", DRAWS, None, (), HALVES, "random.bernoulli", "statistical", "random"),
    Seed("same_gap", GONE),
    Seed("same_object", OBJECT, reference=""),
    Seed("same_exception", RAISES, RAISES.replace("not today", "not in 0x7f12 either")),
    Seed(
        "same_nan",
        returns("_nan_of(0x7fc00000)"),
        returns("_nan_of(0xffc00123)"),
        (),
        ("[.nan]",),
    ),
]
SEEDS = [*BROKEN, *FIXED, *DRIFTED, *LOST, *KNOWN, *VARYING, *TIMED, *CONTROLS]

KNOWN_VERSIONS = {
    "known_from_two": ">=2.0",
    "known_until_two": "<2.0",
    "known_in_both": ">=1.0",
    "known_but_worse": ">=1.0",
    "known_at_times": ">=1.0",
    "known_and_fixed": "<2.0",
}


def known_yaml() -> str:
    """Return the known differences."""
    return "".join(
        f'- cases: "{name}/*"\n  target: torch\n  versions: "{versions}"\n  kinds: [value]\n'
        "  reason: seeded\n  owner: tests\n  link: https://example.org/1\n"
        '  expires: "2999-01-01"\n'
        for name, versions in KNOWN_VERSIONS.items()
    )
