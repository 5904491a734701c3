"""Runs that learn from a log: without a simulator, and before one."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from recframe import runner
from recframe.building.parts import assemble
from recframe.config import ConfigError, compose_config, validate
from recframe.errors import Stop
from recframe.interfaces.data import DataError

PEOPLE, FILMS = 60, 40
QUICK = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "trainer.progress_bar=false", "evaluation.k=[5,10]"]


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory):
    """A log in the layout of MovieLens: everybody goes on from a film to one of the next two, and rates by the film."""
    folder = tmp_path_factory.mktemp("log")
    generator = np.random.default_rng(0)
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n" + "".join(f"{film},Film {film} (1999),{'Drama' if film % 2 else 'Comedy'}\n" for film in range(FILMS))
    )
    rows, time = ["userId,movieId,rating,timestamp"], 0
    for person in range(PEOPLE):
        film = int(generator.integers(FILMS))
        for _ in range(int(generator.integers(5, 12))):
            time += 1
            rows.append(f"{person},{film % FILMS},{1 + film % 5},{time}")
            film += int(generator.integers(1, 3))
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n")
    return folder


def composed(log_folder: Path, *overrides: str):
    """A run of `next_item` on the log, with an agent that any stage can teach."""
    log = ["dataset=movielens_format", f"dataset.path={log_folder}"]
    return compose_config(["experiment=next_item", "agent=dqn", *log, *QUICK, *overrides])


def of_log(log_folder: Path, *overrides: str):
    world = ["stages=[logged,simulated]", "environment=preference_model", "environment.similarity=text"]
    return composed(log_folder, *world, "agent=dqn", "agent.learning_starts=64", "evaluation.references=false", *overrides)


def rows_of(folder: Path) -> list[str]:
    return [line for line in (folder / "metrics.csv").read_text().splitlines() if line]


def test_a_run_without_a_simulator_ends_in_a_table_of_rankings(log_folder, tmp_path):
    result = runner.run(composed(log_folder), tmp_path / "run")
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["env_steps"] == 0
    assert written["batches"] == 20
    assert written["evaluation"]["split"] == "logged"
    assert written["evaluation"]["people"] == written["evaluation"]["queries"] == PEOPLE
    assert {"hit_rate@5", "ndcg@10", "coverage@10"} <= set(written["policies"]["trained"])
    assert {"random", "popular", "item_knn"} <= set(written["policies"])
    assert written["policies"] == written["ranking"]["policies"]
    assert written["selection"]["batches"] in (10, 20)
    assert result.objective == pytest.approx(written["objective"])
    assert rows_of(tmp_path / "run")[0].startswith("batches,")


@pytest.mark.parametrize("agent", ["dqn", "prioritized_dqn", "ddpg", "soft_actor_critic", "popular"])
def test_agents_that_learn_from_replay_learn_from_a_log_unchanged(log_folder, tmp_path, agent):
    quick = ["evaluation.references=false", "reward=[rating]"]
    written = runner.run(composed(log_folder, f"agent={agent}", *quick), tmp_path / "run")
    assert written.policies["trained"]["ndcg@10"]["mean"] >= 0.0


def test_a_sequence_model_learns_what_follows_what(log_folder, tmp_path):
    """Everybody goes on to one of the next two films: the model finds it among the first two, where popularity finds little."""
    settings = ["agent=sequence_model", "agent.batch_size=32", "logged.batches=300", "logged.evaluate_every=100", "logged.chunk_batches=20"]
    result = runner.run(composed(log_folder, *settings, "state_tracker=gru", "state_tracker.id_embeddings=true"), tmp_path / "run")
    assert result.policies["trained"]["hit_rate@5"]["low"] > result.policies["popular"]["hit_rate@5"]["high"]


def test_what_is_held_out_is_learned_from_by_nothing(log_folder, tmp_path):
    """Of the log, the training part alone is counted: the popularity that agents read, and the interactions that models are fitted on."""
    parts = assemble(composed(log_folder))
    assert parts.data.interactions is not None
    assert parts.log is not None
    trained_on = len(parts.data.interactions)
    assert int(parts.data.catalog.popularity.sum()) == trained_on
    held_out = len(parts.log.validation) + len(parts.log.test)
    assert trained_on + held_out == len((log_folder / "ratings.csv").read_text().splitlines()) - 1


@pytest.fixture(scope="module")
def in_two_stages(log_folder, tmp_path_factory):
    """A run that learns from the log, and then in the simulator."""
    folder = tmp_path_factory.mktemp("two_stages") / "run"
    return folder, runner.run(of_log(log_folder), folder)


def test_a_log_first_and_then_a_simulator(in_two_stages):
    folder, result = in_two_stages
    written = json.loads((folder / "result.json").read_text())
    assert written["batches"] == 20
    assert written["env_steps"] == 2048
    assert {"return", "length"} <= set(written["policies"]["trained"])
    assert "ndcg@10" in written["ranking"]["policies"]["trained"]
    assert "env_steps" in written["selection"]
    assert rows_of(folder)[0].startswith("steps,")
    assert result.ranking["policies"] == written["ranking"]["policies"]


def test_people_who_are_simulated_at_the_end_are_not_learned_from(log_folder):
    from recframe.building.component import component_of, users_held_out
    from recframe.components import Kind

    cfg = of_log(log_folder)
    parts = assemble(cfg)
    held_out = users_held_out(component_of(Kind.ENVIRONMENT, cfg.environment), cfg.environment, parts.data)
    assert len(held_out) > 0
    assert parts.log is not None
    assert not set(held_out.tolist()) & set(parts.log.train.frame["user"].to_list())
    # the simulator itself is fitted on them
    assert set(held_out.tolist()) <= set(parts.data.interactions.frame["user"].to_list())


def test_the_weights_of_the_first_stage_compete_in_the_second(in_two_stages):
    folder, result = in_two_stages
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    (first_in_simulator, *_) = returns = [(row["steps"], row["eval/return"]) for row in rows if row["eval/return"]]
    last_on_log = [row["steps"] for row in rows if row["eval/ndcg@10"]][-1]
    assert first_in_simulator[0] == last_on_log == "20"
    assert result.selection["candidates"] == len(returns) == 3
    # the start of the first stage knows nothing
    assert [row["steps"] for row in rows if row["eval/ndcg@10"]] == ["10", "20"]


@pytest.mark.parametrize("moment", [1, 2, "start", 3])
def test_a_run_stopped_in_any_stage_resumes_to_the_same_numbers(log_folder, in_two_stages, tmp_path, monkeypatch, moment):
    """Stopped after the first evaluation on the log, after the last one there, and after the first two in the simulator."""
    from recframe.training.checkpoints import RunCheckpoints

    (whole_folder, whole), cfg = in_two_stages, of_log(log_folder)
    saves = 0
    save, start = RunCheckpoints.save, RunCheckpoints.on_train_start

    def stop_after(self, trainer):
        nonlocal saves
        save(self, trainer)
        saves += 1
        if saves == moment:
            raise Stop("stopped", 143)

    def stop_after_start(self, trainer, module):
        start(self, trainer, module)
        if moment == "start" and self.candidates:
            raise Stop("stopped", 143)

    monkeypatch.setattr(RunCheckpoints, "save", stop_after)
    monkeypatch.setattr(RunCheckpoints, "on_train_start", stop_after_start)
    with pytest.raises(Stop):
        runner.run(cfg, tmp_path / "run")
    monkeypatch.undo()
    again = runner.resume(tmp_path / "run")
    assert again.policies == whole.policies
    assert again.ranking["policies"] == whole.ranking["policies"]
    assert again.objective == whole.objective
    assert again.selection == whole.selection
    assert [row.split(",")[0] for row in rows_of(tmp_path / "run")] == [row.split(",")[0] for row in rows_of(whole_folder)]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stages=[simulated,logged]"], "stages=[simulated,logged]: use stages=[logged], stages=[simulated] or stages=[logged,simulated]"),
        (["stages=[]"], "stages=[]: use stages=[logged]"),
        (["stages=[simulated]"], "environment=none simulates nobody, but stages=[simulated] has a simulated stage; use stages=[logged]"),
        (["agent=ppo"], "agent=ppo (actor_critic) needs fresh on-policy rollouts, which stages=[logged] does not give (it gives: log,"),
        (["agent=reinforce"], "agent=reinforce needs fresh on-policy rollouts, which stages=[logged] does not give (it gives: log,"),
        (["dataset=synthetic"], "stages: dataset=synthetic has no log to learn from"),
        (["logged.monitor=return"], "logged.monitor: 'return' is not measured on a log with evaluation.k=[5,10]"),
        (["evaluation.k=[]"], "evaluation.k: name at least one"),
    ],
)
def test_mistakes_in_the_stages_are_one_line_each(log_folder, overrides, message):
    log = [] if "dataset=synthetic" in overrides else ["dataset=movielens_format", f"dataset.path={log_folder}"]
    with pytest.raises(ConfigError, match=re.escape(message)):
        compose_config(["experiment=next_item", *QUICK, *log, *overrides])


def test_a_k_of_0_is_one_mistake(log_folder):
    with pytest.raises(ConfigError) as raised:
        composed(log_folder, "evaluation.k=[0]")
    assert raised.value.problems == ["evaluation.k: 0 is not allowed; it must be >= 1"]


@pytest.mark.parametrize(
    ("overrides", "metric"),
    [
        (["evaluation.k=[5,20]"], "ndcg@20"),
        (["evaluation.k=[5,10,20]"], "ndcg@10"),
        (["evaluation.k=[5,20]", "logged.monitor=mrr@5"], "mrr@5"),
        (["evaluation.k=[5,20]", "agent=item_knn", "logged.monitor=ndcg@10"], "ndcg@20"),
        (["evaluation.k=[5,20]", "agent=popular", "logged.monitor=return"], "ndcg@20"),
    ],
    ids=["largest", "10", "named", "closed form", "nothing learned"],
)
def test_the_monitored_metric_follows_the_ks_and_is_recorded(log_folder, overrides, metric):
    assert validate(composed(log_folder, *overrides)).logged.monitor == metric


def test_a_catalogue_smaller_than_the_lists_has_a_warning_and_a_table_of_shorter_ones(log_folder, tmp_path, caplog):
    runner.run(composed(log_folder, "agent=popular", f"evaluation.k=[5,10,{FILMS},100]"), tmp_path / "run")
    assert [line for line in caplog.messages if line.startswith("evaluation.k")] == [
        f"evaluation.k: there are {FILMS} items, so that lists of {FILMS} and 100 hold them all, and say nothing"
    ]
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["evaluation"]["items"] == written["ranking"]["evaluation"]["items"] == FILMS
    runner.run(composed(log_folder, "agent=popular", f"evaluation.k=[5,{FILMS}]"), tmp_path / "small")
    report = (tmp_path / "small" / "report.md").read_text()
    assert "NDCG @5" in report
    assert f"@{FILMS}" not in report


def test_lists_of_all_items_that_are_not_seen_yet_have_a_note(log_folder, tmp_path, caplog):
    runner.run(composed(log_folder, "agent=popular", "evaluation.references=false", f"evaluation.k=[5,10,{FILMS - 8}]"), tmp_path / "run")
    (caveat,) = json.loads((tmp_path / "run" / "result.json").read_text())["caveats"]
    assert re.fullmatch(
        rf"evaluation.k: lists of {FILMS - 8} \(in \d+ of {PEOPLE} queries\) hold all items that are not seen yet.*", caveat
    )
    assert caveat in caplog.messages
    assert f"**Note: {caveat}**" in (tmp_path / "run" / "report.md").read_text()


def test_the_choice_of_weights_is_said_for_a_log_beside_a_simulator(log_folder, tmp_path, capsys):
    more = ["stages=[logged]", "environment=preference_model", "environment.similarity=text", "agent=dqn", "agent.learning_starts=64"]
    runner.run(composed(log_folder, *more), tmp_path / "run")
    sentence = "their ndcg@10 on the validation part, "
    assert sentence in " ".join(capsys.readouterr().out.split())
    report = (tmp_path / "run" / "report.md").read_text()
    assert sentence in report
    value = json.loads((tmp_path / "run" / "result.json").read_text())["ranking"]["policies"]["trained"]["ndcg@10"]["mean"]
    assert f"The table's on the log is {value:.4g}." in report


def test_settings_about_a_log_without_a_logged_stage_are_refused():
    with pytest.raises(ConfigError, match=r"^logs.click_at_least: this run learns from no log; use stages=\[logged\], or leave"):
        compose_config(["logs.click_at_least=4"])


def test_a_reward_that_reads_what_the_log_lacks_is_refused(log_folder, tmp_path):
    with pytest.raises(ConfigError, match=r"reward.dwell reads the signal 'dwell', which the log .* does not have; it has: click, rating"):
        runner.run(composed(log_folder, "reward=[dwell]"), tmp_path / "run")


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    """Decisions of a policy that draws one of four items uniformly; only item 2 is liked, with probability 0.5."""
    file = tmp_path_factory.mktemp("decisions") / "decisions.csv"
    generator = np.random.default_rng(2)
    items = generator.integers(4, size=2_000)
    clicks = (items == 2) & (generator.random(2_000) < 0.5)
    lines = [f"{user},{item},{1_000 + user},0.25,{int(click)}" for user, (item, click) in enumerate(zip(items, clicks, strict=True))]
    file.write_text("user,item,timestamp,propensity,click\n" + "\n".join(lines) + "\n")
    return file


def test_a_log_with_propensities_says_what_the_policies_are_worth(decisions, tmp_path):
    overrides = [f"dataset.interactions={decisions}", "dataset=bandit_log", "encoder=id", "logger=[csv]", "debug=smoke"]
    split = ["split.by=time", "split.test_share=0.4", "evaluation.exclude_seen=false", "evaluation.k=[1,2]", "logged.monitor=hit_rate@1"]
    agent = ["agent=dqn", "logged.batches=100", "logged.evaluate_every=50", "agent.batch_size=64", "agent.learning_rate=0.01"]
    runner.run(compose_config(["experiment=next_item", *overrides, *split, *agent]), tmp_path / "run")
    found = json.loads((tmp_path / "run" / "result.json").read_text())["off_policy"]
    assert found["evaluation"]["decisions"] == 800
    assert found["evaluation"]["rewards"] == [0.0, 1.0]
    # the trained policy shows item 2, whose value is 0.5; the logging policy's is an eighth
    trained, logging = (found["policies"][name]["value"] for name in ("trained", "logging"))
    assert trained["low"] <= 0.5 <= trained["high"]
    assert trained["low"] > 0.35
    assert logging["low"] <= 0.125 <= logging["high"]
    assert found["diagnostics"]["trained"]["effective_rows"] == pytest.approx(200, abs=40)
    report = (tmp_path / "run" / "report.md").read_text()
    assert "| logging policy |" in report


def test_by_time_no_session_is_held_out_as_a_whole_and_none_is_estimated(tmp_path):
    """100 people with two decisions early and one late, and 100 with two decisions late, who may go on after the log ends."""
    file = tmp_path / "log.csv"
    generator = np.random.default_rng(5)
    visits = [(user, time) for user in range(100) for time in (user, user + 1, 9_000 + user)]
    visits += [(user, 9_000 + user + turn) for user in range(100, 200) for turn in (0, 1)]
    lines = [
        f"{user},{item},{100_000_000 + time},0.5,{item}" for (user, time), item in zip(visits, generator.integers(2, size=500), strict=True)
    ]
    file.write_text("user,item,timestamp,propensity,click\n" + "\n".join(lines) + "\n")
    overrides = [f"dataset.interactions={file}", "dataset=bandit_log", "encoder=id", "logger=[csv]", "debug=smoke", "agent=dqn"]
    split = ["split.by=time", "split.time=1973-03-03T12:15:00", "evaluation.exclude_seen=false", "evaluation.k=[1]"]
    learning = ["logged.batches=20", "logged.evaluate_every=10", "logged.monitor=hit_rate@1"]
    runner.run(compose_config(["experiment=next_item", *overrides, *split, *learning]), tmp_path / "run")
    found = json.loads((tmp_path / "run" / "result.json").read_text())["off_policy"]
    assert found["evaluation"]["decisions"] == 300
    assert "sessions" not in found
    assert found["caveats"][-1].startswith("No returns of sessions are estimated: split.by=time holds out the ends of what users did")


def test_decisions_about_rare_items_are_not_dropped_from_a_log_with_propensities(decisions):
    overrides = [f"dataset.interactions={decisions}", "dataset=bandit_log", "encoder=id", "logger=[csv]", "debug=smoke", "agent=popular"]
    cfg = compose_config(["experiment=next_item", *overrides, "split.by=time", "split.min_item_interactions=2"])
    with pytest.raises(DataError, match=r"^split.min_item_interactions=2 drops decisions, but the propensities of the others"):
        assemble(cfg)


def test_popular_items_are_those_that_are_clicked_not_those_that_are_shown(tmp_path):
    """Item 0 is half of what is shown, and nobody clicks it; of the others, item 3 is clicked most."""
    generator = np.random.default_rng(0)
    shown = np.where(generator.random(2_000) < 0.5, 0, generator.integers(1, 6, size=2_000))
    clicks = generator.random(2_000) < np.where(shown == 0, 0.0, np.where(shown == 3, 0.9, 0.2))
    lines = [f"{row % 100},{item},{1_000 + row},{int(click)}" for row, (item, click) in enumerate(zip(shown, clicks, strict=True))]
    (tmp_path / "log.csv").write_text("user,item,timestamp,click\n" + "\n".join(lines) + "\n")
    overrides = [f"dataset.interactions={tmp_path / 'log.csv'}", "encoder=id", "logger=[csv]", "debug=smoke", "split.by=time"]
    parts = assemble(compose_config(["experiment=next_item", "agent=popular", "split.targets=all", *overrides]))
    popularity = parts.data.catalog.popularity[[parts.data.catalog.ids.index(str(item)) for item in range(6)]]
    assert popularity[0] == 0
    assert popularity.argmax() == 3
    assert popularity.sum() == parts.log.train.frame["click"].sum()


def test_a_log_of_sessions_with_propensities_says_what_sessions_are_worth(tmp_path):
    """Two decisions a session between two items, of which item 1 is worth 1: always taking it returns 2, the logging policy 1."""
    file = tmp_path / "sessions.csv"
    generator = np.random.default_rng(5)
    lines = [
        f"{session % 200},{session},{item},{1_000 + 10 * session + turn},0.5,{item}"
        for session in range(800)
        for turn, item in enumerate(generator.integers(2, size=2))
    ]
    file.write_text("user,session,item,timestamp,propensity,click\n" + "\n".join(lines) + "\n")
    overrides = [f"dataset.interactions={file}", "dataset=bandit_log", "encoder=id", "logger=[csv]", "debug=smoke", "agent=dqn"]
    split = ["split.by=sessions", "split.test_share=0.4", "evaluation.exclude_seen=false", "evaluation.k=[1]", "logged.monitor=hit_rate@1"]
    learning = ["logged.batches=60", "logged.evaluate_every=30", "agent.learning_rate=0.01", "agent.gamma=0.5"]
    runner.run(compose_config(["experiment=next_item", *overrides, *split, *learning]), tmp_path / "run")
    found = json.loads((tmp_path / "run" / "result.json").read_text())["off_policy"]["sessions"]
    trained, logging = (found["policies"][name]["return"] for name in ("trained", "logging"))
    assert trained["mean"] == pytest.approx(2.0, abs=0.1)
    assert logging["low"] <= 1.0 <= logging["high"]
    assert found["evaluation"]["returns"] == [0.0, 2.0]
    assert found["evaluation"]["sessions"] == 320
    # the policies read histories, which the context does not hold
    assert {"return/dr", "return/weighted_dr"} <= found["policies"]["trained"].keys()
    assert not {"return/fitted_q", "return/marginalised_is"} & found["policies"]["trained"].keys()


def of_decisions(file: Path, *overrides: str):
    small = [
        "agent=dqn",
        "agent.batch_size=16",
        "logged.batches=4",
        "logged.evaluate_every=2",
        "evaluation.k=[1]",
        "logged.monitor=hit_rate@1",
    ]
    data = ["dataset=bandit_log", f"dataset.interactions={file}", "logger=[csv]", "debug=smoke"]
    return compose_config(["experiment=next_item", *data, *small, *overrides])


@pytest.mark.parametrize(("num_items", "encoder"), [(150, "tfidf"), (40, "tfidf"), (40, "id")])
def test_contexts_and_items_of_any_number_are_reduced_to_what_the_estimators_take(tmp_path, num_items, encoder):
    """20 features of the context, and more items than there can be products of both: a run ends with all of its tables."""
    generator = np.random.default_rng(0)
    features = [f"context_{number}" for number in range(20)]
    lines = [",".join(["user", "session", "item", "timestamp", "propensity", "click", *features])]
    for session in range(150):
        for turn, item in enumerate(generator.integers(num_items, size=3)):
            drawn = ",".join(f"{value:.3f}" for value in generator.normal(size=20))
            lines.append(f"{session % 50},{session},{item},{1_000 + 10 * session + turn},{1 / num_items},{generator.integers(2)},{drawn}")
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    words = ["red", "blue", "old", "new", "big", "small", "round", "flat", "fast", "slow"]
    titles = [f"{item},{words[item % 10]} {words[item // 10 % 10]} thing{item}" for item in range(num_items)]
    (tmp_path / "items.csv").write_text("\n".join(["item,title", *titles]) + "\n")
    split = ["split.by=sessions", "split.test_share=0.4", f"dataset.items={tmp_path / 'items.csv'}", f"encoder={encoder}"]
    runner.run(of_decisions(tmp_path / "log.csv", *split), tmp_path / "run")
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "caveats" not in written
    assert written["ranking"]["policies"].keys() == written["off_policy"]["policies"].keys() - {"logging"}
    assert written["off_policy"]["evaluation"]["decisions"] == 180
    sessions = written["off_policy"]["sessions"]
    assert sessions["evaluation"]["sessions"] == 60
    assert sessions["policies"]["trained"]["return/dr"]["mean"] is not None


def test_the_policies_that_are_estimated_show_nothing_again_where_the_ranking_may_not(tmp_path):
    """Of three items, person B has two behind them and is shown the third; C is shown one again; A has met all three.

    Where seen items are excluded, every policy shows B and C the third item: it agrees with the log about B, whose click weighs three,
    and not about C. A, who could be shown nothing, is shown some item, and clicks none.
    """
    shown = {"A": [0, 1, 2, 0], "B": [0, 1, 2], "C": [0, 1, 0]}
    lines = ["user,item,timestamp,propensity,click"]
    for person in range(90):
        kind = "ABC"[person % 3]
        last = len(shown[kind]) - 1
        clicks = [int(turn < last or kind == "B") for turn in range(last + 1)]
        lines += [f"{person},{item},{1_000 + 10 * turn},{1 / 3},{clicks[turn]}" for turn, item in enumerate(shown[kind])]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    runner.run(of_decisions(tmp_path / "log.csv", "encoder=id", "split.by=last", "reward=[click]"), tmp_path / "run")
    found = json.loads((tmp_path / "run" / "result.json").read_text())["off_policy"]
    assert found["evaluation"]["decisions"] == 90
    values = {name: metrics["value/ips"]["mean"] for name, metrics in found["policies"].items() if name != "logging"}
    assert {"trained", "random", "popular"} <= values.keys()
    assert values == pytest.approx(dict.fromkeys(values, 1.0), rel=1e-5)


HELD_OUT_SESSIONS = ["encoder=id", "split.by=sessions", "split.test_share=0.4", "evaluation.exclude_seen=false"]


def decisions_of_people(file: Path, people: int) -> Path:
    generator = np.random.default_rng(1)
    lines = [f"{row // 2 % people},{row // 2},{row % 4},{1_000 + row},0.25,{generator.integers(2)}" for row in range(400)]
    file.write_text("user,session,item,timestamp,propensity,click\n" + "\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(("sequence", "other"), [("auto", "sessions"), ("user", "time")])
def test_decisions_are_not_split_at_random_and_the_split_that_fits_their_sequences_is_named(tmp_path, sequence, other):
    file = decisions_of_people(tmp_path / "log.csv", 20)
    settings = ["encoder=id", "split.by=random", "split.targets=all", f"logs.sequence={sequence}"]
    with pytest.raises(DataError, match=rf"split.by=random loses the order of time.* use split.by={other}$"):
        runner.run(of_decisions(file, *settings), tmp_path / "run")


def test_a_log_that_nothing_can_be_estimated_from_costs_no_other_result(tmp_path, caplog):
    """All is about one person: a reward model cannot be fitted to other people."""
    file = decisions_of_people(tmp_path / "log.csv", 1)
    result = runner.run(of_decisions(file, *HELD_OUT_SESSIONS), tmp_path / "run")
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    (sentence,) = written["caveats"]
    assert re.match(r"The policies' values from logged decisions could not be estimated: a reward model needs at least two folds", sentence)
    assert "hit_rate@1" in written["ranking"]["policies"]["trained"]
    assert "off_policy" not in written
    assert result.caveats == (sentence,)
    assert f"**Note: {sentence}**" in (tmp_path / "run" / "report.md").read_text()
    assert [(record.levelname, record.exc_info) for record in caplog.records if record.message == sentence] == [("WARNING", None)]


def run_of_two_people(tmp_path: Path) -> Path:
    """The folder of a run on decisions about two people."""
    runner.run(of_decisions(decisions_of_people(tmp_path / "log.csv", 2), *HELD_OUT_SESSIONS), tmp_path / "run")
    return tmp_path / "run"


def test_a_fault_in_the_estimates_costs_no_other_result_and_leaves_its_traceback(tmp_path, monkeypatch):
    def fault(*args, **kwargs):
        raise ZeroDivisionError("made for this test")

    monkeypatch.setattr("recframe.runner.off_policy.evaluate_off_policy", fault)
    written = json.loads((run_of_two_people(tmp_path) / "result.json").read_text())
    assert "could not be estimated: ZeroDivisionError: made for this test (" in written["caveats"][0]
    assert "ranking" in written
    assert "Traceback" in (tmp_path / "run" / "run.log").read_text()


def test_sessions_that_cannot_be_estimated_cost_no_estimate_of_decisions(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise DataError("made for this test")

    monkeypatch.setattr("recframe.runner.off_policy.evaluate_sessions_off_policy", refuse)
    found = json.loads((run_of_two_people(tmp_path) / "result.json").read_text())["off_policy"]
    assert "value" in found["policies"]["trained"]
    assert "sessions" not in found
    assert found["caveats"][-1] == "The returns of sessions could not be estimated: made for this test."
