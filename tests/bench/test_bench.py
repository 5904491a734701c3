"""Benchmark tasks: a participant's runs, what may not be changed, and the table of many people's results."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from recframe.bench import find_task, read_results, tasks
from recframe.bench.generated_log import write_log
from recframe.bench.run import run_task
from recframe.bench.settings import compose_runs, recorded_overrides
from recframe.bench.task import TaskError
from recframe.cli.main import app
from recframe.config import ConfigError
from tests.tiny_models import tiny_model


def call(*arguments):
    return CliRunner().invoke(app, ["bench", *map(str, arguments)])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The file of results of the task smoke."""
    folder = tmp_path_factory.mktemp("bench") / "popular"
    store = f"embeddings.cache={folder.parent}/cache"
    done = call("run", "smoke", "agent=popular", "trainer.patience=3", "logger=[csv]", store, "--folder", folder)
    assert done.exit_code == 0, done.output
    assert f"results: {folder}/bench.json" in done.stdout
    return folder / "bench.json"


@pytest.fixture
def sent(results, tmp_path):
    """Make another file of results, with some entries changed."""

    def write(name, **changed):
        content = {**json.loads(results.read_text()), "name": name, **changed}
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(content))
        return file

    return write


def shifted(content, by):
    """The runs of results, with another return."""
    metrics = [one["metrics"]["return"] for one in content["seeds"]]
    moved = [{name: value + by if name != "n" else value for name, value in one.items()} for one in metrics]
    return [{**one, "metrics": {"return": values}} for one, values in zip(content["seeds"], moved, strict=True)]


def test_the_tasks_are_listed_and_each_composes(tmp_path):
    listed = call("list").output
    for name, task in tasks().items():
        assert name in listed
        log = tmp_path / "log.txt" if task.log else None
        if log:
            log.write_text("p0 i0 i1 i2\n")
        assert compose_runs(task, [], log).cfg.seed == task.seeds[0]


def test_a_file_of_results_has_what_another_person_needs_and_nothing_of_ones_own(results):
    content = json.loads(results.read_text())
    assert (content["task"], content["version"], content["metric"]) == ("smoke", 1, "return")
    assert content["settings"] == ["agent=popular", "trainer.patience=3"]
    assert [one["seed"] for one in content["seeds"]] == find_task("smoke").seeds
    assert {"mean", "low", "high", "n"} == set(content["seeds"][0]["metrics"]["return"])
    assert content["learning"]["agent"]["name"] == "popular"
    assert "recframe" in content["seeds"][0]["versions"]
    assert str(results.parent.parent) not in results.read_text()


def test_runs_that_are_there_are_read_and_those_of_other_settings_are_refused(results):
    store = f"embeddings.cache={results.parent.parent}/cache"
    before = results.read_text()
    again = call("run", "smoke", "agent=popular", "trainer.patience=3", "logger=[csv]", store, "--folder", results.parent)
    assert again.exit_code == 0, again.output
    assert results.read_text() == before
    other = call("run", "smoke", "agent=random", "logger=[csv]", store, "--folder", results.parent)
    assert other.exit_code == 2
    assert f"{results.parent}/seed_0: holds a run of other settings; choose another folder with --folder" in other.stderr


@pytest.mark.parametrize(
    ("setting", "refusal"),
    [
        ("trainer.env_steps=9000", "the task smoke version 1 fixes trainer.env_steps; leave it out"),
        ("+trainer.env_steps=9000", "the task smoke version 1 fixes trainer.env_steps; leave it out"),
        ("seed=3", "the task smoke version 1 fixes seed"),
        ("environment.taste_weight=9", "environment.taste_weight=9.0: the task smoke version 1 fixes it at 5.0"),
        ("evaluation.people=train", "the task smoke version 1 fixes it at held_out"),
        ("evaluation.seed=3", "evaluation.seed=3: the task smoke version 1 fixes it at 1000003"),
        ("cold_items.share=0.2", "cold_items.share=0.2: the task smoke version 1 fixes it at 0.0"),
        ("debug=smoke", "logged.batches=20: the task smoke version 1 fixes it at 20000"),
        ("trainer.chunk_steps=100", "allows chunks of 204 user-steps, since training ends after a whole one"),
    ],
)
def test_what_the_task_fixes_cannot_be_changed_in_any_way(setting, refusal):
    with pytest.raises(TaskError, match=refusal):
        compose_runs(find_task("smoke"), [setting], None)


def test_mistakes_are_found_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'dqn'"):
        compose_runs(find_task("smoke"), ["agent=DQN"], None)
    done = call("run", "next_item", "agent=nope", "--folder", tmp_path / "y")
    assert (done.exit_code, "nope" in done.stderr) == (2, True)
    assert not (tmp_path / "y").exists()
    done = call("run", "smok", "--folder", tmp_path / "x")
    assert (done.exit_code, "there is no task 'smok'. Did you mean 'smoke'?" in done.stderr) == (2, True)


