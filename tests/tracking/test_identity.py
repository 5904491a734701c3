"""A run is known again by what determines its result, and by nothing else."""

import json
from importlib import metadata

import pytest
from omegaconf import OmegaConf

from recframe import files
from recframe.config import compose_config, validate
from recframe.config.determining import CONTENT
from recframe.plugin_loader import component_code, discover, package_root
from recframe.tracking import RunFolder, RunIdentity, read_identity, run_identity
from recframe.tracking.identity import edited_settings

BASE = ("debug=smoke", "encoder=tfidf")


@pytest.fixture(scope="module")
def config():
    return compose_config(BASE)


@pytest.fixture(scope="module")
def base(config):
    return run_identity(config)


def changed(config, key, value):
    changed = OmegaConf.create(OmegaConf.to_container(config))
    OmegaConf.update(changed, key, value, merge=False)
    return run_identity(changed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "another"),
        ("logger", {}),
        ("logger.wandb.project", "another"),
        ("trainer.progress_bar", True),
        ("embeddings.cache", "elsewhere"),
        ("embeddings.cache", None),
        ("sweep", {"resume": "elsewhere"}),
        ("hydra", {"run": {"dir": "${hydra:no.such.thing}"}}),
    ],
)
def test_records_display_launch_and_caches_are_not_part_of_a_run(config, base, key, value):
    assert changed(config, key, value) == base


@pytest.mark.parametrize(
    ("key", "value", "difference"),
    [
        ("seed", 1, "seed: 0 then, 1 now"),
        ("agent.gamma", 0.5, "agent.gamma: 0.97 then, 0.5 now"),
        ("evaluation.num_users", 9, "evaluation.num_users: 32 then, 9 now"),
        ("reward.diversity", {"name": "diversity", "weight": 1.0}, 'reward.diversity.name: nothing then, "diversity" now'),
        ("device", "cuda:1", 'device: "cpu" then, "cuda" now'),
    ],
)
def test_what_changes_the_result_is_part_of_it_and_is_named(config, base, key, value, difference):
    other = changed(config, key, value)
    assert other.key != base.key
    assert difference in base.differences(other)
    assert base.differences(base) == []


def test_a_composed_a_validated_and_a_recorded_config_are_one_run(tmp_path):
    overrides = ["agent.gamma=1", "evaluation.k=[3]", "trainer.gradient_clip=1e1"]
    cfg = compose_config([*BASE, *overrides])
    valid = validate(cfg)
    with RunFolder.create(tmp_path) as folder:
        folder.write_config(valid, [])
        read_back = folder.read_config()
    keys = {run_identity(one).key for one in (cfg, valid, read_back, validate(read_back))}
    assert len(keys) == 1


def test_the_content_of_data_counts_and_not_its_place(config, tmp_path):
    keys = []
    for folder, rating in (("here", 5), ("there", 5), ("other", 4)):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "log.csv"
        path.write_text(f"user,item,rating,time\n1,2,{rating},1\n")
        keys.append(changed(config, "dataset", {"name": "table", "interactions": str(path)}))
    assert keys[0].key == keys[1].key != keys[2].key
    assert keys[0].differences(keys[2]) == ["dataset.interactions: its content is another"]
    assert str(tmp_path) not in json.dumps(keys[0].parts)


def test_a_value_of_an_environment_variable_counts_and_is_not_written(config, tmp_path, monkeypatch):
    identities = []
    for value in ("secret", "other"):
        monkeypatch.setenv("WORDS", value)
        identities.append(changed(config, "dataset.text_template", "${oc.env:WORDS}"))
    one, two = identities
    assert one.key != two.key
    assert len(one.differences(two)) == 1
    one.write(tmp_path)
    text = (tmp_path / "identity.json").read_text()
    assert '"text_template": "${oc.env:WORDS} of sha256 ' in text
    assert "secret" not in text


REWARD = """
from dataclasses import dataclass
from recframe.components import Component, option
from recframe.hookspecs import hookimpl

@dataclass
class PatienceConfig:
    scale: float = option(1.0, "a factor")

@hookimpl
def recframe_register_components(register):
    register(Component("reward", "patience", PatienceConfig, "not_there:Patience"))
"""


