"""Mistakes in the config of a run: all are found at once, each in a line with its remedy."""

import os

import pytest
from omegaconf import OmegaConf

from recframe.config import ConfigError, compose_config, find_mistakes, validate
from recframe.config.checks.machine import folder_problem, surely_without_cuda
from recframe.config.checks.validate import find_problems

LOGGED = ["experiment=next_item", "dataset=movielens_format", "dataset.path=/"]
SPEAKING = ["environment.says=true", "dataset.utterances=1"]


def test_the_default_config_has_no_mistakes():
    assert find_mistakes([]) == []


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["~environment"], "environment: a choice is required, and ~environment leaves none"),
        (
            ["auxiliary.weight=1", "auxiliary.signal=purchase"],
            "auxiliary.signal: environment=topic_world gives no signal 'purchase'; it gives: click, rating",
        ),
        (
            ["auxiliary.weight=1", "auxiliary.predicts=responses", "auxiliary.signal=rating"],
            "auxiliary.signal is of auxiliary.predicts=item, and here responses are predicted; leave it out",
        ),
        ([*LOGGED, "agent=sasrec", "agent.negatives_popularity=0.5"], "agent.negatives_popularity is for agent.loss=sampled, not full"),
        ([*LOGGED, "agent=bert4rec", "agent.sequence_length=9"], "agent.sequence_length is for predicting the next item"),
        (
            [*LOGGED, "agent=sequence_model", "state_tracker=gru", "agent.masked_share=0.2"],
            "agent=sequence_model needs a state tracker that reads in both directions, which state_tracker=gru does not give",
        ),
        (
            [*LOGGED, "agent=bert4rec", "state_tracker=sasrec"],
            "a state tracker that reads in both directions, "
            "which state_tracker=sasrec (attention) gives with state_tracker.bidirectional=true",
        ),
        (
            ["environment.questions=[free]"],
            "environment.questions=['free'] needs texts that users may say, each with its intent and sentiment",
        ),
        (["environment.questions=[attribute]"], "environment.questions: 'attribute' is not allowed; it must be one of attributes, free"),
        (["environment.questions=[attributes,attributes]"], "environment.questions=[attributes,attributes] names one twice"),
        (
            ["environment.questions=[free]", *SPEAKING],
            "with environment.says=true people say what they want without being asked; set environment.says=false",
        ),
        (
            ["agent=slate_q", "environment.slate_size=2", "environment.questions=[attributes]"],
            "environment.questions: agent=slate_q learns from clicks, and a question has none",
        ),
        (["environment.answer_noise=0.2"], "environment.answer_noise has no meaning without environment.questions=[attributes]"),
        (["environment.question_patience_cost=0.2"], "environment.question_patience_cost has no meaning without environment.questions"),
        (
            ["reward=[click,question_cost]"],
            "reward=question_cost needs questions that users answer, which environment=topic_world gives with environment.questions=[...]",
        ),
        (
            ["reward=[click,question_cost]", "environment=interest_evolution"],
            "questions that users answer, which environment=interest_evolution does not give",
        ),
        (["trainer.monitor=asked"], "trainer.monitor: 'asked' is not measured, because it needs users who answer questions"),
        (
            ["stages=[logged]", "logged.simulated_steps=1000", "environment.questions=[attributes]"],
            "environment.questions: in a log nobody was asked anything; use stages=[simulated], or environment.questions=[]",
        ),
        (["trainer.learning_rate_end=0.1"], "trainer.learning_rate_end=0.1 has no meaning for a constant rate"),
        (["trainer.selection_window=3", "trainer.final_weights=last"], "trainer.selection_window has no meaning with"),
        (["trainer.evaluate_start=true", "trainer.final_weights=last"], "trainer.evaluate_start has no meaning with"),
        (["trainer.weight_average=1.0"], "trainer.weight_average: 1.0 is not allowed; it must be > 0 and < 1"),
        (["labels=[sentimant]"], "labels=sentimant: labels has no choice 'sentimant'. Did you mean 'sentiment'?"),
        (["labels=[sentiment]", "labels.sentiment.temperature=0"], "labels.sentiment.temperature: 0.0 is not allowed; it must be > 0"),
        (["labels=[sentiment]", "labels.sentiment.unit=word"], "labels.sentiment.unit: 'word' is not allowed"),
        (["labels=[sentiment]", "labels.sentiment.prototypes.positive=[]"], "labels.sentiment.prototypes.positive: a sentence or more"),
        (["labels=[sentiment]", "labels.sentiment.prototypes.neutral=[fine,' ']"], "prototypes.neutral: a sentence or more is needed"),
        (["+labels.mood.prototypes.glad=[hurrah]"], "labels.mood: write your own labels into a file, such as conf/labels/mood.yaml"),
        (
            ["environment=gymnasium", "environment.id=CartPole-v1", "reward=[environment]", "labels=[intent]"],
            "labels: environment=gymnasium brings its own items, so that no texts are read; use labels=[]",
        ),
        (
            ["reward=[sentiment]", "labels=[sentiment]"],
            "reward=sentiment needs a text of what the user says in each step, which environment=topic_world gives with "
            "environment.says=true",
        ),
        (
            ["reward=[sentiment]", "labels=[sentiment]", "environment.questions=[free]", "dataset.utterances=1"],
            "reward=sentiment needs a text of what the user says in each step, which environment=topic_world gives with "
            "environment.says=true",
        ),
        (
            ["reward=[sentiment]", "labels=[sentiment]", "environment=interest_evolution"],
            "reward=sentiment needs a text of what the user says in each step, which environment=interest_evolution does not give",
        ),
        (
            ["reward=[sentiment]", "reward.sentiment.negative=positive", *SPEAKING],
            "reward=sentiment needs a label 'sentiment=positive', which labels does not define (it is empty; add labels=[sentiment])",
        ),
        (
            ["reward=[sentiment]", "labels=[sentiment]", "reward.sentiment.positive=positiv", *SPEAKING],
            "a label 'sentiment=positiv', which labels does not define. Did you mean 'sentiment=positive'?",
        ),
        (
            ["environment.says=true"],
            "environment=topic_world needs texts that users may say, each with its intent and sentiment, which dataset=synthetic gives "
            "with dataset.utterances=..., a number above 0",
        ),
        (["state_tracker.reads=[profiles]"], "state_tracker.reads: 'profiles' is not allowed; it must be one of profile, context, labels"),
        (["encoder@world_encoder=tfidff"], "encoder@world_encoder=tfidff: encoder has no choice 'tfidff'. Did you mean 'tfidf'?"),
        (["world_encoder=tfidf"], ", as encoder@world_encoder=NAME"),
        (["encoder@world_encoder=tfidf", "world_encoder.dim=0"], "world_encoder.dim: 0 is not allowed; it must be >= 1"),
        (["embeddings.dim=0"], "embeddings.dim: 0 is not allowed; it must be >= 1"),
        (["auxiliary.weight=-1"], "auxiliary.weight: -1.0 is not allowed; it must be >= 0"),
        (["agent=dqm"], "agent=dqm: agent has no choice 'dqm'. Did you mean 'dqn'?"),
        (["agent.gama=0.9"], "agent.gama: agent has no 'gama'. Did you mean 'agent.gamma'?"),
        (["agnt=dqn"], "agnt: the config has no 'agnt'. Did you mean 'agent'?"),
        (["agent.gamma=high"], "agent.gamma: Value 'high' of type 'str' could not be converted to Float"),
        (["agent.gamma=1.5"], "agent.gamma: 1.5 is not allowed; it must be >= 0 and <= 1"),
        (["environment.num_users=0"], "environment.num_users: 0 is not allowed"),
        (["agent.loss=hubert"], "agent.loss: 'hubert' is not allowed; it must be one of huber, mse"),
        (["agent.gamma.deep=1"], "agent.gamma.deep: agent.gamma is a value"),
        (["agent"], "'agent' is not of the form key=value"),
        (["reward=[click,clack]"], "reward=clack: reward has no choice 'clack'. Did you mean 'click'?"),
        (["reward=[]"], "reward: at least one is needed"),
        (["experiment=movietweets"], "experiment=movietweets: experiment has no choice 'movietweets'. Did you mean 'movietweetings'?"),
        (["dataset=movielens_format", "environment=preference_model"], "dataset.path is required"),
        (["experiment=movietweetings", "dataset.path=/nowhere"], "dataset.path: '/nowhere' does not exist"),
        (["environment=preference_model"], "environment=preference_model needs logged interactions"),
        (
            ["environment.slate_size=5"],
            "environment.slate_size=5: agent=dqn cannot show slates of more than one item; use slate_size=1, or one that can: ",
        ),
        (["agent=prioritized_dqn", "environment.slate_size=2"], ", slate_q, td3_bc, thompson, user_knn"),
        (["trainer.monitor_mode=up"], "trainer.monitor_mode: 'up' is not allowed"),
        (["logger=[wandb,tensorbord]"], "logger=tensorbord: logger has no choice 'tensorbord'"),
        (["logger.wandb.mode=onlin"], "logger.wandb.mode: 'onlin' is not allowed"),
        (["name=${nowhere}"], "Interpolation key 'nowhere' not found"),
        (["environment.threshold=nan"], "environment.threshold: nan is not allowed; it must be a finite number"),
        (
            ["trainer.devices=2", "environment.num_users=63"],
            "trainer.devices=2: environment.num_users=63 cannot be divided by 2; use trainer.devices=1, or environment.num_users=62",
        ),
        (
            ["trainer.devices=2", "environment.num_users=24", "environment.group_size=8"],
            "trainer.devices=2: environment.num_users=24 in groups of 8 cannot be divided by 2; use trainer.devices=1, or "
            "environment.num_users=16",
        ),
        (
            ["agent=language_policy", "agent.learning=grpo"],
            "agent.learning=grpo needs several sessions of one person, which begin alike, which environment=topic_world gives with "
            "environment.group_size=..., a number above 1",
        ),
        (
            [
                "logged.simulated_steps=50000",
                "stages=[logged]",
                "environment=none",
                "agent=sasrec",
                "dataset=recbole_atomic",
                "dataset.path=.",
            ],
            "logged.simulated_steps: environment=none simulates nobody; leave it at null, for the log of the dataset",
        ),
        (
            ["logged.simulated_steps=50000", "stages=[logged]", "agent=sasrec", "split.min_item_interactions=2"],
            "split.min_item_interactions: the people and items of a simulator cannot be dropped",
        ),
        (["trainer.devices=2", "agent=language_policy"], "agent=language_policy cannot divide its users; use trainer.devices=1"),
        (
            ["trainer.devices=2", "agent=linucb"],
            "agent=linucb cannot divide its users; use trainer.devices=1, or one that can: actor_critic",
        ),
        (
            ["trainer.devices=2", "device=auto"],
            "over processes on the CPU, and device=auto; use trainer.devices=1, or device=cpu",
        ),
        (["trainer.devices=2", "reward=[click,fairness]"], "trainer.devices=2: reward=fairness compares all users with each other"),
        (["trainer.devices=2", "auxiliary.weight=1"], "trainer.devices=2: the auxiliary prediction is not divided"),
        (
            ["trainer.devices=2", *LOGGED, "agent=dqn"],
            "only simulated users can be divided, and there is a stage that learns from a log",
        ),
        (["trainer.threads=0"], "trainer.threads: '0' is not allowed; it must be auto, or a whole number from 1 to 1024"),
        (["trainer.threads=two"], "trainer.threads: 'two' is not allowed"),
        (["reward.click.weight=inf"], "reward.click.weight: inf is not allowed"),
        (
            ["environment.num_candidates=2", "environment.slate_size=3", "agent=random"],
            "environment.num_candidates is 2, less",
        ),
        (
            ["agent.learning_starts=500", "agent.replay_capacity=400"],
            "agent.learning_starts (500) must not exceed agent.replay_capacity (400): learning would never start",
        ),
        (
            ["agent.importance_anneal_steps=900"],
            "agent.importance_anneal_steps is 900, but with agent.priority_exponent=0 nothing is weighted",
        ),
        (
            [*LOGGED, "agent=crr", "agent.weighting=binary", "agent.beta=2"],
            "agent.beta and agent.weight_cap are for agent.weighting=exp: with binary, leave them at 1 and 20",
        ),
        ([*LOGGED, "agent=filtered_bc", "agent.share=1", "agent.filter_by=mean"], "agent.share=1 keeps all: set share below 1"),
        (
            [*LOGGED, "agent=decision_transformer", "agent.width=10", "agent.heads=4"],
            "agent.width (10) must be a multiple of agent.heads (4)",
        ),
        (
            [*LOGGED, "agent=decision_transformer", "agent.target_return=2", "agent.target_quantile=0.5"],
            "agent.target_return=2 and agent.target_quantile=0.5 both set the return asked for",
        ),
        (["environment.quit_count=9"], "environment.quit_count is 9, but environment.quit_window holds 5: nobody would ever leave"),
        (
            ["environment=interest_exploration", "environment.topic_distribution=[0.5,0.6]"],
            "environment.topic_distribution must add up to 1, not to 1.1",
        ),
        (
            ["environment=interest_exploration", "environment.user_document_mean_affinity_matrix=[[1,0],[0]]"],
            "environment.user_document_mean_affinity_matrix must have 2 rows (user types) of 2 numbers (topics), not [[1, 0], [0]]",
        ),
        (
            ["environment=interest_evolution", "state_tracker=mlp"],
            "state_tracker=mlp needs observations with raw numbers, which environment=interest_evolution gives with "
            "environment.observe_interests=true",
        ),
        (["reward=[fairness]", "+reward.fairness.shares={head:0.5,tail:0.4}"], "reward.fairness.shares must sum to 1, not 0.9"),
        (
            ["environment=gymnasium", "environment.id=CartPole-v1", "reward=[environment]", "environment.kwargs.foo=3"],
            "write +environment.kwargs.foo=...",
        ),
        (
            ["environment=gymnasium", "environment.id=CartPole-v1"],
            "reward=click needs a response signal 'click', which",
        ),
        (
            ["environment=rating_matrix", "reward=[rating]"],
            "environment=rating_matrix needs a rating of every item",
        ),
        (["reward=[purchase]"], "reward=purchase needs a response signal 'purchase', which environment=topic_world does not give"),
        (["seed=0,1", "agent=dqn,dqm"], "agent=dqm: agent has no choice 'dqm'"),
        # the keys of a choice that does not exist are not reported as unknown
        (["agent=pppo,reinforce", "agent.epochs=4", "agent.network=shared"], "agent=pppo: agent has no choice 'pppo'. Did you mean 'ppo'?"),
        (["agent=null"], "agent=null: a choice is required; there are: actor_critic, "),
        (["reward=null"], "reward=null: a choice is required; there are: click"),
        (["reward=[null]"], "reward=null: a choice is required"),
        (["device=gpu"], "device: 'gpu' is not a device. Did you mean 'cpu'? There are: cpu, auto, cuda, cuda:0"),
        (["device=cuda:x"], "device: 'cuda:x' is not a device"),
        (
            ["agent.replay_capacity=100", "agent.learning_starts=100"],
            "agent.replay_capacity=100 holds less than one step of environment.num_users=128",
        ),
        (["trainer.env_steps=500"], "agent.learning_starts=1000 is more than trainer.env_steps=500"),
        (["trainer.monitor=clickrate"], "trainer.monitor: 'clickrate' is not measured. Did you mean 'click_rate'?"),
        (["trainer.monitor=gini"], "trainer.monitor=gini: lower is better; set trainer.monitor_mode=min, or the worst weights are kept"),
        (["trainer.monitor=reward/rating"], "'reward/rating' is not measured. Did you mean 'reward/click'?"),
        (
            ["experiment=pendulum", "trainer.monitor=coverage"],
            "trainer.monitor: 'coverage' is not measured, because it needs actions that are items. There are: return, length, ",
        ),
        (
            ["experiment=pendulum", "trainer.monitor=click_rate"],
            "'click_rate' is not measured, because it needs an environment with the signal 'click'. There are: ",
        ),
        (
            ["encoder=id", "trainer.monitor=diversity"],
            "trainer.monitor: 'diversity' is not measured, because it needs texts that are read. There are: return, length, click_rate, "
            "coverage, novelty, gini, reward/click",
        ),
        (["encoder=tfidf", "encoder@world_encoder=id", "trainer.monitor=diversity"], "'diversity' is not measured, because"),
        (
            ["encoder=concat", "+encoder@encoder.parts.ids=id", "trainer.monitor=diversity"],
            "trainer.monitor: 'diversity' is not measured, because it needs texts that are read",
        ),
        (["agent.gamma=0.9,2"], "agent.gamma: 2.0 is not allowed"),
        (["agent.gamma=choice(0.9,2)"], "agent.gamma: 2.0 is not allowed"),
        (["environment.slate_size=1,5"], "environment.slate_size=5: agent=dqn cannot show"),
        (["agent.loss=huber,msee", "seed=0,1,2"], "agent.loss: 'msee' is not allowed; it must be one of huber, mse"),
        (["environment=topic_world,preference_model"], "environment=preference_model needs logged interactions"),
        (["agent=random,dqn", "agent.gamma=0.9"], "agent.gamma: agent has no 'gamma'. It has: name (with agent=random)"),
        (["seed=" + ",".join(map(str, range(200))), "agent.gamma=0.9,2"], "agent.gamma: 2.0 is not allowed"),
        (["agent.gamma=0.5,0.9,x"], "agent.gamma: Value 'x' of type 'str' could not be converted to Float"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(overrides, expected):
    (problem,) = find_mistakes(overrides)
    assert expected in problem
    assert "\n" not in problem


@pytest.mark.parametrize(
    "overrides",
    [
        ["encoder=id", "encoder@world_encoder=tfidf", "trainer.monitor=diversity"],
        ["encoder=concat", "+encoder@encoder.parts.ids=id", "+encoder@encoder.parts.words=tfidf", "trainer.monitor=diversity"],
        ["experiment=cartpole", "trainer.monitor=coverage"],
        ["experiment=cartpole", "encoder=id", "trainer.monitor=diversity"],
        ["experiment=pendulum", "trainer.monitor=reward/environment"],
    ],
)
def test_a_measured_metric_can_be_monitored(overrides):
    assert find_mistakes(overrides) == []


def test_all_mistakes_are_found_at_once():
    problems = find_mistakes(["agent=dqm", "environment.num_users=-3", "seed=x", "traner.env_steps=5", "reward=[clack]"])
    assert len(problems) == 5


def test_composing_from_python_raises_an_error_with_every_problem():
    with pytest.raises(ConfigError) as caught:
        compose_config(["agent=dqm", "seed=x"])
    assert len(caught.value.problems) == 2


def test_sweeps_additions_and_removals_are_accepted():
    assert find_mistakes(["seed=0,1,2", "agent=dqn,vanilla_dqn", "reward=[click],[click,rating]", "agent.gamma=interval(0.1,0.9)"]) == []
    assert find_mistakes(["~logger.wandb", "+experiment.note=1"]) != []  # an unknown key is a mistake with a plus, too
    assert find_mistakes(["hydra.run.dir=somewhere"]) == []


def test_rewards_are_listed_and_weighted():
    cfg = compose_config(["reward=[click,rating]", "reward.rating.weight=0.25"])
    assert cfg.reward.click.name == "click"
    assert cfg.reward.click.weight == 1.0
    assert cfg.reward.rating.weight == 0.25


def test_a_preset_extends_a_component():
    cfg = compose_config(["agent=vanilla_dqn", "agent.gamma=0.5"])
    assert (cfg.agent.name, cfg.agent.double, cfg.agent.gamma) == ("dqn", False, 0.5)


def test_the_prioritized_presets_weights_are_annealed_over_the_run():
    cfg = compose_config(["agent=prioritized_dqn", "trainer.env_steps=7000"])
    assert validate(cfg).agent.importance_anneal_steps == 7000


def test_a_config_read_back_from_yaml_regains_its_types(tmp_path):
    cfg = compose_config(["agent.gamma=0.5", "encoder@world_encoder=tfidf"])
    file = tmp_path / "config.yaml"
    file.write_text(OmegaConf.to_yaml(cfg, resolve=True))
    assert validate(OmegaConf.load(file)) == validate(cfg)


def test_a_damaged_config_file_is_refused(tmp_path):
    cfg = OmegaConf.create(OmegaConf.to_container(compose_config([])))
    cfg.trainer.env_steps = "many"
    with pytest.raises(ConfigError, match=r"trainer\.env_steps"):
        validate(cfg)
    cfg.trainer.env_steps = 100
    cfg.agent.gamma = "high"
    cfg.reward.click.wieght = 2.0
    with pytest.raises(ConfigError) as caught:
        validate(cfg)
    assert [problem.partition(": ")[0] for problem in caught.value.problems] == ["agent.gamma", "reward.click.wieght"]


def test_debug_smoke_goes_with_any_choice():
    cfg = compose_config(["debug=smoke", "state_tracker=mean", "agent=vanilla_dqn"])
    assert cfg.trainer.env_steps <= 2048


def test_the_shipped_experiments_compose(project_root, tmp_path):
    experiments = sorted(path.stem for path in (project_root / "conf" / "experiment").glob("*.yaml"))
    assert experiments
    for experiment in experiments:
        overrides = [f"experiment={experiment}"]
        if mistakes := find_mistakes(overrides):
            key = "dataset.interactions" if "dataset.interactions" in mistakes[0] else "dataset.path"
            overrides.append(f"{key}={tmp_path}")
        assert find_mistakes(overrides) == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["experiment=null"],
        ["debug=null"],
        ["trainer=null"],
        ["trainer.monitor=reward/click"],
        ["trainer.monitor=gini", "trainer.monitor_mode=min"],
        ["device=auto"],
        ["encoder@world_encoder=null"],
    ],
)
def test_null_choices_and_known_names_are_accepted(overrides):
    assert find_mistakes(overrides) == []
    compose_config(overrides)


