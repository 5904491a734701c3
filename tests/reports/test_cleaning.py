"""recframe clean: which checkpoints go, and which stay."""

import json
import shutil

import pytest
import yaml

from recframe.reports import State, plan_cleaning
from recframe.tracking import RunFolder
from tests.reports.made_up import make_sweep


@pytest.fixture
def trained(tmp_path):
    """Four finished runs and a stopped one, with checkpoints of 1,000 bytes."""
    make_sweep(tmp_path, ("dqn",), ("tfidf",), seeds=5, people=2, evaluations=1)
    for place in range(5):
        (tmp_path / str(place) / "checkpoints").mkdir()
        (tmp_path / str(place) / "checkpoints" / "last.ckpt").write_bytes(b"0" * 1000)
        result = tmp_path / str(place) / "result.json"
        result.write_text(json.dumps(json.loads(result.read_text()) | {"objective": [3.0, 5.0, None, 4.0, 1.0][place]}))
    (tmp_path / "4" / "result.json").unlink()
    return tmp_path


def kept(folder):
    return sorted(path.parent.name for path in folder.glob("*/checkpoints"))


def test_cleaning_says_what_it_would_remove_and_removes_nothing_but_checkpoints_of_finished_runs_that_are_not_best(call, trained):
    shown = call("clean", trained).stdout
    assert "kept: 1, the best by objective" in shown
    assert "kept: 4: stopped" in shown
    assert "kept: 2: has no objective" in shown
    assert f"would remove {trained / '0' / 'checkpoints'}, 0.0 MB (objective 3)" in shown
    assert "of 2 runs; remove them with --yes" in shown
    assert kept(trained) == ["0", "1", "2", "3", "4"]
    assert plan_cleaning(trained).size == 2000
    call("clean", trained, "--yes")
    assert kept(trained) == ["1", "2", "4"]
    assert len(list(trained.glob("*/result.json"))) == 4
    assert call("clean", trained, "--yes").stdout.endswith("nothing to remove\n")


def test_more_than_one_can_be_kept_and_low_objectives_can_be_better(trained):
    assert set(plan_cleaning(trained, keep=2).best) == {"1", "3"}
    for config in trained.glob("*/config.yaml"):
        config.write_text(f"{config.read_text()}trainer: {{monitor: loss, monitor_mode: min}}\n")
    assert plan_cleaning(trained).best == ("0",)


@pytest.mark.parametrize(
    ("section", "value", "kept_alone"),
    [
        ("dataset", {"name": "synthetic", "seed": 1}, True),
        ("reward", {"click": {"weight": 2.0}}, True),
        ("environment", {"drift": 0.5}, True),
        ("evaluation", {"people": "train"}, True),
        ("environment", {"num_users": 7, "group_size": 7}, False),
        # where the world has no encoder of its own, it reads with the agent's
        ("encoder", {"name": "random"}, True),
        ("agent", {"name": "ppo"}, False),
    ],
)
def test_a_run_with_settings_of_another_contest_is_not_compared_with_others(trained, section, value, kept_alone):
    config = trained / "0" / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | {section: value}))
    assert ("0" in plan_cleaning(trained).best) is kept_alone


def test_the_encoder_of_the_agent_alone_makes_no_other_contest(trained):
    for name in ("0", "1", "3"):
        config = trained / name / "config.yaml"
        own = {"world_encoder": {"name": "tfidf"}, "encoder": {"name": "id" if name == "0" else "random"}}
        config.write_text(yaml.safe_dump(yaml.safe_load(config.read_text()) | own))
    assert plan_cleaning(trained).best == ("1",)


@pytest.mark.parametrize(
    ("part", "kept_alone"), [("items", True), ("world_encoder", True), ("encoder", False), ("init", False), ("damaged", True)]
)
def test_a_run_on_other_data_is_not_compared_with_others(trained, part, kept_alone):
    file = trained / "0" / "data.json"
    entries = json.loads(file.read_text()) | {part: {"sha256": "0" * 64, "rows": None}}
    file.write_text("{" if part == "damaged" else json.dumps(entries))
    assert ("0" in plan_cleaning(trained).best) is kept_alone


