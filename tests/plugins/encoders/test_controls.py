"""The encoders `random` and `id`: noise that depends on the text alone, and empty vectors, which every part of a run accepts or refuses."""

import dataclasses
import importlib
import time

import numpy as np
import pytest
import torch

from recframe.building.data import load
from recframe.config import compose_config
from recframe.embeddings import EmbeddingStore
from recframe.evaluation.simulated.metrics import policy_metrics
from recframe.evaluation.simulated.rollout import Episodes
from recframe.experience import RewardSum
from recframe.interfaces import DataError, EncoderError
from recframe.plugin_loader import registry
from recframe.references.fitting.greedy import fit_greedy
from recframe.references.fitting.random_log import collect_random_log
from recframe.testing import ConformanceError, ToyEnvironment, ToyTracker, check_agent, check_component, toy_data, toy_spec
from recframe_plugins.encoders.controls.config import IdConfig, RandomEncoderConfig
from recframe_plugins.encoders.controls.encoder import IdEncoder, RandomEncoder
from recframe_plugins.rewards.text_similarity import TextSimilarity

CPU = torch.device("cpu")
TEXTS = ["a quiet film", "", "🎬 gardens", "a quiet film", "a quiet film."]


def noise(**options) -> RandomEncoder:
    return RandomEncoder(RandomEncoderConfig(**options), CPU)


def without_vectors(data):
    def empty(texts):
        return dataclasses.replace(texts, vectors=torch.empty(len(texts.texts), 0))

    catalog = dataclasses.replace(data.catalog, text_vectors=torch.empty(len(data.catalog), 0))
    users = dataclasses.replace(data.users, profiles=empty(data.users.profiles))
    return data._replace(catalog=catalog, users=users, contexts=empty(data.contexts))


@pytest.mark.parametrize("name", ["random", "id"])
def test_the_encoder_conforms(name):
    check_component(registry().get("encoder", name))


