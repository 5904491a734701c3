"""The recommenders of logs as agents: conformance, factors by their equations, and a hybrid that held-out interactions weigh."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.interfaces import DataError, NoExperience, WholeLog
from recframe.plugin_loader import registry
from recframe.references.logged import Counts, ItemKNN, LogScorer, ScorerRanker, interaction_matrix
from recframe.testing import ToyTracker, check_component, toy_data, toy_observation, toy_spec, update
from recframe.testing.toy import toy_log
from recframe.tracking.weights import CheckpointError, load_weights, save_weights
from recframe_plugins.agents.baselines.config import ContentCosineConfig
from recframe_plugins.agents.collaborative import als, build
from recframe_plugins.agents.collaborative.als import ALS, folded_in
from recframe_plugins.agents.collaborative.bpr import BPR
from recframe_plugins.agents.collaborative.config import ALSConfig, BPRConfig, EASEConfig, HybridConfig, ItemKNNConfig, UserKNNConfig
from recframe_plugins.agents.collaborative.hybrid import Hybrid, conditional_logit, log_without_rows, mixed
from tests.references.logs_with_tastes import hit_rate, random_log, spec_of, tastes

DATA = toy_data()
AGENTS = ("item_knn", "user_knn", "ease", "als", "bpr_mf", "content_cosine", "hybrid")


def needs_implicit(name):
    if name == "als":
        pytest.importorskip("implicit", reason="the library implicit is not installed: recframe[implicit]")


@pytest.mark.parametrize("name", AGENTS)
def test_they_conform(name):
    needs_implicit(name)
    component = registry().get("agent", name)
    assert component.provides == {"slates", "ranks"}
    check_component(component, component.config(**{"bpr_mf": {"epochs": 3}}.get(name, {})))


@pytest.mark.parametrize(
    ("make", "config"),
    [
        (build.build_item_knn, ItemKNNConfig(neighbors=3, shrinkage=2.0, decay=0.5, weights="rating", repeats=True)),
        (build.build_user_knn, UserKNNConfig(neighbors=3, shrinkage=2.0, decay=0.5, weights="rating", repeats=True)),
        (build.build_ease, EASEConfig(regularization=3.0, max_items=77, decay=0.5, weights="rating", repeats=True)),
        (build.build_content_cosine, ContentCosineConfig(decay=0.5, weights="rating", repeats=True)),
    ],
)
def test_every_option_arrives(make, config):
    spec = toy_spec(DATA)
    agent = make(config, spec, ToyTracker(spec, DATA), seed=0)
    for name, value in vars(config).items():
        assert getattr(agent if name == "repeats" else agent.scorer, name) == value
    assert isinstance(agent.experience, NoExperience if isinstance(config, ContentCosineConfig) else WholeLog)
    assert agent.reads_whole_history


def test_what_a_simulated_session_shows_is_what_the_log_told():
    spec = toy_spec(DATA, slate_size=3, num_candidates=9, num_excluded=4)
    agent = build.build_item_knn(ItemKNNConfig(), spec, ToyTracker(spec, DATA), seed=0)
    log = toy_log(spec, seed=3)
    assert update(agent, agent.optimizers(), log) == []
    scorer = ItemKNN(spec)
    scorer.fit(log)
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(0), users=20)
    for explore in (True, False):
        assert torch.equal(agent.act(observation, explore).slate, ScorerRanker(scorer).rank(observation, 3))


@pytest.mark.parametrize("candidates", [0, 18])
@pytest.mark.parametrize("name", ["content_cosine", "hybrid"])
def test_they_ask_no_questions(name, candidates):
    """The last ten rows are questions, with texts that are like the histories."""
    spec = replace(toy_spec(DATA, slate_size=3, num_candidates=candidates), num_questions=10)
    make, config = getattr(build, f"build_{name}"), registry().get("agent", name).config(repeats=True)
    agent = make(config, spec, ToyTracker(spec, DATA), seed=0)
    if name == "hybrid":
        update(agent, {}, toy_log(spec, seed=3))
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(0), users=20)
    if candidates:
        observation.candidates = torch.cat([torch.arange(8), torch.arange(30, 40)]).expand(20, -1)
    observation.history_items[:, -1] = 35
    for explore in (True, False):
        assert agent.act(observation, explore).slate.max() < 30
    ranked = agent.rank(observation, 12)
    assert ranked.max() < 30
    assert ((ranked >= 0).sum(dim=1) == (8 if candidates else 12)).all()


@pytest.mark.parametrize("name", ["item_knn", "user_knn", "ease", "hybrid"])
def test_weights_on_disk_are_loaded_into_a_new_agent_whatever_their_shapes(name, tmp_path):
    spec, make = toy_spec(DATA), getattr(build, f"build_{name}")
    config = registry().get("agent", name).config()
    agent, fresh = (make(config, spec, ToyTracker(spec, DATA), seed=0) for _ in range(2))
    update(agent, {}, toy_log(spec, seed=3))
    save_weights(agent, tmp_path / "weights.safetensors")
    load_weights(fresh, tmp_path / "weights.safetensors")
    observation = toy_observation(spec, DATA, torch.Generator().manual_seed(0), users=20)
    assert torch.equal(fresh.rank(observation, 40), agent.rank(observation, 40))
    other = build.build_content_cosine(ContentCosineConfig(), spec, ToyTracker(spec, DATA), seed=0)
    with pytest.raises(CheckpointError, match=r"holds the weights of another network: scorer\."):
        load_weights(other, tmp_path / "weights.safetensors")


def test_a_refusal_names_the_option():
    spec = toy_spec(DATA)
    agent = build.build_ease(EASEConfig(weights="dwell"), spec, ToyTracker(spec, DATA), seed=0)
    with pytest.raises(DataError, match=r"agent\.weights: the log has no signal 'dwell'"):
        update(agent, {}, toy_log(spec, seed=0))


def test_without_the_library_a_factorization_says_what_to_install(monkeypatch):
    monkeypatch.setattr(als, "find_spec", lambda name: None)
    spec = toy_spec(DATA)
    with pytest.raises(ValueError, match=r"pip install 'recframe\[implicit\]'"):
        build.build_als(ALSConfig(), spec, ToyTracker(spec, DATA), seed=0)


def test_factors_of_a_history_solve_the_weighted_least_squares():
    generator = torch.Generator().manual_seed(0)
    item_factors = torch.randn(17, 4, generator=generator)
    items = torch.stack([torch.randperm(17, generator=generator)[:5] for _ in range(6)])
    values = torch.rand(6, 5, generator=generator) * (torch.rand(6, 5, generator=generator) < 0.7)
    found = folded_in(item_factors, items, values, confidence=3.0, regularization=0.2)
    y = item_factors.double().numpy()
    for user in range(6):
        r = np.zeros(17)
        r[items[user].numpy()] = values[user].numpy()
        c, p = np.diag(1 + 3.0 * r), (r > 0).astype(float)
        assert np.allclose(found[user].numpy(), np.linalg.solve(y.T @ c @ y + 0.2 * np.eye(4), y.T @ c @ p), atol=1e-4)


def fitted(config, log, **choices):
    needs_implicit("als")
    scorer = ALS(config, spec_of(log, **choices), seed=3)
    scorer.fit(log)
    return scorer


def als_loss(scorer, matrix, config):
    users, items = scorer.user_factors.double().numpy(), scorer.item_factors.double().numpy()
    c, p = 1 + config.confidence * matrix, matrix > 0
    return (c * (p - users @ items.T) ** 2).sum() + config.regularization * ((users**2).sum() + (items**2).sum())


def test_als_lowers_the_loss_of_its_paper_to_near_a_stationary_point():
    log, config = random_log(1, sequences=40), ALSConfig(factors=5, regularization=0.1, confidence=4.0, iterations=200)
    matrix = interaction_matrix(log, by_user=True).toarray()
    scorer = fitted(config, log)
    reached = als_loss(scorer, matrix, config)
    assert reached < 0.9 * als_loss(fitted(ALSConfig(**{**vars(config), "iterations": 1}), log), matrix, config)
    # the users' factors are the best for the items' factors, and so what fold-in gives
    items = torch.arange(17).expand(40, -1)
    values = torch.from_numpy(matrix).float()
    best = folded_in(scorer.item_factors, items, values, 4.0, 0.1)
    scorer.user_factors = best
    assert als_loss(scorer, matrix, config) == pytest.approx(reached, rel=1e-2)


@pytest.mark.parametrize("fold_in", ["new", "all"])
def test_als_reads_the_history_of_users_that_are_not_in_the_log_or_of_all(fold_in):
    log, held_out, _ = tastes(seed=2, people=60)
    scorer = fitted(ALSConfig(factors=8, fold_in=fold_in), log)
    (queries,) = held_out.batches(60, 0)
    observation = queries.observation
    observation.user[:3] = torch.tensor([60, 1_000, 10**6])
    query, folded = scorer.query(observation), scorer.fold_in(observation)
    assert torch.equal(query[:3], folded[:3])
    assert torch.equal(query[3:], folded[3:] if fold_in == "all" else scorer.user_factors[3:60])
    anonymous = fitted(ALSConfig(factors=8), log, has_users=False)
    assert torch.equal(anonymous.query(observation), anonymous.fold_in(observation))


@pytest.mark.parametrize("kind", ["als", "bpr_mf", "hybrid"])
def test_they_beat_the_popular_items_where_people_have_tastes_and_learn_the_same_twice(kind):
    needs_implicit(kind)
    log, held_out, _ = tastes(seed=1)
    spec = spec_of(log)
    parts = {"item_knn": ItemKNN(spec), "popular": Counts(spec)}
    make = {
        "als": lambda: ALS(ALSConfig(factors=8), spec, seed=0),
        "bpr_mf": lambda: BPR(BPRConfig(factors=8), spec, seed=0),
        "hybrid": lambda: Hybrid(spec, parts, max_queries=200, seed=0),
    }[kind]
    popular, one, other = Counts(spec), make(), make()
    for scorer in (popular, one, other):
        scorer.fit(log)
    assert hit_rate(ScorerRanker(one), held_out) > hit_rate(ScorerRanker(popular), held_out) + 0.05
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_the_weights_of_a_mixture_are_the_most_likely_ones():
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(400, 12, 2, generator=generator)
    utility = scores @ torch.tensor([0.9, 0.3]) - (-torch.rand(400, 12, generator=generator).log()).log()
    taken = utility.argmax(dim=1)
    found = conditional_logit(scores, taken)
    # the likelihood on a grid of both coefficients
    z, best = scores.double().numpy(), (-np.inf, None)
    for one in np.arange(0.0, 1.5, 0.05):
        for two in np.arange(0.0, 1.5, 0.05):
            logits = z @ np.array([one, two])
            value = (logits[np.arange(400), taken.numpy()] - np.log(np.exp(logits).sum(axis=1))).mean()
            best = max(best, (value, (one, two)))
    one, two = best[1]
    assert found.numpy() == pytest.approx([one / (one + two), two / (one + two)], abs=0.05)
    assert found[0] > 0.6


def test_a_part_that_misleads_gets_no_weight_and_nothing_is_equal_weights():
    scores = torch.zeros(50, 6, 2)
    taken = torch.arange(50) % 6
    scores[torch.arange(50), taken, 0] = 1.0
    scores[torch.arange(50), taken, 1] = -1.0
    assert conditional_logit(scores, taken).tolist() == [1.0, 0.0]
    assert conditional_logit(torch.zeros(50, 6, 2), taken).tolist() == [0.5, 0.5]


def test_a_hybrid_adds_the_parts_in_units_of_their_deviation():
    log, held_out, _ = tastes(seed=1, people=40)
    spec = spec_of(log)
    parts = [ItemKNN(spec), ItemKNN(spec, decay=1.0, shrinkage=0.0)]
    for part in parts:
        part.fit(log)
    (queries,) = held_out.batches(40, 0)
    scores = mixed(parts, queries.observation, torch.tensor([0.25, 0.75]))
    each = [part.evidence(queries.observation).between(0, 60).double().numpy() for part in parts]
    expected = sum(weight * part / part.std(axis=1, keepdims=True) for weight, part in zip((0.25, 0.75), each, strict=True))
    assert np.allclose(scores.between(0, 60).numpy(), expected, atol=1e-4)
    chosen = torch.randint(60, (40, 5), generator=torch.Generator().manual_seed(0))
    assert torch.allclose(scores.of(chosen), scores.between(0, 60).gather(1, chosen), atol=1e-5)


class Remembering(LogScorer):
    """Scores highest what the log that it was fitted to holds for the user: it can only tell what it has seen."""

    def learn(self, matrix, log):
        self.register_buffer("taken", torch.from_numpy(matrix.toarray()))

    def evidence(self, observation):
        from recframe_plugins.agents.bandits.linear_scores import ItemTable

        return ItemTable(self.taken[observation.user])


def test_a_mixture_is_not_weighed_by_what_its_parts_were_fitted_to():
    log, _, _ = tastes(seed=1)
    spec = spec_of(log)
    hybrid = Hybrid(spec, {"remembering": Remembering(spec), "item_knn": ItemKNN(spec)}, max_queries=200, seed=0)
    hybrid.fit(log)
    # it would be certain of every held-out item if it had been fitted to it; without it, it only knows what is not taken again
    assert hybrid.mixture[0] < 0.05
    assert len(hybrid.held_out_rows(log)) == 200


def test_held_out_rows_are_the_last_clicks_and_leave_the_rest_of_the_log():
    log = random_log(5)
    hybrid = Hybrid(spec_of(log), {"popular": Counts(spec_of(log))}, max_queries=1_000, seed=0)
    rows = hybrid.held_out_rows(log)
    lengths = log.offsets.diff()
    last = [int(end) - 1 for end, length in zip(log.offsets[1:], lengths, strict=True) if length > 1]
    assert rows.tolist() == [row for row in last if log.feedback[row, 0] > 0]
    rest = log_without_rows(log, rows)
    kept = [row for row in range(len(log)) if row not in rows.tolist()]
    assert rest.items.tolist() == log.items[kept].tolist()
    assert rest.users.tolist() == rest.sequence.tolist()
    assert rest.num_sequences == log.num_sequences


def test_a_mixture_of_nothing_or_of_the_same_twice_is_refused():
    assert list(HybridConfig(parts=[]).contradictions()) == [
        "agent.parts is empty: list recommenders, from item_knn, user_knn, ease, als, bpr_mf, content_cosine"
    ]
    assert list(HybridConfig(parts=["ease", "ease"]).contradictions()) == ["agent.parts: a recommender is listed twice; list each once"]
    assert list(HybridConfig().contradictions()) == []