def test_a_run_that_somebody_reads_keeps_its_checkpoints(call, trained):
    with RunFolder.open(trained / "3"):
        done = call("clean", trained, "--yes", code=2)
    assert "kept: 3: " in done.stdout
    assert "the checkpoints of 1 of 2 runs could not be removed" in done.stderr
    assert kept(trained) == ["1", "2", "3", "4"]


def test_checkpoints_behind_a_link_stay(trained, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "checkpoints"
    shutil.move(trained / "3" / "checkpoints", elsewhere)
    (trained / "3" / "checkpoints").symlink_to(elsewhere)
    plan = plan_cleaning(trained)
    assert "elsewhere" in plan.left["3"]
    assert [removal.run for removal in plan.removals] == ["0"]
    assert State.STOPPED in plan.left.values()


@pytest.fixture
def two_folders(trained):
    """The runs 0 to 2 in `a`, 3 and 4 in `b`: objectives 3, 5, none, and 4, stopped."""
    for place in range(5):
        folder = trained / ("a" if place < 3 else "b")
        folder.mkdir(exist_ok=True)
        shutil.move(trained / str(place), folder / str(place))
    return trained


def test_runs_of_several_folders_are_compared_together(call, two_folders):
    shown = call("clean", two_folders / "a", two_folders / "b", "--yes").stdout
    assert "kept: a/1, the best by objective" in shown
    assert "kept: b/4: stopped" in shown
    assert [path.parent.name for path in sorted(two_folders.glob("*/*/checkpoints"))] == ["1", "2", "4"]
    assert sorted(plan_cleaning([two_folders / "a", two_folders / "b"], keep=2).best) == ["a/1", "b/3"]


def test_folders_that_overlap_or_are_links_count_each_run_once(call, two_folders, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(two_folders / "b")
    (two_folders / "a" / "link").symlink_to(two_folders / "a" / "0")
    places = [two_folders / "a" / "0", link, two_folders / "a", two_folders, f"{two_folders}/b/../a"]
    plan = plan_cleaning(places)
    assert sorted(removal.folder.name for removal in plan.removals) == ["0", "3"]
    assert plan.size == 2000
    assert len(plan.best) == 1
    assert call("clean", *places, "--yes").stdout.count("removed ") == 2
    assert call("clean", *places, "--yes").stdout.endswith("nothing to remove\n")


def test_folders_that_do_not_exist_are_one_line_before_anything_is_removed(call, two_folders):
    done = call("clean", two_folders / "a", two_folders / "no", two_folders / "b", two_folders / "nor", "--yes", code=2)
    assert f"{two_folders / 'no'}, {two_folders / 'nor'}: there are no such folders" in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert len(list(two_folders.glob("*/*/checkpoints"))) == 5
    assert f"{two_folders / 'no'}: there is no such folder" in " ".join(call("clean", two_folders / "no", code=2).stderr.split())


def test_runs_of_folders_with_one_name_keep_names_of_their_own(call, two_folders):
    (two_folders / "c").mkdir()
    shutil.copytree(two_folders / "a" / "2", two_folders / "c" / "2")
    shown = call("clean", two_folders / "a" / "2", two_folders / "c" / "2", two_folders / "b").stdout
    assert f"kept: {two_folders / 'a' / '2'}: has no objective" in shown
    assert f"kept: {two_folders / 'c' / '2'}: has no objective" in shown


def test_checkpoints_that_another_run_links_to_stay(call, trained):
    shutil.rmtree(trained / "1" / "checkpoints")
    (trained / "1" / "checkpoints").symlink_to(trained / "0" / "checkpoints")
    assert "kept: 0: the checkpoints of another run are a link to its own" in call("clean", trained, "--yes").stdout
    assert (trained / "1" / "checkpoints" / "last.ckpt").is_file()
