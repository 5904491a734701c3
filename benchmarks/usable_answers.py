"""How many answers of a language model that plays people in JSON (`asking=answers`) can be used, and what is wrong with the others.

    python benchmarks/usable_answers.py --questions 40 dataset=movietweetings_100k dataset.path=FOLDER

Each question is one person and one slate of items drawn at random; with `ask_again`, what is counted is the last answer. Arguments are
overrides of a run's config; `environment=language_users` and `encoder=id` are given already.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence

import torch

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.llm.unusable import UnusableAnswers
from recframe_plugins.environments.language_users.language_users import LanguageUsers


class ListedAnswers(UnusableAnswers):
    """Keeps what was wrong with every answer."""

    def __init__(self) -> None:
        super().__init__("")
        self.problems: list[str] = []

    def add(self, asked: int, problems: Sequence[str]) -> None:
        """Count the answers, and keep their problems."""
        self.asked += asked
        self.count += len(problems)
        self.problems += problems


def main() -> None:
    """Print the share of usable answers, and a line for each kind of problem."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("overrides", nargs="*", help="of a run's config")
    arguments = parser.parse_args()
    overrides = ["environment=language_users", "encoder=id", "environment.asking=answers", *arguments.overrides]
    environment = assemble(compose_config(overrides)).environment(arguments.questions, "train")
    assert isinstance(environment, LanguageUsers)
    environment.respondents.unusable = answers = ListedAnswers()
    environment.reset(0)
    generator, start = torch.Generator().manual_seed(0), time.process_time()
    order = torch.rand(arguments.questions, environment.spec.num_items, generator=generator)
    environment.step(order.topk(environment.spec.slate_size, dim=1).indices)
    usage = environment.chat.usage
    print(f"{answers.asked - answers.count} of {answers.asked} answers can be used ({1 - answers.share:.0%})")
    for problem, count in Counter(answers.problems).most_common():
        print(f"{count:>4}  {problem}")
    print(f"{usage.calls} calls, {usage.tokens_in} tokens read, {usage.tokens_out} written, {time.process_time() - start:.0f} s")


if __name__ == "__main__":
    main()