def test_one_table_is_made_of_the_results_of_many_the_best_first(results, sent):
    content = json.loads(results.read_text())
    better = sent("better|than", seeds=shifted(content, 10.0))
    _, entries = read_results([results, better])
    assert [one.name for one in entries] == ["better|than", "agent=popular trainer.patience=3"]
    assert entries[0].value.mean == pytest.approx(entries[1].value.mean + 10.0)
    assert entries[0].value.low < entries[0].value.mean < entries[0].value.high
    shown = call("table", results.parent, better)
    assert shown.output.index("better|than") < shown.output.index("agent=popular")
    assert "| 1 | better\\|than |" in call("table", "--markdown", results, better).output


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """One run of smoke whose agent reads with a model of its own, as it was when stopped, its settings, and its results."""
    folder = tmp_path_factory.mktemp("reading")
    model = tiny_model(folder / "my_model", ["a text of topics"])
    own = ["encoder=sentence_transformers", f"encoder.model={model}", "encoder.trust_remote_code=true", "logger=[csv]"]
    own.append(f"embeddings.cache={folder}/cache")
    task = replace(find_task("smoke"), seeds=[0])
    results = json.loads(run_task(task, own, folder / "runs").read_text())
    (folder / "runs" / "seed_0" / "result.json").unlink()
    return task, own, folder / "runs", results


def test_the_same_command_continues_a_stopped_run_whose_settings_run_code(stopped):
    task, own, folder, before = stopped
    again = json.loads(run_task(task, own, folder).read_text())
    assert again["seeds"][0]["metrics"] == before["seeds"][0]["metrics"]


def test_of_the_folder_of_a_model_the_results_have_the_last_part(stopped):
    results = stopped[3]
    assert results["learning"]["encoder"]["model"] == "my_model"
    assert "encoder.model=my_model" in results["settings"]
    assert "encoder.model=my_model" in results["name"]


def test_settings_are_recorded_as_they_were_written_but_for_paths(tmp_path):
    (tmp_path / "a b").mkdir()
    own = [f"prior.model='{tmp_path}/a b'", f"+prior={{model:{tmp_path}/x}}", "encoder.model=sentence-transformers/all-MiniLM-L6-v2"]
    others = ["encoder=sentence_transformers", "prior.prompt='/{history}'", "device=cpu"]
    assert recorded_overrides([*own, *others]) == ["prior.model='a b'", "+prior={model:x}", own[2], *others[:2]]


def test_participants_with_different_encoders_are_in_one_table(results, stopped, sent):
    content = json.loads(results.read_text())
    data = stopped[3]["seeds"][0]["data"]
    assert "encoder" in data
    reading = sent("reading", seeds=[{**one, "data": data} for one in content["seeds"]])
    world = sent("world", seeds=[{**one, "data": {**data, "world_encoder": {"sha256": "0"}}} for one in content["seeds"]])
    _, entries = read_results([results, reading])
    assert len(entries) == 2
    with pytest.raises(TaskError, match=r"world\.json: on other data"):
        read_results([results, world])


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"version": 2}, "of version 2 of the task smoke; this version of recframe has version 1"),
        ({"fingerprint": "0"}, "of a changed copy of the task smoke"),
        ({"task": "nope"}, "of the task 'nope', which this version of recframe does not have"),
        ({"format": "else"}, "of the format 'else'"),
        ({"seeds": []}, "its seeds are not those of the task (0, 1)"),
        ({"steps_before_training": "x"}, "not a file of results"),
    ],
)
def test_results_that_do_not_belong_into_the_table_are_named(results, sent, changed, refusal):
    wrong = sent("wrong", **changed)
    done = call("table", results, wrong)
    assert done.exit_code == 2
    assert f"{wrong}: {refusal}" in done.stderr


def test_results_on_other_data_and_files_that_are_no_results_are_named(results, sent, tmp_path):
    content = json.loads(results.read_text())
    other = sent("other", seeds=[{**one, "data": {"items": "x"}} for one in content["seeds"]])
    odd = sent("odd", seeds=[{**one, "metrics": {"return": {"mean": None, "low": 0, "high": 0}}} for one in content["seeds"]])
    no_data = sent("no_data", seeds=[{**one, "data": 3} for one in content["seeds"]])
    broken, deep = tmp_path / "broken.json", tmp_path / "deep.json"
    broken.write_text("{")
    deep.write_text("[" * 100_000)
    with pytest.raises(TaskError) as refused:
        read_results([results, other, odd, no_data, broken, deep, tmp_path / "absent.json"])
    lines = {line.partition(":")[0].rpartition("/")[2]: line for line in refused.value.problems}
    assert "on other data than the first file" in lines["other.json"]
    assert "None is not a number" in lines["odd.json"]
    assert "not a file of results" in lines["no_data.json"]
    assert all(name in lines for name in ("broken.json", "deep.json", "absent.json"))


def test_a_generated_log_is_the_same_each_time_and_its_followers_can_be_learned(tmp_path):
    sizes = {"people": 40, "items": 50, "groups": 5, "length": 20}
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        write_log(file, **sizes, seed=seed)
    first, again, other = (file.read_text() for file in files)
    assert first == again != other
    sequences = [line.split()[1:] for line in first.splitlines()]
    pairs = [pair for sequence in sequences for pair in pairwise(sequence)]
    # 3 of 50 items follow an item in 6 of 10 cases
    repeated = sum(pairs.count(pair) > 3 for pair in pairs) / len(pairs)
    assert repeated > 0.4
    assert {len(sequence) for sequence in sequences} == {20}


def test_a_changed_task_has_another_fingerprint():
    task = find_task("smoke")
    assert replace(task, seeds=[0]).fingerprint != task.fingerprint
