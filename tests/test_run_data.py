"""A run knows its data: paths mean the same from every folder, and data that has changed since is noticed."""

import json
import shutil

import numpy as np
import pytest
import yaml

import recframe
from recframe.config import PRETRAIN, compose_config
from recframe.pretraining import pretrain
from recframe.runner import evaluate
from recframe.tracking import DataChanged
from tests.conftest import CommandLine

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent.updates_per_chunk=1", "logger=[]", "evaluation.references=false"]
MATRIX = [*QUICK, "dataset=rating_matrix", "environment=rating_matrix", "reward=[rating]", "environment.max_steps=10"]


def write_ratings(path, seed, users=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.random.default_rng(seed).integers(1, 6, (users, 12)).astype(np.float32))


@pytest.fixture(scope="module")
def place(warm_process, shared_cache, tmp_path_factory):
    """A folder with a run in a/run that was started in a/ with the relative path ratings.npy; the run is also kept in kept/."""
    place = tmp_path_factory.mktemp("place")
    write_ratings(place / "a" / "ratings.npy", seed=0)
    command = ["train", *MATRIX, "dataset.path=ratings.npy", "hydra.run.dir=run"]
    CommandLine(place / "a", shared_cache, warm_process)(*command, check=True)
    shutil.copytree(place / "a" / "run", place / "kept")
    return place


@pytest.fixture
def trained(warm_recframe, place):
    """The run in a/run, as it was, and its data; b/ has other data of the same name. Commands run in the folder of both."""
    for folder in ("a", "b"):
        shutil.rmtree(place / folder, ignore_errors=True)
    write_ratings(place / "a" / "ratings.npy", seed=0)
    write_ratings(place / "b" / "ratings.npy", seed=1)
    warm_recframe.folder = place
    return shutil.copytree(place / "kept", place / "a" / "run")


@pytest.mark.slow
def test_a_relative_path_leads_to_the_same_data_from_another_folder(warm_recframe, place, trained):
    assert yaml.safe_load((trained / "config.yaml").read_text())["dataset"]["path"] == str(place / "a" / "ratings.npy")
    assert "dataset.path=ratings.npy" in yaml.safe_load((trained / "overrides.yaml").read_text())
    again = warm_recframe("evaluate", "../a/run", "--json", cwd=place / "b", check=True)
    assert json.loads(again.stdout)["policies"] == json.loads((trained / "result.json").read_text())["policies"]


@pytest.mark.slow
def test_changed_data_is_evaluated_only_on_request(warm_recframe, place, trained):
    before = (trained / "data.json").read_bytes()
    write_ratings(place / "a" / "ratings.npy", seed=2)
    refused = warm_recframe("evaluate", "a/run")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1] == (
        "recframe: a/run: the data is not that of the run: ratings differ. Restore it, or accept it: recframe evaluate a/run --other-data"
    )
    accepted = warm_recframe("evaluate", "a/run", "--other-data", check=True)
    assert "the data is not that of the run: ratings differ; accepted" in accepted.stdout
    assert (trained / "data.json").read_bytes() == before


@pytest.mark.slow
def test_a_run_without_fingerprints_is_evaluated_with_a_note(warm_recframe, place, trained):
    (trained / "data.json").unlink()
    write_ratings(place / "a" / "ratings.npy", seed=2)
    done = warm_recframe("evaluate", "a/run", check=True)
    assert "a/run/data.json does not exist, so whether the data is that of the run is not known" in done.stdout
    (trained / "data.json").write_text("[]")
    assert "data.json: recframe did not write it; remove it" in warm_recframe("evaluate", "a/run").stderr


@pytest.mark.slow
def test_moved_data_is_reported_with_the_file_that_names_it(warm_recframe, place, trained):
    (place / "a" / "ratings.npy").rename(place / "elsewhere.npy")
    refused = warm_recframe("evaluate", "a/run")
    assert refused.returncode == 2
    assert refused.stderr == f"recframe: a/run/config.yaml: dataset.path: '{place / 'a' / 'ratings.npy'}' does not exist\n"


@pytest.mark.slow
def test_changed_data_is_resumed_only_on_request_and_of_the_same_size(warm_recframe, place, trained):
    (trained / "result.json").unlink()
    write_ratings(place / "a" / "ratings.npy", seed=2)
    refused = warm_recframe("train", "resume=a/run")
    assert refused.returncode == 2
    assert "the data is not that of the run: ratings differ" in refused.stderr
    assert "recframe train resume=a/run other_data=true" in refused.stderr
    assert not (trained / "result.json").exists()
    write_ratings(place / "a" / "ratings.npy", seed=2, users=41)
    resized = warm_recframe("train", "resume=a/run", "other_data=true")
    assert "40 users then, 41 now" in resized.stderr
    assert "start a new run" in resized.stderr
    write_ratings(place / "a" / "ratings.npy", seed=2)
    warm_recframe("train", "resume=a/run", "other_data=true", check=True)
    assert "ratings differ; accepted" in (trained / "run.log").read_text()
    # from now on, this is the data of the run
    warm_recframe("evaluate", "a/run", check=True)


