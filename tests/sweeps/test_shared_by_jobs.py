"""What the jobs of a sweep in one process share: data and the trial, with the same results as without."""

import json
import os

import polars as pl
import pytest
import torch
from omegaconf import OmegaConf

from recframe import runner
from recframe.attribution import ComponentFailure
from recframe.building import kept_data
from recframe.building.component import component_of
from recframe.building.data import load
from recframe.building.fingerprints import data_content
from recframe.building.kept_data import load_once
from recframe.components import Kind, node
from recframe.config import compose_config, validate
from recframe.interfaces import Catalog, Data, Interactions, Labels, LoggedChoices, Texts, Users
from recframe.sweeps.record import recording
from recframe.trial import once, try_once

SMALL = ("encoder=tfidf", "logger=[]", "debug=smoke", "dataset.num_items=40", "dataset.num_users=30", "evaluation.references=false")


@pytest.fixture(autouse=True)
def nothing_kept():
    kept_data._kept.clear()
    once._passed.clear()
    yield
    kept_data._kept.clear()
    once._passed.clear()


def loads(monkeypatch):
    """The sections that data is loaded for from now on."""
    loaded, load = [], kept_data.load_dataset
    monkeypatch.setattr(kept_data, "load_dataset", lambda section: loaded.append(section.name) or load(section))
    return loaded


def test_the_second_job_of_a_process_generates_no_data_and_has_the_results_of_a_run_by_itself(monkeypatch, tmp_path):
    loaded, tried, trial = loads(monkeypatch), [], once.try_components
    monkeypatch.setattr(once, "try_components", lambda cfg: tried.append(cfg.seed) or trial(cfg))
    configs = {seed: compose_config([*SMALL, f"seed={seed}"]) for seed in (0, 1)}
    for seed, cfg in configs.items():
        runner.run(cfg, tmp_path / f"job{seed}", sweep="sweep")
        (kept,) = kept_data._kept
        content = data_content(kept.data)
    assert loaded == ["synthetic"]
    assert tried == [0]
    # nobody has written into it
    kept_data._kept.clear()
    assert data_content(load_once(validate(configs[0]).dataset)) == content
    runner.run(configs[1], tmp_path / "alone")
    assert results(tmp_path / "job1") == results(tmp_path / "alone")
    assert results(tmp_path / "job0") != results(tmp_path / "alone")


def results(folder):
    content = json.loads((folder / "result.json").read_text())
    return {key: content[key] for key in ("objectives", "policies", "environment")}


def test_other_settings_are_generated_anew_and_only_the_last_data_is_kept(monkeypatch):
    loaded = loads(monkeypatch)
    sections = [validate(compose_config([*SMALL, f"dataset.seed={seed}"])).dataset for seed in (0, 1, 1, 0)]
    contents = [data_content(load_once(section)) for section in sections]
    assert len(loaded) == 3
    assert contents[0] == contents[3] != contents[1] == contents[2]
    assert len(kept_data._kept) == 1


@pytest.fixture
def settled(monkeypatch):
    """Files that were written just now count as ones that were written long ago."""
    monkeypatch.setattr(kept_data, "SETTLED", -60.0)


def table(file, **settings):
    section = OmegaConf.structured(node(component_of(Kind.DATASET, OmegaConf.create({"name": "table"}))))
    section.interactions = str(file)
    for name, value in settings.items():
        section[name] = str(value)
    return section


def write_log(path, rows):
    lines = [f"{user},{item},{1 + row % 5},{1_700_000_000 + row}\n" for row, (user, item) in enumerate(rows)]
    path.write_text("user,item,rating,timestamp\n" + "".join(lines))


def test_the_second_job_of_a_process_reads_no_file_and_has_the_results_of_a_run_by_itself(monkeypatch, settled, caplog, tmp_path):
    caplog.set_level("INFO")
    write_log(tmp_path / "log.csv", [(f"u{user}", f"Film {(user * step + step) % 17}") for user in range(30) for step in range(1, 9)])
    loaded = loads(monkeypatch)
    # whoever might write into the data: the split of a log, a fitted user model, items that are held back, an agent that learns of both
    settings = ["experiment=next_item", f"dataset.interactions={tmp_path / 'log.csv'}", "stages=[logged,simulated]", *SMALL[:3]]
    settings += ["environment=preference_model", "evaluation.references=false", "agent=dqn", "agent.learning_starts=64"]
    settings += ["trainer.env_steps=256", "cold_items.share=0.2", f"embeddings.cache={tmp_path / 'cache'}"]
    configs = {seed: compose_config([*settings, f"seed={seed}"]) for seed in (0, 1)}
    contents = []
    for seed, cfg in configs.items():
        runner.run(cfg, tmp_path / f"job{seed}", sweep="sweep")
        contents.append(data_content(kept_data._kept[0].data))
    assert loaded == ["table"]
    # nobody has written into it
    assert contents == [data_content(kept_data.load_dataset(validate(configs[0]).dataset))] * 2
    runner.run(configs[1], tmp_path / "alone")
    assert results(tmp_path / "job1") == results(tmp_path / "alone") != results(tmp_path / "job0")
    # what was found out about the file is in each log
    logs = [(tmp_path / name / "run.log").read_text() for name in ("job0", "job1", "alone")]
    said = [[line.split(" ", 2)[2] for line in log.splitlines() if f"{tmp_path / 'log.csv'}:" in line] for log in logs]
    assert said[0] == said[1] == said[2] != []


