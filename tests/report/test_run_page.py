from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.judge.judge import Judged, Judgement
from conformance.report import build, build_run, markdown, pages, text
from conformance.report.build import RunInfo
from conformance.report.views_run import ExecutionView
from conformance.run.outcome import Crashed, Returned, Unavailable
from tests.report import handmade
from tests.report.test_pages import Page


def execution(judged: list[Judged]) -> ExecutionView:
    return build.site(Judgement(judged, []), handmade.run_info()).execution


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    out = tmp_path_factory.mktemp("run")
    pages.render(handmade.judgement(), handmade.run_info(), out, languages=("en",))
    return Page(out / "run.html")


def test_each_run_file_shows_its_manifest(page: Page) -> None:
    assert "2 run files" in page.text
    for manifest in (handmade.MANIFEST, handmade.ELSEWHERE):
        for key in ("started", "corpus", "platform"):
            assert manifest[key] in page.text
        assert ", ".join(manifest["targets"]) in page.text
    assert "conformance run -k 'shrink and not <b>'" in page.text
    assert "conformance run --quick" in page.text
    assert handmade.MANIFEST["finished"] in page.text
    assert "122 s" in page.text
    assert "3 times" in page.text
    assert "once" in page.text
    assert "graph mode compiles a covering part" in page.text
    assert "quick: the first case of each pair" in page.text
    assert page.text.count("✓ finished") == 1
    assert page.text.count("✗ not finished") == 1
    assert f"torch:cuda could not be restarted {handmade.HOSTILE}" in page.text


def test_one_run_file_needs_no_list(tmp_path: Path) -> None:
    pages.render(handmade.judgement(), RunInfo(manifest=handmade.MANIFEST), tmp_path, ("en",))
    told = Page(tmp_path / "run.html").text
    assert "1 run file " in told
    assert handmade.MANIFEST["platform"] in told


def test_targets_say_what_they_are_and_why_they_are_not_there(page: Page) -> None:
    for fact in ("2.13.0", "cf30153", "eager", "3.11.7", "Linux <x86>", "Processor 6/207"):
        assert fact in page.text
    assert f"Why it is unavailable: no CUDA {handmade.HOSTILE}" in page.text
    assert "2.12.1" in page.text  # what it was before it was lost


def test_time_is_counted_by_target_and_operation() -> None:
    judged = handmade.judgement().judged
    found = execution(judged)
    made = [j for j in judged if not isinstance(j.outcome, Unavailable)]
    for time in found.times:
        own = [j for j in made if j.item.target == time.target]
        assert time.calls == len(own) == sum(count for _, count in time.outcomes)
        assert time.seconds == pytest.approx(sum(j.outcome.duration for j in own))
    (operation,) = found.operations
    assert operation.operation == "shrink"
    assert operation.total == pytest.approx(sum(t.seconds for t in found.times))
    assert operation.seconds == pytest.approx([t.seconds for t in found.times])


def test_the_operation_that_takes_longest_comes_first() -> None:
    judged = []
    for name, seconds in (("quick", 0.1), ("slow", 9.0), ("slower", 9.5)):
        case = handmade.cases(handmade.YAML.replace("operation: shrink", f"operation: {name}"))[0]
        one = handmade.judged(case, case.pairs()[0], "torch", "conforms")
        judged.append(replace(one, outcome=replace(one.outcome, duration=seconds)))
    operations = execution(judged).operations
    assert [operation.operation for operation in operations] == ["slower", "slow", "quick"]


def test_a_call_that_pairs_share_is_counted_once() -> None:
    judged = [j for j in handmade.judgement().judged if j.item.target == "torch"]
    alone = execution(judged)
    twice = execution([*judged, *(replace(j, verdict=j.verdict) for j in judged)])
    assert twice.times == alone.times
    assert twice.slowest == alone.slowest
    assert twice.warnings == alone.warnings


def test_the_slowest_calls_come_first_and_lead_to_their_case() -> None:
    judged = handmade.judgement().judged
    made = {j.outcome.duration for j in judged if not isinstance(j.outcome, Unavailable)}
    found = execution(judged).slowest
    assert [slow.seconds for slow in found] == sorted(made, reverse=True)[: build_run.SLOWEST]
    assert len(found) == build_run.SLOWEST
    for slow in found:
        (one,) = [j for j in judged if j.outcome.duration == slow.seconds]
        assert (slow.place.case, slow.target) == (one.item.case.id, one.item.target)
        assert " ↔ ".join([str(one.item.pair.torch), str(one.item.pair.mindspore)]) == (
            slow.place.pair
        )