@pytest.mark.parametrize("dim", [1, 7, 384])
def test_noise_depends_on_seed_and_text_only(dim):
    vectors = noise(dim=dim).encode(TEXTS, "item")
    assert vectors.shape == (5, dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(noise(dim=dim).encode(TEXTS[::-1], "user")[::-1], vectors)
    assert np.array_equal(vectors[0], vectors[3])
    assert dim == 1 or not np.array_equal(vectors[0], vectors[4])
    assert dim == 1 or not np.allclose(noise(dim=dim, seed=1).encode(TEXTS, "item"), vectors)
    assert noise(dim=dim).fingerprint != noise(dim=dim, seed=1).fingerprint != noise(dim=dim + 1).fingerprint


def test_noise_has_no_preferred_direction():
    vectors = noise(dim=16).encode([f"text {number}" for number in range(20_000)], "item")
    # standard errors for 20,000 unit vectors in 16 dims: 0.0018 for means and for products
    assert np.abs(vectors.mean(axis=0)).max() < 0.01
    assert np.abs(vectors.T @ vectors / len(vectors) * 16 - np.eye(16)).max() < 0.06


@pytest.mark.benchmark
def test_noise_for_a_hundred_thousand_texts_takes_seconds():
    began = time.perf_counter()
    noise().encode([f"text {number}" for number in range(100_000)], "item")
    assert time.perf_counter() - began < 10


def test_the_store_caches_nothing_for_an_encoder_that_reads_no_text(tmp_path):
    vectors = EmbeddingStore(tmp_path / "cache", IdEncoder(IdConfig(), CPU)).vectors(TEXTS, "item")
    assert vectors.shape == (5, 0)
    assert vectors.dtype == torch.float32
    assert not (tmp_path / "cache").exists()


def test_diversity_is_not_measured_without_text_vectors():
    data = toy_data()
    slates = torch.arange(12).view(3, 4, 1)
    episodes = Episodes(slates, torch.ones(3, 4, dtype=torch.bool), torch.ones(3, 4, 1), terms={}, clicks=None)
    assert "diversity" in policy_metrics(episodes, data.catalog)
    without = policy_metrics(episodes, without_vectors(data).catalog)
    assert "diversity" not in without
    assert "novelty" in without


def test_similarity_rewards_refuse_data_without_text_vectors():
    with pytest.raises(DataError, match="reward=diversity compares items by their texts, which are not read"):
        TextSimilarity("diversity")(without_vectors(toy_data()).catalog, torch.zeros(1, 1).long(), torch.zeros(1, 1).long())


@pytest.mark.parametrize(
    ("name", "options", "remedy"),
    [("preference_model", {}, "use 'factors'"), ("rating_matrix", {"quit_count": 2, "protocol": "free"}, "use 'ratings'")],
)
def test_similarity_environments_refuse_data_without_text_vectors(name, options, remedy):
    component = registry().get("environment", name)
    with pytest.raises(
        ConformanceError, match=f"similarity is 'text', but texts are not read; {remedy}, or choose an encoder@world_encoder"
    ):
        check_component(component, component.config(similarity="text", **options), data=without_vectors(toy_data()))


def test_the_gym_bridge_leaves_out_empty_text_vectors():
    from recframe.gym.observations import ObservationArrays

    data = without_vectors(toy_data())
    spec = toy_spec(data)
    assert ObservationArrays(spec, data, 32).space["history"].shape == (spec.history_length, len(spec.signals))


@pytest.mark.parametrize("agent", ["epsilon_greedy", "linucb", "greedy_reward"])
def test_agents_with_text_features_work_without_text_vectors(agent):
    data = toy_data()
    spec = toy_spec(data)
    component = registry().get("agent", agent)
    module, _, name = component.factory.partition(":")
    factory = getattr(importlib.import_module(module), name)
    # the world has text vectors, but the agent does not
    check_agent(factory(component.config(), spec, ToyTracker(spec, without_vectors(data)), seed=0), ToyEnvironment(spec, data))


def test_the_greedy_reference_works_without_text_vectors():
    data = toy_data()
    spec = toy_spec(data)
    rewards = RewardSum(
        {"click": (lambda transition, catalog: transition.response.signals["click"], 1.0)}, data.catalog, frozenset({"click"})
    )
    log = collect_random_log(ToyEnvironment(spec, data), rewards, [0, 1], 20, 500)
    policy = fit_greedy(log, spec, without_vectors(data), 0)
    scores = policy.predict(ToyEnvironment(spec, data).reset(3))
    assert scores.shape == (spec.num_users, len(data.catalog))
    assert scores.isfinite().all()
    # items still differ in clicks and popularity
    assert scores.std(dim=1).min() > 0


def test_a_run_without_an_encoder_has_empty_vectors_and_writes_no_cache(tmp_path):
    cfg = compose_config(["encoder=id", f"embeddings.cache={tmp_path / 'cache'}", "dataset.num_items=40", "dataset.num_users=80"])
    data, reading, *_ = load(cfg, CPU)
    assert reading is data
    assert data.catalog.text_vectors.shape == (40, 0)
    assert data.users.profiles.vectors.shape == (80, 0)
    assert not (tmp_path / "cache").exists()


def test_the_world_can_read_texts_that_the_agent_does_not(tmp_path):
    small = ["dataset.num_items=40", "dataset.num_users=80", f"embeddings.cache={tmp_path / 'cache'}"]
    data, reading, *_ = load(compose_config(["encoder=id", "encoder@world_encoder=random", *small]), CPU)
    assert data.catalog.text_vectors.shape == (40, 384)
    assert reading.catalog.text_vectors.shape == (40, 0)


def test_errors_of_the_world_encoder_name_its_own_settings(tmp_path):
    nowhere = ["encoder@world_encoder=bert", "world_encoder.model=nowhere", f"embeddings.cache={tmp_path / 'cache'}"]
    with pytest.raises(EncoderError, match=r"^world_encoder\.model=nowhere: there is no such folder"):
        load(compose_config(["encoder=id", *nowhere, "dataset.num_items=8", "dataset.num_users=8"]), CPU)
