"""The report card of language users, without any training: what a language model knows of real people.

    python benchmarks/language_users.py dataset=movietweetings_100k dataset.path=FOLDER environment.asking=probabilities

Arguments are overrides of a run's config; `environment=language_users` and `encoder=id` are given already. Answers come from the cache
where they were given before. The last line has what the model was asked, and the seconds that it took.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping

from recframe.building.parts import assemble
from recframe.config import compose_config

ROWS = ("click", "rating", "item_mean", "matrix_factorization")
PREFIX = "user_model/"


def main() -> None:
    """Print the card of the environment that a config describes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="of a run's config")
    cfg = compose_config(["environment=language_users", "encoder=id", *parser.parse_args().overrides])
    environment = assemble(cfg).environment(cfg.environment.num_users, "train")
    start = time.perf_counter()
    card = {name.removeprefix(PREFIX): value for name, value in environment.report().items()}
    seconds = time.perf_counter() - start
    for line in lines_of(card):
        print(line)
    for caveat in environment.caveats():
        print(f"- {caveat}")
    usage = environment.chat.usage  # type: ignore[attr-defined]  # of language users
    print(f"{usage.calls} calls, {usage.cached} cached, {usage.tokens_in} tokens read, {seconds:.0f} s")


def lines_of(card: Mapping[str, float]) -> Iterator[str]:
    """The rows of a table in Markdown, and the measures below it."""
    yield "| | AUC | AUC within a person |"
    yield "|---|---|---|"
    for name in ROWS:
        yield f"| {name} | {_interval(card, f'auc_{name}')} | {_interval(card, f'auc_within_{name}')} |"
    for name in ("share_liked", "share_said", "yes_bias", "position_bias", "auc_click_gain", "auc_rating_gain"):
        if name in card:
            yield f"{name} {_interval(card, name)}"
    yield ", ".join(f"{name} {card[name]:.3g}" for name in ("calibration_error", "unusable_answers", "num_ratings", "num_people"))


def _interval(card: Mapping[str, float], name: str) -> str:
    return f"{card[name]:.2f} [{card[f'{name}_low']:.2f}, {card[f'{name}_high']:.2f}]"


if __name__ == "__main__":
    main()
