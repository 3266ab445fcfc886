"""The command `port`: verify a ported model, or propose how its weights are mapped."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from conformance import porting

VERIFY = "verify"


class _VerifiesByDefault(TyperGroup):
    """``port port.yaml`` is ``port verify port.yaml``, and ``port --help`` tells of its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands:
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            if near and not Path(args[0]).exists():
                ctx.fail(f"No file {args[0]!r}, and no such command; did you mean {near[0]}?")
            args = [VERIFY, *args]
        return super().parse_args(ctx, args or [VERIFY, *ctx.help_option_names[:1]])


app = typer.Typer(
    cls=_VerifiesByDefault,
    rich_markup_mode="markdown",
    help="Verify a ported model: is the MindSpore port the same function as the original?",
)

Config = Annotated[
    Path, typer.Argument(help="The port's configuration; see docs/port.md.", metavar="CONFIG")
]


@app.command()
def verify(
    config: Config,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The site that the page goes into.",
            show_default="reports",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything found as JSON.")] = None,
    cases: Annotated[
        Path | None,
        typer.Option(help="The corpus, for what is known of each layer.", show_default="cases"),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Draws of values and inputs.", show_default="CONFIG's")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that one request to a model may take.")
    ] = 600.0,
    save: Annotated[
        Path | None,
        typer.Option(help="Write the converted weights: .ckpt or .safetensors."),
    ] = None,
) -> None:
    """Verify a ported model: is the MindSpore port the same function as the original?

    `conformance port port.yaml` builds both models, each in its own interpreter, gives them the
    same values, compares them from weights to training, says in one sentence what came of it, and
    leaves a page: the first layer where they part, and why.  The word `verify` may be left out.

    `conformance port map port.yaml` proposes rules for the names of weights.

    Exit code 1: the port differs, or the evidence does not resolve it.
    Exit code 2: the configuration is wrong.
    Exit code 3: a model could not be built or run.
    """
    porting.verify(
        config, out=out, json_path=json, cases=cases, seeds=seeds, timeout=timeout, save=save
    )


@app.command("map")
def map_(
    config: Config,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds that one request to a model may take.")
    ] = 600.0,
) -> None:
    """Propose `weights.rules` for CONFIG: every tensor of both models, and why it belongs there.

    Exit code 1: tensors are left over, or a match is a guess.
    """
    porting.propose(config, timeout=timeout)
