"""Results that somebody damaged or edited stand beside good ones: each is told in a line, and the report on the others is whole."""

import json
import shutil

import pytest

from recframe.reports import State, find_runs, sweep_frame, sweep_markdown
from recframe.reports.listing import list_runs
from recframe.reports.page.write import runs_page


def without(key):
    return lambda result: result.pop(key)


def with_value(value, *path):
    def change(result):
        *parents, last = path
        for parent in parents:
            result = result[parent]
        result[last] = value

    return change


TRAINED_RETURN = ("policies", "trained", "return")
EDITED = {
    "no_schema": without("schema"),
    "no_status": without("status"),
    "no_objective": without("objective"),
    "no_seed": without("seed"),
    "no_steps": without("env_steps"),
    "no_seconds": without("seconds"),
    "no_versions": without("versions"),
    "no_policies": without("policies"),
    "later_schema": with_value(99, "schema"),
    "failed": with_value("failed", "status"),
    "seed_of_80_bits": with_value(10**23, "seed"),
    "seed_text": with_value("three", "seed"),
    "seed_null": with_value(None, "seed"),
    "seed_fraction": with_value(0.5, "seed"),
    "seed_true": with_value(True, "seed"),
    "objective_text": with_value("good", "objective"),
    "objective_list": with_value([1.0], "objective"),
    "objective_nan": with_value(float("nan"), "objective"),
    "objective_infinite": with_value(float("inf"), "objective"),
    "objectives_text": with_value("good", "objectives"),
    "objectives_of_text": with_value({"return": "good"}, "objectives"),
    "seconds_text": with_value("long", "seconds"),
    "seconds_null": with_value(None, "seconds"),
    "steps_negative": with_value(-5, "env_steps"),
    "steps_text": with_value("many", "env_steps"),
    "versions_list": with_value(["1.0"], "versions"),
    "policies_list": with_value([], "policies"),
    "policies_empty": with_value({}, "policies"),
    "policies_text": with_value("all", "policies"),
    "policy_null": with_value(None, "policies", "trained"),
    "metric_number": with_value(3.0, *TRAINED_RETURN),
    "mean_text": with_value("3.0", *TRAINED_RETURN, "mean"),
    "mean_nan": with_value(float("nan"), *TRAINED_RETURN, "mean"),
    "mean_huge": with_value(10**400, *TRAINED_RETURN, "mean"),
    "low_list": with_value([1], *TRAINED_RETURN, "low"),
    "people_fraction": with_value(0.5, *TRAINED_RETURN, "n"),
    "people_of_80_bits": with_value(10**23, *TRAINED_RETURN, "n"),
    "evaluation_text": with_value("people", "evaluation"),
    "evaluation_without_counts": with_value({"split": "held_out"}, "evaluation"),
    "evaluation_odd_split": with_value({"split": 3, "people": 2, "sessions": 2}, "evaluation"),
    "ranking_text": with_value("log", "ranking"),
    "cold_null": with_value({"policies": None}, "cold_items"),
}
WRITTEN = {
    "empty": b"",
    "half": b'{"schema": 2, "status"',
    "binary": b"\x80\x81\xff",
    "number": b"3",
    "null": b"null",
    "nested": b"[" * 100_000,
}


@pytest.fixture
def odd_folder(sweep_folder, tmp_path):
    """Two good runs, and one folder for each odd result."""
    for name in ("good_0", "good_1", *EDITED, *WRITTEN, "folder", "config"):
        shutil.copytree(sweep_folder / "0", tmp_path / name)
    with_value(1, "seed")(result := json.loads((tmp_path / "good_1" / "result.json").read_text()))
    (tmp_path / "good_1" / "result.json").write_text(json.dumps(result))
    for name, change in EDITED.items():
        path = tmp_path / name / "result.json"
        change(edited := json.loads(path.read_text()))
        path.write_text(json.dumps(edited))
    for name, content in WRITTEN.items():
        (tmp_path / name / "result.json").write_bytes(content)
    (tmp_path / "folder" / "result.json").unlink()
    (tmp_path / "folder" / "result.json").mkdir()
    (tmp_path / "config" / "config.yaml").write_bytes(b"{a: [\xff")
    return tmp_path


def test_odd_results_are_told_in_a_line_each_and_the_others_are_reported(odd_folder):
    sweep = find_runs(odd_folder)
    assert [run.name for run in sweep.runs] == ["good_0", "good_1"]
    reasons = {run.name: run.reason for run in sweep.unfinished}
    assert set(reasons) == {*EDITED, *WRITTEN, "folder", "config"}
    assert len(reasons) >= 40
    assert {run.state for run in sweep.unfinished} == {State.DAMAGED}
    for name, reason in reasons.items():
        assert str(odd_folder / name) in reason
        assert "\n" not in reason
    assert "seed is 100000000000000000000000, not a whole number" in reasons["seed_of_80_bits"]
    assert "policies.trained.return.mean is nan" in reasons["mean_nan"]
    markdown, page = sweep_markdown(sweep), runs_page(sweep)
    for name in reasons:
        assert f"  - {name}: " in markdown
        assert f"<td>{name}</td>" in page
    assert f"2 finished, {len(reasons)} damaged." in page
    assert sweep_frame(sweep)["run"].unique(maintain_order=True).to_list() == ["good_0", "good_1"]
    assert len(list_runs([odd_folder], [State.DAMAGED])) == len(reasons)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"env_steps\n", b"a,b\n1,2\n", b"env_steps,eval/return\nx,1\n3,nan\n4\n"])
def test_an_odd_metrics_file_leaves_out_the_curve_only(sweep_folder, tmp_path, content):
    shutil.copytree(sweep_folder / "0", tmp_path / "run")
    (tmp_path / "run" / "metrics.csv").write_bytes(content)
    (tmp_path / "run" / "people.npz").write_bytes(b"nothing")
    (tmp_path / "run" / "data.json").write_text("[3]")
    page = runs_page(find_runs(tmp_path))
    assert 'id="curves"' not in page
    assert 'id="results"' in page


def test_a_metric_with_the_name_of_a_column_is_left_out_and_said(make_run, call, caplog):
    one, odd = ({"mean": mean, "low": 0.0, "high": 1.0, "n": 8} for mean in (0.5, 99.0))
    metrics = {"return": one, "policy": odd, "seed": odd, "agent": odd, "mine": odd}
    runs = [make_run(name, 3, 0.5, [f"agent={name}"], {"agent.name": name}, {"trained": metrics}) for name in ("a", "b")]
    frame = sweep_frame(runs[0].parent)
    assert frame["seed"].to_list() == [3, 3]
    assert frame["policy"].to_list() == ["trained"] * 2
    assert frame["agent"].to_list() == ["a", "b"]
    assert frame["mine"].to_list() == [99.0] * 2
    assert not {"policy/low", "seed/low", "agent/low"} & set(frame.columns)
    assert "have the names of columns of runs or settings: agent, policy, seed" in caplog.text
    # two runs have no columns of settings
    assert json.loads(call("compare", *runs, "--json").stdout)["metrics"].keys() == {"return", "mine", "agent"}
    call("report", runs[0].parent)