def test_a_changed_file_is_read_by_the_next_job(monkeypatch, settled, tmp_path):
    loaded = loads(monkeypatch)
    files = tmp_path / "log.csv", tmp_path / "items.csv"
    section = table(files[0], items=files[1], text_template="{title}")
    for title in ("one", "two"):
        write_log(files[0], [("u", name) for name in "ab"])
        files[1].write_text(f"item,title\na,{title}\nb,other\n")
        for _ in range(2):
            assert load_once(section).catalog.texts == [title, "other"]
    assert loaded == ["table"] * 2
    # a new file with the old one's name, size and time
    (tmp_path / "new.csv").write_text("item,title\na,six\nb,other\n")
    times = files[1].stat()
    os.utime(tmp_path / "new.csv", ns=(times.st_atime_ns, times.st_mtime_ns))
    os.replace(tmp_path / "new.csv", files[1])
    assert load_once(section).catalog.texts == ["six", "other"]
    assert len(kept_data._kept) == 1


def test_a_file_that_was_changed_just_now_or_while_it_was_read_is_read_again(monkeypatch, tmp_path):
    write_log(tmp_path / "log.csv", [("u", name) for name in "ab"])
    section = table(tmp_path / "log.csv")
    loaded = loads(monkeypatch)
    for _ in range(2):
        load_once(section)
    assert loaded == ["table"] * 2
    monkeypatch.setattr(kept_data, "SETTLED", -60.0)
    load = kept_data.load_dataset

    def changes(section):
        data = load(section)
        write_log(tmp_path / "log.csv", [("u", name) for name in "ac"])
        return data

    with monkeypatch.context() as patches:
        patches.setattr(kept_data, "load_dataset", changes)
        assert load_once(section).catalog.ids == ["a", "b"]
    assert load_once(section).catalog.ids == ["a", "c"]


def test_what_changes_without_a_trace_in_files_is_loaded_again(monkeypatch, settled, tmp_path):
    write_log(tmp_path / "log.csv", [("u", name) for name in "ab"])
    section = table(tmp_path / "log.csv", pseudonym_key_variable="MY_KEY")
    section.pseudonymise = True
    users = []
    for key in ("a" * 16, "b" * 16):
        monkeypatch.setenv("MY_KEY", key)
        users += load_once(section).users.ids
    assert len(set(users)) == 2
    assert not kept_data._kept


def test_files_beside_the_one_that_is_named_count(monkeypatch, settled, tmp_path):
    (tmp_path / "ml.inter").write_text("user_id:token\titem_id:token\ttimestamp:float\nu\ta\t1\nu\tb\t2\n")
    section = OmegaConf.structured(node(component_of(Kind.DATASET, OmegaConf.create({"name": "recbole_atomic"}))))
    for path in (tmp_path / "ml.inter", tmp_path):
        section.path = str(path)
        for title in ("one", "two"):
            (tmp_path / "ml.item").write_text(f"item_id:token\ttitle:token_seq\na\t{title}\nb\tother\n")
            assert load_once(section).catalog.texts[0] == title


def test_data_that_a_component_has_written_into_is_loaded_again_with_a_warning(monkeypatch, caplog):
    section = validate(compose_config([*SMALL])).dataset
    loaded = loads(monkeypatch)
    first = load_once(section)
    content = data_content(first)
    first.catalog.popularity[:1].add_(1.0)  # a view
    assert data_content(first) != content
    assert data_content(load_once(section)) == data_content(load_once(section)) == content
    assert loaded == ["synthetic"] * 2
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "has written into the data that jobs share" in warning


def test_every_tensor_of_data_is_watched():
    rows = torch.arange(3)
    texts = Texts(["a"] * 3, torch.zeros(3, 2), labels={"mood": Labels(("x",), torch.ones(3, 1))})
    choices = LoggedChoices(rows, rows, rows, rows > 3, rows, rows)
    frame = pl.DataFrame({"user": [0, 1, 2], "item": [0, 1, 2], "timestamp": [1, 2, 3]})
    data = Data(
        Catalog(["a", "b", "c"], ["a"] * 3, pl.DataFrame({"title": ["a"] * 3}), torch.zeros(3), torch.zeros(3, 2)),
        Users(["a", "b", "c"], texts),
        Interactions(frame, (), features=torch.zeros(3, 1), choices=choices),
        texts,
        torch.zeros(3, 3),
        rows > 1,
    )
    # 2 of the catalogue, 2 of each table of texts, the features, 6 of the choices, ratings and those held out
    assert len(kept_data._versions(data)) == 2 + 2 * 2 + 1 + 6 + 2


def test_data_is_freed_when_the_sweep_ends_and_by_a_run_that_shares_none(tmp_path):
    cfg, cpu = validate(compose_config([*SMALL])), torch.device("cpu")
    own = validate(compose_config(["experiment=cartpole", "debug=smoke", "logger=[]"]))
    with recording():
        runner.run(cfg, tmp_path / "job", sweep="sweep")
        assert len(kept_data._kept) == 1
    assert not kept_data._kept
    for other, in_sweep in ((cfg, False), (own, True)):
        load(cfg, cpu, in_sweep=True)
        assert len(kept_data._kept) == 1
        load(other, cpu, in_sweep=in_sweep)
        assert not kept_data._kept


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