def test_a_section_that_is_not_read_may_lack_a_path_but_not_have_an_unknown_key():
    own = ["environment=gymnasium", "environment.id=CartPole-v1", "reward=[environment]", "trainer.monitor=return"]
    assert find_mistakes(["dataset=movielens_format"]) != []
    assert find_mistakes([*own, "dataset=movielens_format", "encoder=gpt"]) == []
    problems = find_mistakes([*own, "dataset=movielens_format", "+dataset.pth=x", "+encoder.modell=y"])
    assert [problem.partition(":")[0] for problem in problems] == ["dataset.pth", "encoder.modell"]
    assert "Integer" in find_mistakes([*own, "dataset=movielens_format", "dataset.min_user_ratings=many"])[0]


def test_logger_can_be_null():
    assert compose_config(["logger=null"]).logger == {}


def test_a_problem_of_some_jobs_of_a_sweep_names_these_jobs():
    problems = find_mistakes(
        [
            "agent=dqn,random",
            "agent.replay_capacity=1000,4000",
            "environment.num_users=64,2000",
            "agent.gamma=0.9",
        ]
    )
    assert "agent.replay_capacity=1000 holds less than one step of environment.num_users=2000; raise it (with agent=dqn)" in problems
    assert "agent.gamma: agent has no 'gamma'. It has: name (with agent=random)" in problems
    assert len(problems) == 3


