"""A file of the group `study` is a search, or with `hydra/sweeper=grid` a plain grid, as docs/guide/optuna.md says."""

import pytest

from recframe.config import TRAIN, find_mistakes
from recframe.config.compose.study import sweep_files

MINE = """# @package _global_
hydra:
  sweeper:
    params:
      agent: choice(dqn, ppo)
      agent.gamma: 0,0.9
      seed: range(3)
trainer:
  env_steps: 100000
"""


@pytest.mark.parametrize(("own", "searches"), [("hydra/sweeper=grid", False), ("hydra.sweeper.sampler=grid", True)])
def test_a_study_may_be_a_grid_with_and_without_optuna(tmp_path, own, searches):
    if searches:
        pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text(MINE)
    chosen = ["study=mine", own, "experiment=long_term_satisfaction"]
    files = sweep_files(chosen, str(tmp_path), None, TRAIN)
    assert files.searches == searches
    assert [text for text in files.added if not text.startswith("hydra/sweeper")] == [
        *("agent=choice(dqn, ppo)", "agent.gamma=0,0.9", "seed=range(3)")
    ]
    assert find_mistakes([*chosen, *files.added], str(tmp_path), searched=searches) == []
