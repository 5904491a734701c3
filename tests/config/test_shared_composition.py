"""The configs of a sweep's jobs, which are composed from what they have in common: the same as Hydra's own, and not from old files."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from recframe.config import TRAIN, compose_config, find_mistakes
from recframe.config.compose import shared_composition
from recframe.config.compose.initialize import initialized
from recframe.config.compose.shared_composition import MOST_BASES, SharedComposition, composed_once

JOBS = (
    ["seed=1", "agent.gamma=0.5"],
    ["seed=2", "agent.gamma=0.5"],
    ["agent=ppo", "seed=1", "encoder=tfidf"],
    ["seed=2", "agent=ppo", "encoder=tfidf"],
    ["reward=[click,diversity]", "reward.diversity.weight=0.25", "seed=3"],
    ["experiment=interest_evolution", "trainer.env_steps=64"],
    ["logger=[]", "hydra.sweep.dir=elsewhere", "seed=4"],
    ["~logger.wandb", "name='a b'"],
    ["seed=6", "hydra.sweep.subdir='3'", "hydra.job.env_set.RECFRAME_JOB='3'"],
    ["hydra.sweep.subdir='4'", "hydra.job.name=other", "seed=7", "hydra.job.env_set.RECFRAME_JOB='4'"],
    ["seed=5", "hydra.job.name=other", "dataset.num_items=50", "+logger.csv.own=1"],
)


@contextmanager
def loaders(config_dir=None):
    """Hydra's own loader, the shared one, and the config of a sweep."""
    shared_composition._bases.clear()
    with initialized(config_dir):
        own = ConfigLoaderImpl(GlobalHydra.instance().config_loader().get_search_path())
        yield (
            own,
            SharedComposition.of(own),
            own.load_configuration(TRAIN.config_name, ["hydra.sweep.dir=sweep", "seed=0,1"], RunMode.MULTIRUN),
        )


def written(config):
    return OmegaConf.to_yaml(config)


def test_jobs_have_the_configs_that_hydra_composes():
    with loaders() as (own, shared, sweep):
        for job in (*JOBS, *JOBS):
            expected, composed = own.load_sweep_config(sweep, list(job)), shared.load_sweep_config(sweep, list(job))
            assert written(composed) == written(expected)
            assert composed._metadata == expected._metadata
            assert OmegaConf.is_struct(composed)
            assert not OmegaConf.is_readonly(composed.hydra)
            assert {name: OmegaConf.get_type(composed, name) for name in composed} == {
                name: OmegaConf.get_type(expected, name) for name in expected
            }
        assert len(shared_composition._bases) <= MOST_BASES


def test_jobs_of_the_same_choices_are_composed_once_and_do_not_share_values(monkeypatch):
    composed, compose = [], ConfigLoaderImpl.load_configuration

    def counted(self, config_name, overrides, **options):
        composed.append(overrides)
        return compose(self, config_name, overrides, **options)

    with loaders() as (_, shared, sweep):
        monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
        # as a sweep launches them
        own = ("hydra.sweep.subdir='{0}'", "hydra.job.env_set.RECFRAME_JOB='{0}'")
        jobs = [
            shared.load_sweep_config(sweep, [f"agent={agent}", f"seed={seed}", *(text.format(seed) for text in own)])
            for agent in ("dqn", "ppo")
            for seed in range(3)
        ]
    assert composed == [["hydra.sweep.dir=sweep", "agent=dqn"], ["hydra.sweep.dir=sweep", "agent=ppo"]]
    assert [(job.agent.name, job.seed) for job in jobs] == [
        ("dqn", 0),
        ("dqn", 1),
        ("dqn", 2),
        ("actor_critic", 0),
        ("actor_critic", 1),
        ("actor_critic", 2),
    ]
    assert [list(job.hydra.overrides.task) for job in jobs[:2]] == [["agent=dqn", "seed=0"], ["agent=dqn", "seed=1"]]


