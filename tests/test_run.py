"""Whole runs from the command line: the folder, the table, the files of W&B, sweeps, and every shipped experiment once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from recframe.tracking import read_people

PROJECT = Path(__file__).resolve().parents[1]
QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent.updates_per_chunk=1"]
# sizes of an evaluation and of a world
FEW = ["evaluation.num_users=8", "evaluation.periodic_users=8", "evaluation.tuning_sessions=8", "evaluation.bootstrap_samples=100"]
SMALL_WORLD = ["dataset.num_items=100", "dataset.num_users=100"]
METRICS = {"return", "length", "click_rate", "coverage", "diversity", "novelty", "gini", "reward/click"}


@pytest.mark.slow
def test_a_run_writes_all_promised_files(recframe, tmp_path):
    done = recframe("train", *QUICK, "reward=[click,rating]", "reward.rating.weight=0.5", "seed=3", "hydra.run.dir=run", check=True)
    run = tmp_path / "run"
    names = {"config.yaml", "overrides.yaml", "result.json", "report.md", "metrics.csv", "checkpoints", "wandb", "run.log"}
    names |= {"report.html", "choices.yaml", "machine.json", "people.npz"}
    assert names <= {path.name for path in run.iterdir()}
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"last.ckpt", "best.safetensors", "final.safetensors"}
    assert not (run / ".hydra").exists()

    result = json.loads((run / "result.json").read_text())
    assert (result["schema"], result["status"], result["seed"]) == (2, "finished", 3)
    assert list(result["policies"]) == ["trained", "random", "popular", "fixed_slate", "greedy", "posterior_greedy", "oracle"]
    assert result["evaluation"] == {"split": "held_out", "people": 32, "sessions": 32, "history_length": 20}
    assert set(result["selection"]) == {"env_steps", "metric", "value", "evaluations", "candidates"}
    assert result["threads"] == json.loads((run / "machine.json").read_text())["threads"]
    for metrics in result["policies"].values():
        assert set(metrics) >= METRICS | {"reward/rating"}
        for statistic in metrics.values():
            assert statistic["low"] <= statistic["mean"] <= statistic["high"]
        terms = metrics["reward/click"]["mean"] + metrics["reward/rating"]["mean"]
        assert metrics["return"]["mean"] == pytest.approx(terms, rel=1e-4)
    assert result["objective"] > 0
    assert result["objective"] != result["policies"]["trained"]["return"]["mean"]  # measured on other users
    assert result["env_steps"] == 2048
    assert {"recframe", "torch", "python"} <= set(result["versions"])

    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["reward"]["rating"] == {"centre": 0.0, "scale": 1.0, "name": "rating", "weight": 0.5}
    assert yaml.safe_load((run / "overrides.yaml").read_text())[-2:] == ["reward.rating.weight=0.5", "seed=3"]
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert header[0] == "env_steps"
    assert {"train/return", "train/reward/rating", "loss/q", "eval/return", "eval/coverage", "agent/epsilon"} <= set(header)
    (recommendations,) = run.glob("wandb/offline-run-*/files/media/table/recommendations_*.table.json")
    table = json.loads(recommendations.read_text())
    assert table["columns"] == ["user", "turn", "history", "recommended", "reward"]
    # the same text as in the report
    assert all(f"**{row[3]}**" in (run / "report.md").read_text() for row in table["data"])
    (policies,) = run.glob("wandb/offline-run-*/files/media/table/policies_*.table.json")
    assert [row[0] for row in json.loads(policies.read_text())["data"]] == list(result["policies"])
    assert "evaluating trained" in (run / "run.log").read_text()
    for policy in result["policies"]:
        assert policy in done.stdout
    assert "What the trained policy recommends" in done.stdout


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run_and_another_seed_another_run(warm_recframe, tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        warm_recframe("train", *QUICK, "logger=[]", f"seed={seed}", f"hydra.run.dir={folder}", check=True)
    a, b, c = (json.loads((tmp_path / folder / "result.json").read_text())["policies"] for folder in "abc")
    assert a == b
    assert a["trained"] != c["trained"]
    # the users and random draws of the evaluation do not depend on the run's seed
    assert a["random"] == c["random"]
    assert a["oracle"] == c["oracle"]


@pytest.mark.slow
def test_each_job_of_a_sweep_has_a_folder_and_the_report_averages_over_seeds(warm_recframe, tmp_path):
    # in parallel, so that a job runs in a process that did not compose its config
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    quick = [*QUICK, "logger=[csv]", "evaluation.references=false"]
    warm_recframe("train", "-m", *quick, "seed=0,1", "agent.gamma=0.5,0.9", "hydra.sweep.dir=sweep", *launcher, check=True)
    results = sorted((tmp_path / "sweep").glob("*/result.json"))
    assert len(results) == 4
    assert {json.loads(path.read_text())["seed"] for path in results} == {0, 1}
    report = warm_recframe("report", "sweep", "--markdown", check=True).stdout
    assert "agent.gamma" in report
    assert "0.5" in report


@pytest.mark.slow
def test_a_sweep_over_agents_can_set_options_that_only_those_agents_have(warm_recframe, tmp_path):
    own = ["agent=reinforce,actor_critic", "agent.greedy_evaluation=false", "evaluation.references=false"]
    quick = [word for word in QUICK if not word.startswith("agent.")]
    warm_recframe("train", "-m", *quick, "logger=[]", *own, "hydra.sweep.dir=sweep", check=True)
    agents = [yaml.safe_load(path.read_text())["agent"] for path in sorted((tmp_path / "sweep").glob("*/config.yaml"))]
    assert [(agent["name"], agent["greedy_evaluation"]) for agent in agents] == [("reinforce", False), ("actor_critic", False)]


@pytest.mark.slow
def test_an_evaluation_of_a_run_repeats_its_numbers(warm_recframe, tmp_path):
    more = ["cold_items.share=0.1", "hydra.run.dir=run", *FEW, *SMALL_WORLD]
    # the first evaluation is the best by coverage, so the last weights differ from the best ones
    warm_recframe("train", *QUICK, "logger=[]", "trainer.final_weights=last", "trainer.monitor=coverage", *more, check=True)
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name != "run.lock"}
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    again = json.loads(warm_recframe("evaluate", "run", "--json", check=True).stdout)
    assert again == {name: result[name] for name in ("evaluation", "policies", "cold_items")}
    others = json.loads(warm_recframe("evaluate", "run", "--json", "--seed", "7", "--num-users", "16", check=True).stdout)
    assert others["policies"]["trained"]["return"]["n"] == others["cold_items"]["policies"]["trained"]["return"]["n"] == 16
    assert before == {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name != "run.lock"}


@pytest.mark.slow
def test_the_final_table_can_be_about_people_of_training_and_says_so(warm_recframe, tmp_path):
    more = ["evaluation.people=train", "cold_items.share=0.1", "evaluation.num_users=64", "hydra.run.dir=run"]
    # 20 people, of whom 16 are for training
    done = warm_recframe("train", *QUICK, "logger=[]", "dataset.num_users=20", "dataset.num_items=100", *more, check=True)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["evaluation"] == {"split": "train", "people": 16, "sessions": 64, "history_length": 20}
    for table in (result["policies"], result["cold_items"]["policies"]):
        assert {policy: metrics["return"]["n"] for policy, metrics in table.items()} == dict.fromkeys(result["policies"], 16)
    people = read_people(tmp_path / "run")
    assert (len(people.ids), set(people.tables)) == (16, {"policies", "cold_items"})
    sums = people.tables["policies"]["oracle"]["return"]
    assert sums[:, 1].tolist() == [4.0] * 16
    assert sums[:, 0].sum() / sums[:, 1].sum() == pytest.approx(result["policies"]["oracle"]["return"]["mean"], rel=1e-5)
    for text in (done.stdout, (tmp_path / "run" / "report.md").read_text()):
        assert "people of training (evaluation.people=train)" in text
        assert "16 people, 64 sessions" in text


@pytest.mark.slow
def test_a_report_names_runs_by_the_chosen_files(warm_recframe, tmp_path):
    quick = [word for word in QUICK if not word.startswith("agent.")]
    agents = ["agent=ppo,actor_critic", "evaluation.references=false"]
    warm_recframe("train", "-m", *quick, "logger=[]", *agents, "hydra.sweep.dir=sweep", check=True)
    lines = warm_recframe("report", "sweep", "--markdown", check=True).stdout.splitlines()
    header = next(line for line in lines if "| policy |" in line)
    assert header.startswith("| agent | policy | seeds |")
    assert any(line.startswith("| ppo | trained | 1 |") for line in lines)
    assert any(line.startswith("| actor_critic | trained | 1 |") for line in lines)


@pytest.mark.slow
def test_shuffled_text_vectors_change_only_what_the_agent_reads(warm_recframe, tmp_path):
    warm_recframe("train", *QUICK, "logger=[]", "hydra.run.dir=plain", check=True)
    warm_recframe("train", *QUICK, "logger=[]", "embeddings.shuffle=true", "hydra.run.dir=shuffled", check=True)
    plain, shuffled = (json.loads((tmp_path / name / "result.json").read_text())["policies"] for name in ("plain", "shuffled"))
    assert plain["trained"] != shuffled["trained"]
    # the world, the metrics and the references do not change
    assert {name: plain[name] for name in plain if name != "trained"} == {name: shuffled[name] for name in shuffled if name != "trained"}


@pytest.mark.slow
def test_a_run_from_python_needs_no_command_line(tmp_path, shared_cache):
    quick = ["debug=smoke", "encoder=tfidf", "agent=random", "evaluation.references=false", "logger=[]"]
    code = (
        "from recframe.config import compose_config\n"
        "from recframe.runner import run\n"
        f"result = run(compose_config({quick!r}), 'run')\n"
        "assert result.policies['trained']['return']['n'] == 32\n"
    )
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "RECFRAME_CACHE": str(shared_cache)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=variables, check=True, capture_output=True, timeout=300)
    assert (tmp_path / "run" / "result.json").exists()


@pytest.mark.slow
def test_candidates_and_the_random_agent_and_slates_run_end_to_end(warm_recframe, tmp_path):
    quick = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "logger=[]"]
    held_back = ["cold_items.share=0.3", "auxiliary.weight=0.1", "embeddings.dim=16", "encoder@world_encoder=tfidf", *FEW, *SMALL_WORLD]
    warm_recframe("train", *quick, *held_back, "environment.num_candidates=20", "hydra.run.dir=candidates", check=True)
    warm_recframe("train", *quick, "agent=random", "environment.slate_size=5", "hydra.run.dir=slates", check=True)
    candidates = json.loads((tmp_path / "candidates" / "result.json").read_text())
    cold = candidates["cold_items"]
    assert (cold["share"], cold["items"]) == (0.3, 30)
    assert list(cold["policies"]) == list(candidates["policies"])
    assert all(metrics["coverage"]["mean"] <= 0.3 for metrics in cold["policies"].values())
    assert cold["policies"]["random"]["return"]["n"] == candidates["policies"]["random"]["return"]["n"]
    assert (tmp_path / "candidates" / "report.md").read_text().count("| trained |") == 2
    slates = json.loads((tmp_path / "slates" / "result.json").read_text())
    assert "cold_items" not in slates
    assert slates["env_steps"] == 0
    low, high = (slates["policies"]["random"]["return"][key] for key in ("low", "high"))
    assert slates["policies"]["trained"]["return"]["low"] < high
    assert slates["policies"]["trained"]["return"]["high"] > low


@pytest.mark.slow
@pytest.mark.parametrize("experiment", sorted(path.stem for path in (PROJECT / "conf" / "experiment").glob("*.yaml")))
def test_every_shipped_experiment_runs_once(experiment, warm_recframe, tmp_path):
    movies = [f"{item}::Film number {item} (19{50 + item % 50})::{['Drama', 'Comedy', 'War'][item % 3]}" for item in range(40)]
    (tmp_path / "movies.dat").write_text("\n".join(movies) + "\n")
    rows = [f"{user}::{(user * 7 + k * 3) % 40}::{1 + (user * k) % 10}::{1_000_000 + k}" for user in range(60) for k in range(12)]
    (tmp_path / "ratings.dat").write_text("\n".join(rows) + "\n")
    own = {"movietweetings": [f"dataset.path={tmp_path}", "encoder=tfidf"]}
    matrix, texts = tmp_path / "matrix.csv", tmp_path / "texts.csv"
    matrix.write_text("user," + ",".join(f"item-{item}" for item in range(40)) + "\n")
    with matrix.open("a") as file:
        file.writelines(f"user-{user}," + ",".join(str(1 + (user * item) % 3) for item in range(40)) + "\n" for user in range(30))
    texts.write_text("title\n" + "".join(f"Text number {item} on {['tax', 'war', 'law'][item % 3]}\n" for item in range(40)))
    own["texts"] = [f"dataset.path={matrix}", f"dataset.items={texts}", "encoder=tfidf", "encoder@world_encoder=tfidf"]
    few_steps = ["logged.simulated_steps=2000", "trainer.env_steps=512", "trainer.evaluate_every=256"]
    own["generative"] = ["encoder=tfidf", *SMALL_WORLD, *few_steps]
    own |= {name: ["encoder=tfidf", *SMALL_WORLD] for name in ("intent_aware", "interest_evolution", "semantic_dqn")}
    own["cartpole"] = ["agent.updates_per_chunk=8"]
    own["lora"] = ["dataset.num_items=20", "dataset.num_users=20", "encoder.tuning_tokens=96", "agent.updates_per_chunk=4"]
    (tmp_path / "matrix.ascii").write_text(
        "\n".join(" ".join(str(1 + (user * item + user + item) % 5) for item in range(1, 61)) for user in range(1, 31)) + "\n"
    )
    matrix = [f"dataset.path={tmp_path / 'matrix.ascii'}"]
    own |= {"rl4rec": [*matrix, f"dataset.test_path={tmp_path / 'matrix.ascii'}"], "easyrl4rec": matrix}
    (tmp_path / "log.csv").write_text(
        "user,item,time\n" + "".join(f"{row.replace('::', ',').rsplit(',', 2)[0]},{n}\n" for n, row in enumerate(rows))
    )
    own["next_item"] = [f"dataset.interactions={tmp_path / 'log.csv'}", "encoder=id"]
    # the smoke settings must override the experiment's own
    choices = own.get(experiment, ["encoder=tfidf"])
    warm_recframe("train", f"experiment={experiment}", "debug=smoke", *choices, *FEW, "logger=[csv]", "hydra.run.dir=run", check=True)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "finished"
    if experiment == "movietweetings":
        assert "user_model/rmse_model" in result["environment"]