@pytest.mark.slow
def test_a_changed_text_of_an_item_is_noticed(warm_recframe, tmp_path):
    write_ratings(tmp_path / "ratings.npy", seed=0)
    titles = [f"Film {number}" for number in range(12)]
    (tmp_path / "titles.txt").write_text("\n".join(titles) + "\n")
    warm_recframe("train", *MATRIX, "dataset.path=ratings.npy", "dataset.items=titles.txt", "hydra.run.dir=run", check=True)
    (tmp_path / "titles.txt").write_text("\n".join([*titles[:-1], "Another film"]) + "\n")
    assert "the data is not that of the run: items differ" in warm_recframe("evaluate", "run").stderr


@pytest.mark.slow
def test_a_changed_model_folder_is_noticed(warm_recframe, shared_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECFRAME_CACHE", str(shared_cache))
    small = ["pretrain.new.layers=1", "pretrain.new.hidden_size=16", "pretrain.new.heads=2", "pretrain.new.vocabulary=300"]
    few = ["dataset.num_items=30", "dataset.num_users=20"]
    new = ["encoder=gpt", *few, *small, "pretrain.from_scratch=true", "pretrain.steps=1", "pretrain.folder=models/mine", "logger=[]"]
    warm_recframe("pretrain", *new, check=True)
    # from here on in this process, which has imported what reads language models
    quick = [*(word for word in QUICK if not word.startswith("encoder=")), *few, "trainer.progress_bar=false"]
    recframe.run([*quick, "encoder=gpt", "encoder.model=models/mine"], folder="run")
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["encoder"]["model"] == str(tmp_path / "models" / "mine")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert evaluate("../run")["policies"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").rename(tmp_path / "models" / "old")
    pretrain(compose_config([*new, "seed=1"], app=PRETRAIN))
    with pytest.raises(DataChanged, match="the data is not that of the run: encoder differs"):
        evaluate("run")


DATASET_PLUGIN = """
    from dataclasses import dataclass
    from recframe.components import Component, option
    from recframe.hookspecs import hookimpl
    from recframe.interfaces import Dataset

    @dataclass
    class Config:
        '''Films from text files.'''
        files: list[str] = option([], "files with one title per line", exists=True)

    @hookimpl
    def recframe_register_components(register):
        register(Component("dataset", "films", Config, "films_plugin:Films", provides={"attribute:topics"}))

    class Films(Dataset):
        def __init__(self, config):
            self.files = config.files

        def load(self):
            import polars as pl
            import torch
            from recframe.interfaces import Catalog, Data
            titles = [line for file in self.files for line in open(file).read().splitlines()]
            topics = [[title[-1]] for title in titles]
            return Data(Catalog(titles, titles, pl.DataFrame({"title": titles, "topics": topics}), torch.ones(len(titles))))
"""


@pytest.mark.slow
def test_a_third_party_dataset_has_absolute_paths_and_fingerprints_too(warm_recframe, plugin_site, tmp_path):
    plugin_site.install("films_plugin", DATASET_PLUGIN)
    films = [f"Film {number} of topic {number % 3}" for number in range(40)]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "films.txt").write_text("\n".join(films))
    own = ["dataset=films", "dataset.files=[films.txt]", "environment=long_term_satisfaction", "hydra.run.dir=run"]
    warm_recframe("train", *QUICK, *own, cwd=tmp_path / "a", site=plugin_site.folder, check=True)
    config = yaml.safe_load((tmp_path / "a" / "run" / "config.yaml").read_text())
    assert config["dataset"]["files"] == [str(tmp_path / "a" / "films.txt")]
    warm_recframe("evaluate", "a/run", site=plugin_site.folder, check=True)
    (tmp_path / "a" / "films.txt").write_text("\n".join(films[1:]))
    assert "40 items then, 39 now" in warm_recframe("evaluate", "a/run", site=plugin_site.folder).stderr


@pytest.mark.slow
def test_the_corrected_command_may_use_the_folder_of_a_load_that_failed(warm_recframe, tmp_path):
    (tmp_path / "ratings.csv").write_text("1,2\n3,x\n")
    command = ["train", *MATRIX, "environment.max_steps=2", "dataset.path=ratings.csv", "hydra.run.dir=run"]
    refused = warm_recframe(*command)
    assert refused.returncode != 0
    assert "ratings.csv:2: column 2: 'x' is not a number" in refused.stderr
    write_ratings(tmp_path / "ratings.npy", seed=0)
    warm_recframe(*command[:-2], "dataset.path=ratings.npy", "hydra.run.dir=run", check=True)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_a_world_without_clicks_says_so_above_the_table(warm_recframe, tmp_path):
    write_ratings(tmp_path / "ratings.npy", seed=0)
    done = warm_recframe("train", *MATRIX, "environment.click_threshold=6", "dataset.path=ratings.npy", "hydra.run.dir=run", check=True)
    note = "nothing is clicked: environment.click_threshold is 6, and ratings go from 1 to 5"
    assert done.stdout.replace("\n", " ").index(note) < done.stdout.index("Results")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["caveats"] == [note]
    assert f"**Note: {note}**" in (tmp_path / "run" / "report.md").read_text()
    again = warm_recframe("evaluate", "run", check=True)
    assert note in again.stdout.replace("\n", " ")
