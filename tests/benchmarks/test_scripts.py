"""Every script in benchmarks/ runs, in a small form."""

import runpy
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from recframe.tracking import RunFolder, write_result
from tests.tiny_models import tiny_gpt

FOLDER = Path(__file__).parents[2] / "benchmarks"
SMALL = {
    "asking.py": [
        "{tmp}/asking --seeds 0 --steps 512 --worlds moods --agents ppo --override encoder=tfidf --override evaluation.num_users=8"
    ],
    "checkpoint_selection.py": ["--repetitions 50"],
    "classic_control.py": [
        "reference --out {tmp}/reference --algorithms a2c --seeds 0 --small",
        "speed --out {tmp}/reference --agents actor_critic --pairs 1 --small",
        "report --runs {tmp}/runs --reference {tmp}/reference --figure {tmp}/curves.svg",
    ],
    "dense_matrix.py": ["{tmp}/films {tmp}/dense.npy --people 9 --items 6"],
    "devices.py": ["--pairs 1 --users 16 --env-steps 256 --agents actor_critic"],
    "explanations.py": ["tfidf --questions 3"],
    "encoding.py": ["{tmp} --texts 8 --encoders sentence_transformers --pairs 1 --processes 0"],
    "interval_coverage.py": ["--splits 5 --resamples 100"],
    "item_index.py": ["--items 300 --users 2 --index exact --pairs 1", "--agents slate_q --items 70 --pairs 1"],
    "item_neighbors.py": ["--items 200 --interactions 3000 --neighbors 5 --users 8"],
    "large_catalogue_cells.py": [],  # `large_catalogues.py` runs it, in processes of its own
    "large_catalogues.py": [
        "--agents dqn --sides recframe --items 70 --users 6 --seconds 0 --repeats 1 --threads 1 --out {tmp}/large.json "
        "--override agent.learning_starts=20 --override agent.batch_size=8 --override agent.replay_capacity=200"
    ],
    "language_users.py": [
        "dataset=table dataset.interactions={tmp}/ratings.csv environment.llm.model={tmp}/tiny environment.asking=probabilities "
        "environment.card_people=4 environment.card_ratings=2 environment.num_users=2"
    ],
    "launchers.py": [
        "--jobs 2 --workers 1 --launchers joblib",
        "--jobs 1 --workers 1 --launchers basic --train debug=smoke encoder=tfidf trainer.env_steps=256 trainer.evaluate_every=256 "
        "agent.learning_starts=64 evaluation.references=false",
    ],
    "sweep_start.py": ["--repetitions 1 --sides grid"],
    "learning_on.py": ["--visits 16 --blocks 2 --rounds 0"],
    "logs.py": ["--rows 2000 --formats csv parquet --batches 3", "--rows 2000 --formats parquet --batches 3 --by users"],
    "off_policy_coverage.py": ["--repetitions 3 --resamples 20"],
    "open_bandit.py": ["{tmp}/obd --campaigns men"],
    "protocol_worlds.py": ["{tmp}/worlds --people 8 --items 12 --categories 3 --train 4 --test 3"],
    "ranking.py": ["--items 100 --queries 40 --dim 4 --pairs 1"],
    "rating_matrices.py": [
        "dataset=synthetic_ratings dataset.num_users=30 dataset.num_items=20 environment.click_threshold=4 environment.num_users=8 "
        "state_tracker.random_steps=300 agent.learning_starts=64 trainer.env_steps=256 evaluation.num_users=6 evaluation.tuning_sessions=8 "
        "embeddings.cache={tmp} --agents dqn,agent.gamma=0 --seeds 2 --splits 1 --out {tmp}/matrices"
    ],
    "recsim_agreement.py": [
        "--side recframe --environment interest_exploration --episodes 20 --items 200 --seed 0 --out {tmp}/one.json",
        "--side recframe --environment interest_exploration --episodes 20 --items 200 --seed 10 --out {tmp}/two.json",
        "--compare {tmp}/one.json {tmp}/two.json --out {tmp}/agreement.md",
    ],
    "recsim_reference.py": ["--seconds 0.01"],
    "report_page.py": ["--seeds 1 --people 20 --evaluations 2 --most 6"],
    "sequence_model.py": ["--users 60 --items 50 --steps 2 --pairs 1"],
    "serving.py": [
        "--items 50 --requests 20 --turns 1 --clients 2 --search approximate",
        "--items 50 --clients 3 --saturate 2 --search exact",
    ],
    "simulators.py": ["--small", "--small --memory"],
    "start_up.py": ["--repeats 1 --plugins 1"],
    "text_information.py": ["{tmp}/matrix.csv {tmp}/texts.csv --liked 1 --shown 4"],
    "usable_answers.py": [
        "--questions 2 dataset=table dataset.interactions={tmp}/ratings.csv environment.llm.model={tmp}/tiny environment.card_people=0 "
        "environment.llm.ask_again=0 environment.llm.max_tokens=64 environment.slate_size=1"
    ],
    "threads.py": ["--repeats 1 --seconds 0.02 --env-steps 512 --threads auto --processes 1"],
    "training_overhead.py": ["--pairs 1 --env-steps 2048 encoder=tfidf embeddings.cache={tmp}"],
}
"""The command lines with which each script takes a few seconds."""

