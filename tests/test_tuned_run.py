"""A run that tunes its language model: its files, that `evaluate` gives the same results, and what is refused before it starts."""

import json

import pytest
import torch

from recframe.building.component import build, component_of
from recframe.building.parts import assemble
from recframe.components import Kind
from recframe.config import ConfigError, compose_config
from recframe.runner import evaluate, run
from recframe.training import CheckpointError
from tests.tiny_models import tiny_model

SMALL = ["debug=smoke", "dataset.num_items=30", "dataset.num_users=30", "evaluation.references=false", "evaluation.sample_users=0"]
SMALL += [
    "logger=[csv]",
    "agent.updates_per_chunk=1",
    "agent.learning_starts=128",
    "trainer.env_steps=1024",
    "trainer.evaluate_every=512",
    "trainer.progress_bar=false",
]


@pytest.mark.slow
def test_evaluating_a_tuned_run_gives_the_same_table(tmp_path):
    section = compose_config(SMALL).dataset
    data = build(component_of(Kind.DATASET, section), section).load()
    model = tiny_model(tmp_path / "model", [*data.catalog.texts, *data.users.profiles.texts])
    # the embeddings are also whitened, so gradients pass through the whitening
    own = ["encoder=bert", f"encoder.model={model}", "encoder.max_length=24", "embeddings.whiten=true", "auxiliary.weight=0.1"]
    own += [f"embeddings.cache={tmp_path / 'cache'}", "encoder.tuning_interval=2", "encoder.tuning_learning_rate=0.01"]
    results = {}
    for tuning in ("frozen", "lora"):
        cfg = compose_config([*SMALL, *own, f"encoder.tuning={tuning}"])
        results[tuning] = run(cfg, tmp_path / tuning)
    result = json.loads((tmp_path / "lora" / "result.json").read_text())["tuning"]
    assert result["method"] == "lora of rank 8 and alpha 16.0"
    assert result["steps"] >= 1
    assert result["parameters"] == 2 * 2 * (8 * 16 + 16 * 8)
    assert result["cosine"] < 0.9999
    assert "tuning" not in json.loads((tmp_path / "frozen" / "result.json").read_text())
    header = (tmp_path / "lora" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"tuning/steps", "tuning/rows", "tuning/grad_norm", "tuning/cosine", "auxiliary/loss"} <= set(header)
    names = {path.name for path in (tmp_path / "lora" / "checkpoints").iterdir()}
    assert names == {"last.ckpt", *(f"{name}{part}.safetensors" for name in ("best", "final") for part in ("", "_encoder"))}
    for tuning, before in results.items():
        assert evaluate(tmp_path / tuning)["policies"]["trained"] == before.policies["trained"]
    assert results["lora"].policies["trained"] != results["frozen"].policies["trained"]
    # the result depends on the tuned model, not on the agent's weights alone
    (tmp_path / "lora" / "checkpoints" / "final_encoder.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no weights were found at .*final_encoder\.safetensors"):
        evaluate(tmp_path / "lora")
    # tuning changes the agent's tables, not the world's vectors
    parts = [assemble(compose_config([*SMALL, *own, f"encoder.tuning={tuning}"])) for tuning in ("frozen", "lora")]
    assert torch.equal(parts[0].data.catalog.text_vectors, parts[1].data.catalog.text_vectors)


def refused(*overrides):
    with pytest.raises(ConfigError) as caught:
        compose_config([*SMALL, *overrides])
    return str(caught.value)


def test_mistakes_in_tuning_options_are_found_before_a_run_starts():
    assert "encoder.tuning=lora does not go with embeddings.shuffle=true" in refused("encoder.tuning=lora", "embeddings.shuffle=true")
    averaged = refused("encoder.tuning=lora", "trainer.weight_average=0.99")
    assert "encoder.tuning=lora does not go with trainer.weight_average" in averaged
    assert "world_encoder.tuning=full: only the run's own encoder can be tuned" in refused(
        "encoder@world_encoder=bert", "world_encoder.tuning=full"
    )
    parts = ["encoder=concat", "+encoder@encoder.parts.tuning=concat", "+encoder@encoder.parts.tuning.parts.text=bert"]
    problem = "encoder.parts.tuning.parts.text.tuning=lora: only the run's own encoder can be tuned; set it to frozen"
    assert refused(*parts, "encoder.parts.tuning.parts.text.tuning=lora", "+encoder.weights.tuning=0.5") == problem
    assert "'lorra' is not allowed; it must be one of frozen, lora, prefix, adapter, full" in refused("encoder.tuning=lorra")
    assert "encoder.tuning" in refused("encoder=tfidf", "encoder.tuning=lora")
    cfg = compose_config(
        ["environment=gymnasium", "environment.id=CartPole-v1", "state_tracker=mlp", "reward=[environment]", "encoder.tuning=lora"]
    )
    with pytest.raises(ConfigError, match=r"encoder\.tuning: environment=gymnasium has no texts to read; set it to frozen"):
        assemble(cfg).tunable_encoder()
    tfidf = assemble(compose_config([*SMALL, "encoder=tfidf"]))
    assert tfidf.tunable_encoder() is None