def test_slowest_are_links(page: Page) -> None:
    for slow in execution(handmade.judgement().judged).slowest:
        assert f"operations/shrink.html#{slow.place.anchor}" in page.links
        assert text.duration(slow.seconds) in page.text


def test_deaths_show_signal_and_stderr(page: Page) -> None:
    judged = handmade.judgement().judged
    deaths = execution(judged).deaths
    kinds = [death.outcome for death in deaths]
    assert kinds == sorted(kinds, key=["crashed", "timed-out", "unsupported"].index)
    assert set(kinds) == {"crashed", "timed-out", "unsupported"}
    crashes = [j for j in judged if isinstance(j.outcome, Crashed)]
    assert kinds.count("crashed") == len(crashes)
    assert page.text.count("SIGFPE") == len(crashes)
    # Far beyond what other messages are cut at.
    assert page.text.count(" ".join(400 * ["Stack frame"]) + " last") == len(crashes)
    assert page.text.count(f"boom {handmade.HOSTILE}") == len(crashes)
    assert page.scripts == 1
    assert "> 5 s" in page.text
    assert "its worker died once" in page.text


def test_a_flood_of_stderr_is_cut(tmp_path: Path) -> None:
    one = next(j for j in handmade.judgement().judged if isinstance(j.outcome, Crashed))
    flood = replace(one, outcome=Crashed(signal="SIGABRT", stderr=100_000 * "x"))
    judged = [flood, *(replace(flood, outcome=replace(flood.outcome)) for _ in range(120))]
    pages.render(Judgement(judged, []), handmade.run_info(), tmp_path, languages=("en",))
    told = Page(tmp_path / "run.html").text
    assert told.count("(100,000 characters)") == build_run.DEATHS
    assert "x" * pages.WHOLE + "…" in told
    assert "x" * (pages.WHOLE + 1) not in told
    assert "21 more are on the pages of the operations." in told


def warning(text: str, category: str = "UserWarning") -> Any:
    one = handmade.judgement().judged[0]
    return replace(one, outcome=Returned(output=1.0, warnings=((category, text),)))


def test_warnings_are_collected_by_text(page: Page) -> None:
    found = execution(
        [
            warning("takes 3 values"),
            warning("takes 4 values"),
            warning("another"),
            warning("goes away", "DeprecationWarning"),
        ]
    ).warnings
    assert [(w.text, w.calls, w.deprecation) for w in found] == [
        ("goes away", 1, True),
        ("takes 3 values", 2, False),
        ("another", 1, False),
    ]
    assert f"UserWarning shape (2, 3) {handmade.HOSTILE}" in page.text
    assert page.text.index("lambd is deprecated") < page.text.index("UserWarning shape")


def test_problems_are_all_there(page: Page) -> None:
    assert "1 problem to settle first" in page.text
    assert f"stale declaration {handmade.HOSTILE}" in page.text


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    pages.render(Judgement([], []), RunInfo(), tmp_path, languages=("en",))
    told = Page(tmp_path / "run.html").text
    assert "every worker lived" not in told
    assert "✗ not finished" in told


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0"), (0.00042, "0.42 ms"), (0.9, "900 ms"), (1.0, "1.0 s"), (12.34, "12.3 s"),
     (99.96, "100 s"), (4000.0, "4,000 s")],
)  # fmt: skip
def test_duration(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


def test_the_same_judgement_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pages.render(handmade.judgement(), handmade.run_info(), tmp_path / name)
    for page in ("run.html", "findings.html"):
        assert (tmp_path / "a" / page).read_bytes() == (tmp_path / "b" / page).read_bytes()


def test_a_lost_target_is_not_said_to_have_lived(tmp_path: Path) -> None:
    one = handmade.judgement().judged[0]
    info = RunInfo(handmade.ELSEWHERE, {"torch": {"version": "2.13.0"}})
    pages.render(Judgement([one], []), info, tmp_path, languages=("en",))
    told = Page(tmp_path / "run.html").text
    assert "every worker lived" not in told
    assert "No call is known to be guilty of what was lost on the way." in told


def test_a_part_of_the_cases_is_called_a_part(tmp_path: Path) -> None:
    site = build.site(handmade.judgement(), handmade.run_info())
    index = Page(pages.write(site, tmp_path, ["en"])).text
    markdown.write(site, tmp_path, ["en"])
    for told in (index, (tmp_path / "en/index.md").read_text(encoding="utf-8").replace("`", "")):
        assert "Only a part of the cases was asked for: -k shrink and not <b>" in told
        assert "Only a part of the cases was asked for: --quick" in told