def test_own_labels_come_from_a_file_and_need_two_labels(tmp_path):
    (tmp_path / "labels").mkdir()
    for name, prototypes in (("mine", "{glad: [hurrah], sad: [alas]}"), ("lonely", "{glad: [hurrah]}")):
        (tmp_path / "labels" / f"{name}.yaml").write_text(f"# @package labels.{name}\nprototypes: {prototypes}\n")
    assert find_mistakes(["labels=[sentiment,mine]", "labels.mine.temperature=0.1"], config_dir=str(tmp_path)) == []
    (problem,) = find_mistakes(["labels=[lonely]"], config_dir=str(tmp_path))
    assert problem == "labels.lonely.prototypes: two labels or more are needed, each with sentences; it has 1"


def test_a_yaml_error_names_the_file_and_the_line(tmp_path):
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text("# @package _global_\nagent:\n\tgamma: 0.5\n")
    (problem,) = find_mistakes(["experiment=mine"], config_dir=str(tmp_path))
    assert problem.startswith(f"{mine}, line 3: not YAML: found character")


def test_another_primary_config_is_checked(tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults: [config, _self_]\nagent:\n  gamma: 3\n")
    (tmp_path / "unrelated.yaml").write_text("port: 80\n")
    (problem,) = find_mistakes([], str(tmp_path), "mine")
    assert "agent.gamma: 3.0 is not allowed" in problem
    (problem,) = find_mistakes([], str(tmp_path), "unrelated")
    assert "config 'unrelated' is not a primary config of recframe train: it lacks dataset" in problem
    assert find_mistakes([], None, "nothing") == ["no config 'nothing' was found"]


@pytest.mark.parametrize("key", ["embeddings.cache", "hydra.run.dir", "hydra.sweep.dir"])
def test_a_folder_that_cannot_be_made_is_a_mistake(tmp_path, key):
    file = tmp_path / "file"
    file.write_text("")
    (problem,) = find_mistakes([f"{key}={file}/deep/er"])
    assert problem == f"{key}: '{file}/deep/er' cannot be a folder: '{file}' is a file"
    assert find_mistakes([f"{key}={tmp_path}/deep/er"]) == []


def test_a_store_that_cannot_be_written_is_no_mistake_but_a_runs_folder_is(tmp_path, monkeypatch):
    # root may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: mode & os.W_OK == 0)
    assert find_mistakes([f"embeddings.cache={tmp_path}/cache"]) == []
    (problem,) = find_mistakes([f"hydra.run.dir={tmp_path}/run"])
    assert problem == f"hydra.run.dir: '{tmp_path}/run' cannot be written: '{tmp_path}' is not writable; choose a folder that is"


def test_the_unresolved_part_of_a_folder_is_not_checked(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert folder_problem("hydra.run.dir", f"{file}${{name}}") == ""
    assert "is a file" in folder_problem("hydra.run.dir", f"{file}/${{name}}")


def test_a_gpu_is_reported_missing_only_without_any_sign_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr("recframe.config.checks.machine.ctypes.util.find_library", lambda name: None)
    monkeypatch.setattr("recframe.config.checks.machine.DRIVER", tmp_path / "nvidia")
    monkeypatch.setattr("recframe.config.checks.machine.sys.platform", "linux")
    assert surely_without_cuda(tmp_path)
    (tmp_path / "nvidia0").write_text("")
    assert not surely_without_cuda(tmp_path)


def test_a_component_that_does_not_exist_leaves_no_requirement_unmet():
    cfg = compose_config(["debug=smoke"])
    cfg.environment.name = "gone"
    assert [problem.partition(". ")[0] for problem in find_problems(cfg)] == ["environment: no environment is called 'gone'"]