NEEDS = {
    "classic_control.py": ["stable_baselines3", "matplotlib"],
    "encoding.py": ["sentence_transformers"],
    "large_catalogues.py": ["stable_baselines3"],
    "recsim_reference.py": ["recsim", "sardine"],
    "serving.py": ["faiss", "fastapi", "uvicorn", "sqlalchemy", "prometheus_client"],
    "simulators.py": ["stable_baselines3"],
    "text_information.py": ["sentence_transformers"],
}
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path):
    """A folder with what the scripts read: a run of an agent on CartPole, a few titles of films, and a small matrix of ratings."""
    with RunFolder.create(tmp_path / "runs" / "0") as run:
        agent = {"name": "actor_critic", "clip_range": None}
        run.write_config({"seed": 0, "environment": {"id": "CartPole-v1"}, "agent": agent}, ["seed=0"])
        returns = {"mean": 20.0, "low": 19.0, "high": 21.0, "n": 2}
        write_result(run.path, objective=20.0, seed=0, env_steps=20, seconds=1.0, policies={"trained": {"return": returns}})
        (run.path / "metrics.csv").write_text("env_steps,eval/return\n10,10.0\n20,20.0\n")
    (tmp_path / "movies.dat").write_text("".join(f"{number}::Film {number} (2000)::Drama\n" for number in range(8)))
    (tmp_path / "films").mkdir()
    shutil.copy(tmp_path / "movies.dat", tmp_path / "films")
    rated = [f"{user}::{item}::{(user * item) % 5 + 1}::{user + item}" for user in range(12) for item in range(8) if (user + item) % 4]
    (tmp_path / "films" / "ratings.dat").write_text("\n".join(rated) + "\n")
    rows = [f"user-{user}," + ",".join(str((user + item) % 3 % 2) for item in range(20)) for user in range(24)]
    (tmp_path / "matrix.csv").write_text("\n".join(["user," + ",".join(f"item-{item}" for item in range(20)), *rows]))
    write_open_bandit(tmp_path / "obd")
    lines = [f"u{user},i{item},{(user * item) % 5 + 1},{user + item}" for user in range(12) for item in range(12)]
    (tmp_path / "ratings.csv").write_text("\n".join(["user,item,rating,timestamp", *lines]))
    (tmp_path / "texts.csv").write_text("title\n" + "".join(f"Text {item} on {['tax', 'war', 'law'][item % 3]}\n" for item in range(20)))
    return tmp_path


def write_open_bandit(folder):
    """Both policies' logs of 12 items in the layout of the Open Bandit dataset: 90 rows each."""
    features = ",".join(f"user_feature_{number}" for number in range(4))
    for policy in ("random", "bts"):
        place = folder / policy / "men"
        place.mkdir(parents=True)
        rows = [f"{row},{row % 12},{row % 3 + 1},{row % 5 == 0:d},{1 / 12},a{row % 2},b,c,d" for row in range(90)]
        (place / "men.csv").write_text("\n".join([f",item_id,position,click,propensity_score,{features}", *rows]))
        items = [f"{item},{item},{item / 7},x{item % 3},y{item % 4},z" for item in range(12)]
        (place / "item_context.csv").write_text("\n".join([",item_id," + ",".join(f"item_feature_{i}" for i in range(4)), *items]))


def test_every_script_has_a_small_form():
    assert [script for script in SCRIPTS if script not in SMALL] == []


@pytest.mark.slow
@pytest.mark.parametrize("script", [script for script in SCRIPTS if SMALL.get(script)])
def test_the_script_runs_in_its_small_form(script, folder, monkeypatch, capsys):
    missing = [module for module in NEEDS.get(script, []) if find_spec(module) is None]
    if missing:
        pytest.skip(f"benchmarks/{script} needs packages that are not installed: {', '.join(missing)}")
    monkeypatch.setenv("RECFRAME_CACHE", str(folder / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(folder)
    if script in ("language_users.py", "usable_answers.py"):
        tiny_gpt(folder / "tiny", positions=4096)
    for arguments in SMALL[script]:
        monkeypatch.setattr(sys, "argv", [script, *arguments.format(tmp=folder).split()])
        runpy.run_path(str(FOLDER / script), run_name="__main__")
        assert capsys.readouterr().out, arguments
