"""Options that commands of both modules of the command line take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        help="Targets by name: interpreters, hosts, adapters.", show_default="conformance.toml"
    ),
]
Known = Annotated[
    Path | None, typer.Option(help="Known differences.", show_default="known.yaml beside the cases")
]
