"""The record of a pretraining: how the model was made, and how to use it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from recframe import __version__
from recframe.tracking import atomic_write

RECORD_NAME = "pretraining.yaml"


@dataclass(frozen=True)
class PretrainingResult:
    """The result of a pretraining.

    texts, held_out_texts: numbers of different texts.     tokens: tokens of the training texts, each text counted once.
    perplexity_before, perplexity_after: on the held-out texts; of masked tokens for a masked model. Comparable for one tokenizer only.
    """

    folder: Path
    objective: str
    texts: int
    held_out_texts: int
    tokens: int
    parameters: int
    steps: int
    perplexity_before: float
    perplexity_after: float
    seconds: float

    def use(self, encoder: str) -> str:
        """The command that trains an agent with the model."""
        return f"recframe train encoder={encoder} encoder.model={self.folder}"


def write_record(folder: Path, result: PretrainingResult, config: Mapping[str, Any], base: str, plugins: Mapping[str, Any]) -> None:
    """Write `pretraining.yaml` (the figures, the whole config, and where its components came from) and a README.md into the model's folder.

    A model's fingerprint does not cover these files, so the same weights have the same fingerprint whenever they were made.
    """
    figures = {name: value for name, value in dataclasses.asdict(result).items() if name != "folder"}
    record = {"recframe": __version__, "result": figures, "plugins": dict(plugins), "config": dict(config)}
    atomic_write(folder / RECORD_NAME, yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
    encoder, dataset = config["encoder"]["name"], config["dataset"]["name"]
    lines = [
        "# A language model made by recframe",
        "",
        f"Trained to predict {result.objective}, from {base}, on the texts of `dataset={dataset}`, with seed {config['seed']}.",
        "",
        *(f"- {name}: {value}" for name, value in rows(result)),
        "",
        f"`{RECORD_NAME}` has the whole config. To read texts with the model: `encoder={encoder} encoder.model=THIS_FOLDER`.",
    ]
    atomic_write(folder / "README.md", "\n".join(lines) + "\n")


def rows(result: PretrainingResult) -> list[tuple[str, str]]:
    """The figures with labels, formatted."""
    return [
        ("texts", f"{result.texts:,} to train on, {result.held_out_texts:,} held out"),
        ("tokens", f"{result.tokens:,}"),
        ("parameters", f"{result.parameters:,}"),
        ("steps", f"{result.steps:,}"),
        ("held-out perplexity before", format_perplexity(result.perplexity_before)),
        ("held-out perplexity after", format_perplexity(result.perplexity_after)),
        ("seconds", f"{result.seconds:,.1f}"),
    ]


def format_perplexity(perplexity: float) -> str:
    """A perplexity with four digits, or as a whole number."""
    return f"{perplexity:,.4g}" if perplexity < 1e4 else f"{perplexity:,.0f}"


def table(result: PretrainingResult) -> Table:
    """The figures as a table for the terminal."""
    shown = Table(box=None, show_header=False, pad_edge=False)
    for name, value in rows(result):
        shown.add_row(name, value)
    return shown