def test_an_edit_of_a_plugins_code_is_noticed(plugin_site):
    for name, source in {"first": REWARD, "same": REWARD, "edited": REWARD.replace("1.0", "2.0")}.items():
        plugin_site.install(f"patience_{name}", source)
    codes = {one.plugin: component_code(one) for one in discover(plugin_site.entry_points()).claims()}
    assert codes["patience_first"] == codes["patience_same"] != codes["patience_edited"]


def test_other_content_of_a_list_of_files_is_no_edit(config, base):
    parts = json.loads(json.dumps(base.parts))
    parts["config"]["dataset"]["files"] = [f"{CONTENT}0", f"{CONTENT}1"]
    then, now = RunIdentity("then", parts), json.loads(json.dumps(parts))
    now["config"]["dataset"]["files"] = [f"{CONTENT}0", f"{CONTENT}2"]
    assert then.differences(RunIdentity("now", now)) == ["dataset.files: its content is another"]
    assert edited_settings(then, config) == []


def test_a_setting_that_there_was_not_is_no_edit_while_it_is_null(config, base):
    parts = json.loads(json.dumps(base.parts))
    assert parts["config"].pop("init", "not there") is None
    assert edited_settings(RunIdentity("then", parts), config) == []
    del parts["config"]["seed"]
    assert edited_settings(RunIdentity("then", parts), config) == [f"seed: nothing then, {config.seed} now"]


def test_the_code_of_a_package_is_all_of_it_also_where_the_class_stands_at_its_top(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("__init__", "deeper"):
        (tmp_path / "words_of_mine" / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "words_of_mine" / f"{name}.py").write_text("")
    assert package_root("words_of_mine") == package_root("words_of_mine.deeper") == tmp_path / "words_of_mine"
    (tmp_path / "a_module_of_mine.py").write_text("")
    assert package_root("a_module_of_mine") == tmp_path / "a_module_of_mine.py"
    assert package_root("not_there_at_all") is None


def test_versions_and_code_that_differ_are_named(base):
    parts = json.loads(json.dumps(base.parts))
    parts["versions"]["torch"] = "1.0"
    parts["components"] |= {"agent": f"{parts['components']['agent'][:-3]}xyz", "state_tracker": "recframe-mine 2.0 code 0"}
    version = metadata.version("recframe")
    assert RunIdentity("another", parts).differences(base) == [
        f"torch: 1.0 then, {metadata.version('torch').partition('+')[0]} now",
        f"state_tracker: recframe-mine 2.0 then, recframe {version} now",
        f"agent: the code of recframe {version} has changed",
    ]


def test_a_large_file_is_known_by_samples_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "READ_IN_FULL", 1000)
    monkeypatch.setattr(files, "SAMPLE_SIZE", 100)
    contents = {"first": b"a" * 5000, "longer": b"a" * 5001, "start": b"b" + b"a" * 4999, "end": b"a" * 4999 + b"b"}
    hashes = set()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        hashes.add(files.content_sha256(tmp_path / name))
    assert len(hashes) == len(contents)


def test_a_folder_is_known_by_the_names_of_its_files_and_the_contents_of_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_FILES", 2)
    hashes = [files.content_sha256(tmp_path)]
    for name, content in (("a", "1"), ("b", "1"), ("c", "1"), ("b", "2"), ("c", "2"), (".hidden", "1")):
        (tmp_path / name).write_text(content)
        hashes.append(files.content_sha256(tmp_path))
    assert len(set(hashes[:5])) == 5
    assert hashes[4] == hashes[5] == hashes[6]


def test_an_identity_is_read_back_and_a_damaged_one_is_none(tmp_path, base):
    assert read_identity(tmp_path) is None
    base.write(tmp_path)
    assert read_identity(tmp_path) == base
    for damaged in ("{", "[]", '{"schema": 1}', '{"schema": 99, "key": "k"}'):
        (tmp_path / "identity.json").write_text(damaged)
        assert read_identity(tmp_path) is None
