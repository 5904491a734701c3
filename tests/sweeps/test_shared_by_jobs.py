"""What the jobs of a sweep in one process share: generated data and the trial, with the same results as without."""

import json

import pytest
from omegaconf import OmegaConf

from recframe import runner
from recframe.attribution import ComponentFailure
from recframe.building import generated_data
from recframe.building.component import component_of
from recframe.building.fingerprints import data_content
from recframe.building.generated_data import generated_once
from recframe.components import Kind, node
from recframe.config import compose_config, validate
from recframe.trial import once, try_once

SMALL = ("encoder=tfidf", "logger=[]", "debug=smoke", "dataset.num_items=40", "dataset.num_users=30", "evaluation.references=false")


@pytest.fixture(autouse=True)
def nothing_kept():
    generated_data._kept.clear()
    once._passed.clear()
    yield
    generated_data._kept.clear()
    once._passed.clear()


def generated(monkeypatch):
    """The sections that data is loaded for from now on."""
    loaded, load = [], generated_data.load_dataset
    monkeypatch.setattr(generated_data, "load_dataset", lambda section: loaded.append(section.name) or load(section))
    return loaded


def test_the_second_job_of_a_process_generates_no_data_and_has_the_results_of_a_run_by_itself(monkeypatch, tmp_path):
    loaded, tried, trial = generated(monkeypatch), [], once.try_components
    monkeypatch.setattr(once, "try_components", lambda cfg: tried.append(cfg.seed) or trial(cfg))
    configs = {seed: compose_config([*SMALL, f"seed={seed}"]) for seed in (0, 1)}
    for seed, cfg in configs.items():
        runner.run(cfg, tmp_path / f"job{seed}", sweep="sweep")
        (kept,) = generated_data._kept.values()
        content = data_content(kept)
    assert loaded == ["synthetic"]
    assert tried == [0]
    # nobody has written into it
    generated_data._kept.clear()
    assert data_content(generated_once(validate(configs[0]).dataset)) == content
    runner.run(configs[1], tmp_path / "alone")
    assert results(tmp_path / "job1") == results(tmp_path / "alone")
    assert results(tmp_path / "job0") != results(tmp_path / "alone")


def results(folder):
    content = json.loads((folder / "result.json").read_text())
    return {key: content[key] for key in ("objectives", "policies", "environment")}


def test_other_settings_are_generated_anew_and_only_the_last_data_is_kept(monkeypatch):
    loaded = generated(monkeypatch)
    sections = [validate(compose_config([*SMALL, f"dataset.seed={seed}"])).dataset for seed in (0, 1, 1, 0)]
    contents = [data_content(generated_once(section)) for section in sections]
    assert len(loaded) == 3
    assert contents[0] == contents[3] != contents[1] == contents[2]
    assert len(generated_data._kept) == 1


def test_a_changed_file_is_read_by_the_next_job(tmp_path):
    file = tmp_path / "ratings.csv"
    section = OmegaConf.structured(node(component_of(Kind.DATASET, OmegaConf.create({"name": "table"}))))
    section.interactions = str(file)
    for names in ("ab", "ac"):
        file.write_text("user,item,timestamp\n" + "".join(f"u,{name},{time}\n" for time, name in enumerate(names)))
        assert generated_once(section).catalog.ids == list(names)
        assert not generated_data._kept


def test_a_trial_that_fails_is_made_again(monkeypatch):
    cfg, trials = validate(compose_config([*SMALL])), []

    def fails(cfg):
        trials.append(cfg.seed)
        raise ComponentFailure(["broken"], None)

    monkeypatch.setattr(once, "try_components", fails)
    for _ in range(2):
        with pytest.raises(ComponentFailure):
            try_once(cfg)
    assert len(trials) == 2
