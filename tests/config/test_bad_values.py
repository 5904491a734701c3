"""A table of mistakes in single settings and in what is chosen together: each is answered in a line, before anything heavy is imported."""

import pytest

from recframe.config import find_mistakes

WIDE = "a whole number must have 64 bits at most"
TWICE = "is named twice; name each once"

MISTAKES = {
    "": {
        "trainer.env_steps=1000000000000000000000000000000": WIDE,
        "trainer.patience=-1": "-1 is not allowed; it must be >= 1",
        "trainer.selection_window=1000000000": "it must be >= 1 and <= 1000",
        "trainer.gradient_clip=inf": "inf is not allowed; it must be a finite number",
        "trainer.weight_average=1.0": "it must be > 0 and < 1",
        "trainer.learning_rate_warmup=1": "it must be >= 0 and < 1",
        "trainer.precision=fp16": "it must be one of 32-true, bf16-mixed",
        "evaluation.max_steps=99999999999999999999": WIDE,
        "evaluation.num_users=1": "it must be >= 2",
        "evaluation.bootstrap_samples=1000000000": "it must be >= 100 and <= 1000000",
        "evaluation.sample_users=100000000": "it must be >= 0 and <= 1000",
        "evaluation.sample_steps=100000000": "it must be >= 1 and <= 10000",
        "evaluation.people=everyone": "it must be one of held_out, train",
        "logged.batches=0": "it must be >= 1",
        "seed=100000000000000000000000": "it must be >= 0 and <= 9223372036854775807",
        "device=gpu": "'gpu' is not a device. Did you mean 'cpu'?",
        "reward.click.weight=1e308": "a number must have 32 bits at most",
        "environment.taste_weight=1e300": "a number must have 32 bits at most",
        "environment.evaluation_share=1": "it must be > 0.0 and < 1.0",
        "environment.choice_model=nope": "it must be one of independent, multinomial_logit",
        "agent.learning_rate=1e30": "it must be > 0 and <= 10",
        "agent.updates_per_chunk=1000000000": "it must be >= 1 and <= 100000",
        "agent.gamma=nan": "nan is not allowed; it must be a finite number",
        "embeddings.cache=https://x/y": "'https://x/y' is an address; name a folder of this machine",
        "embeddings.dim=0": "it must be >= 1",
        "cold_items.share=nan": "nan is not allowed; it must be a finite number",
        "state_tracker.reads=[everything]": "it must be one of profile, context, labels",
        "auxiliary.weight=-1": "it must be >= 0",
    },
    "reward=[click,rating]": {
        "seed=null": "seed: it may not be null",
        "seed=[1,2]": "could not be converted to Integer",
        "stages=logged": "it is a list; write stages=[...], with brackets",
        "evaluation.k=10": "it is a list; write evaluation.k=[...], with brackets",
        "logger.wandb.tags=a": "it is a list; write logger.wandb.tags=[...], with brackets",
        "logger.mlflow.experiment=x": "logger has no 'mlflow'",
        "agent.batch_size=64.5": "could not be converted to Integer",
        "agentbatch_size=3": "the config has no 'agentbatch_size'",
        "embeddings.cache=": "it is empty; name a folder",
        "hydra.run.dir=s3://bucket/run": "is an address; name a folder of this machine",
        "hydra.sweep.subdir=": "hydra.sweep.subdir: it is empty; name a folder",
        "hydra.launcher=ray": "write hydra/launcher=ray, with a slash, which chooses it",
        "hydra.sweeper=optuna": "write hydra/sweeper=optuna, with a slash, which chooses it",
        "agent:dqn": "is not of the form key=value",
        "=3": "is not of the form key=value; write the key before the sign",
        "encoder=MiniLM": "encoder has no choice 'MiniLM'",
        "environment=interest-evolution": "Did you mean 'interest_evolution'?",
    },
    "agent=ppo": {
        "agent.epochs=100000000": "it must be >= 1 and <= 10000",
        "agent.entropy_weight=-1": "it must be >= 0",
        "agent.gae_lambda=1.01": "it must be >= 0 and <= 1",
    },
    "agent=ppo trainer.chunk_steps=2": {"agent.minibatches=100000": "is more than the 256 steps of a chunk (trainer.chunk_steps=2"},
    "agent=DQN": {"": "Did you mean 'dqn'?"},
    "agent=[dqn,ppo]": {"": "one choice is made here, not a list; to run once with each, use -m agent=dqn,ppo"},
    "reward=[click,click]": {"": TWICE},
    "labels=[sentiment,sentiment]": {"": TWICE},
    "~seed": {"": "a setting cannot be taken out"},
    "~agent.batch_size": {"": "a setting cannot be taken out"},
    "+agent.batch_size=64": {"": "it is in the config already; leave out the '+'"},
    "seed=${oc.env:NO_SUCH_VARIABLE}": {"": "seed: Environment variable 'NO_SUCH_VARIABLE' not found"},
    "reward=[click,rating] reward.click.weight=1e-300 reward.rating.weight=0": {"": "every weight is 0, so that nothing is rewarded"},
    "agent.n_step=1000000": {"": "steps of environment.num_users=128 are more than agent.replay_capacity=50000 holds"},
    "agent.batch_size=512 agent.replay_capacity=300 agent.learning_starts=200": {
        "": "is more than agent.replay_capacity=300 holds; lower it"
    },
    "state_tracker.reads=[profile,profile]": {"": "names an input twice"},
    "state_tracker=mlp experiment=cartpole": {"state_tracker.hidden_sizes=[]": "must name at least one layer"},
    "experiment=cartpole cold_items.share=0.5": {"": "are not items of a dataset, so that none can be held back"},
    "experiment=lora encoder=tfidf": {"": "experiment=lora does not go with what is chosen beside it: it sets 'max_length'"},
    "environment=interest_evolution": {"environment.min_utility=5": "must not exceed environment.max_utility (3)"},
    "logger=[wandb] logger.wandb.project=a/b": {"": "W&B allows no / in a project's name"},
    "logger=[wandb] logger.wandb.project=": {"": "logger.wandb.project: it is empty; name a project"},
    "encoder=http_embeddings encoder.base_url=http://x encoder.model=m": {
        "encoder.retries=1000000000": "it must be >= 0 and <= 100",
        "encoder.requests_per_minute=1e-9": "it must be >= 0.1",
    },
    "encoder=bert": {"encoder.lora_rank=1000000000": "it must be >= 1 and <= 4096", "encoder.model=": "it is empty; give a path"},
}
"""By what is chosen: a setting beside it, and a part of the line that answers it. Mistakes in one place are answered together."""


@pytest.mark.parametrize("chosen", MISTAKES, ids=lambda chosen: chosen or "default run")
def test_a_mistake_is_answered_in_one_line(chosen):
    expected = MISTAKES[chosen]
    problems = find_mistakes([*chosen.split(), *filter(None, expected)])
    for setting, answer in expected.items():
        key = setting.partition("=")[0]
        lines = [line for line in problems if answer in line and key in line]
        assert len(lines) == 1, (setting, problems)
        assert "\n" not in lines[0]
    assert len(problems) == len(expected), problems


@pytest.mark.parametrize(
    "sweep",
    [["agent.gamma=0.5,7"], ["agent=dqn,ppo", "trainer.patience=3,-1"], ["agent=dqn,DQN"], ["seed=0,1", "reward=[click],[click,click]"]],
)
def test_a_mistake_in_one_job_of_a_sweep_is_answered_before_any_job_starts(sweep):
    (problem,) = find_mistakes(sweep)
    assert "\n" not in problem