def test_a_single_run_is_composed_once_and_as_hydra_composes_it(monkeypatch):
    composed, compose = [], ConfigLoaderImpl.load_configuration

    def counted(self, config_name, overrides, **options):
        composed.append(overrides)
        return compose(self, config_name, overrides, **options)

    lines = (
        ["agent=ppo", "seed=3", "agent.gamma=0.5", "hydra.run.dir=there", "hydra.mode=RUN"],
        ["experiment=interest_evolution", "encoder=tfidf", "trainer.threads=1", "++seed=1"],
    )
    for line in lines:
        with initialized(None):
            expected = GlobalHydra.instance().config_loader().load_configuration(TRAIN.config_name, list(line), RunMode.RUN)
        monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
        with composed_once():
            assert find_mistakes(line) == []
            with initialized(None):
                found = GlobalHydra.instance().config_loader().load_configuration(TRAIN.config_name, list(line), RunMode.RUN)
        monkeypatch.undo()
        assert written(found) == written(expected)
        # apart from the moment of the composition
        found._metadata.resolver_cache = expected._metadata.resolver_cache
        assert found._metadata == expected._metadata
    assert len(composed) == len(lines)


def test_threads_compose_at_once_and_leave_hydra_as_it_was():
    with ThreadPoolExecutor(3) as threads:
        assert [cfg.seed for cfg in threads.map(lambda seed: compose_config([f"seed={seed}"]), range(6))] == list(range(6))
    with initialized(None):
        assert type(GlobalHydra.instance().config_loader()) is ConfigLoaderImpl


def test_nothing_of_a_single_run_is_kept(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "agent").mkdir()
    for gamma in (0.5, 0.25):
        (tmp_path / "experiment" / "own.yaml").write_text(f"# @package _global_\nagent:\n  gamma: {gamma}\n")
        assert compose_config(["experiment=own"], str(tmp_path)).agent.gamma == gamma
    assert compose_config(["agent=dqn"], str(tmp_path)).agent.gamma != 0.125
    # it takes the place of the component's own defaults, which no file did before
    (tmp_path / "agent" / "dqn.yaml").write_text("name: dqn\ngamma: 0.125\n")
    assert compose_config(["agent=dqn"], str(tmp_path)).agent.gamma == 0.125


def test_what_is_typed_of_each_jobs_folder_is_resolved_in_the_job():
    with initialized(None):
        own = ConfigLoaderImpl(GlobalHydra.instance().config_loader().get_search_path())
        typed = ["hydra.sweep.subdir=${agent.name}_${seed}/${hydra.job.num}", "seed=0,1"]
        sweep = own.load_configuration(TRAIN.config_name, typed, RunMode.MULTIRUN)
        for job in (["seed=1"], ["seed=1", "hydra.sweep.subdir='dqn_1/0'"]):
            composed, expected = SharedComposition.of(own).load_sweep_config(sweep, job), own.load_sweep_config(sweep, job)
            assert written(composed) == written(expected)


def test_a_group_of_a_search_path_is_not_a_value(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "one.yaml").write_text("# @package _global_\nagent:\n  gamma: 0.125\n")
    path = f"hydra.searchpath=[file://{tmp_path}]"
    with initialized(None):
        own = ConfigLoaderImpl(GlobalHydra.instance().config_loader().get_search_path())
        for typed, job in (([path], []), ([], [path])):
            sweep = own.load_configuration(TRAIN.config_name, [*typed, "seed=0,1"], RunMode.MULTIRUN)
            shared = SharedComposition.of(own)
            assert shared.load_sweep_config(sweep, [*job, "+mine=one", "seed=1"]).agent.gamma == 0.125


def test_a_changed_file_is_read_again(tmp_path):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "own.yaml"
    file.write_text("# @package _global_\nagent:\n  gamma: 0.5\n")
    with loaders(str(tmp_path)) as (_, shared, sweep):
        job = ["experiment=own", "seed=1"]
        assert shared.load_sweep_config(sweep, job).agent.gamma == 0.5
        file.write_text("# @package _global_\nagent:\n  gamma: 0.25\n")
        assert shared.load_sweep_config(sweep, job).agent.gamma == 0.25


@pytest.mark.parametrize("wrong", ["agent=dqm", "agent.gama=0.5", "seed=one", "+seed=1", "~nothing"])
def test_a_wrong_job_is_refused_as_hydra_refuses_it(wrong):
    with loaders() as (own, shared, sweep):
        messages = []
        for loader in (own, shared):
            with pytest.raises(Exception) as refused:  # noqa: PT011  whatever Hydra raises
                loader.load_sweep_config(sweep, ["seed=3", wrong])
            messages.append((type(refused.value), str(refused.value)))
        assert messages[0] == messages[1]
