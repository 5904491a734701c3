"""Worlds small enough to simulate many times over, and what is said about many samples of them."""

import polars as pl
import pytest
import torch

from recframe.interfaces import Catalog, Data
from recframe.testing import toy_data
from recframe_plugins.environments.preference_model.config import PreferenceModelConfig
from recframe_plugins.environments.preference_model.preference_model import PreferenceModel
from recframe_plugins.environments.rating_matrix.config import RatingMatrixEnvironmentConfig
from recframe_plugins.environments.rating_matrix.rating_matrix import RatingMatrixEnvironment
from recframe_plugins.environments.recsim.config import InterestEvolutionConfig, InterestExplorationConfig, LongTermSatisfactionConfig
from recframe_plugins.environments.recsim.interest_evolution import InterestEvolution
from recframe_plugins.environments.recsim.interest_exploration import InterestExploration
from recframe_plugins.environments.recsim.long_term_satisfaction import LongTermSatisfaction
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld

TIRING = {"topic_world": (TopicWorld, TopicWorldConfig), "preference_model": (PreferenceModel, PreferenceModelConfig)}
RECSIM = {
    "interest_evolution": (InterestEvolution, InterestEvolutionConfig),
    "interest_exploration": (InterestExploration, InterestExplorationConfig),
    "long_term_satisfaction": (LongTermSatisfaction, LongTermSatisfactionConfig),
}
KINDS = {**TIRING, **RECSIM, "rating_matrix": (RatingMatrixEnvironment, RatingMatrixEnvironmentConfig)}
# on a few toy items, rating_matrix's default protocol would soon run out of them
USUAL = {"rating_matrix": {"protocol": "free"}}
# options under which nobody leaves of their own accord
STAYING = {
    **{kind: {"leave_rate": 0.0} for kind in TIRING},
    "interest_evolution": {"time_budget": 1e6},
    "interest_exploration": {},
    "long_term_satisfaction": {"time_budget": 1_000_000},
    "rating_matrix": {"quit_count": 0},
}
# beyond 4.5 standard errors one comparison in 150,000 fails by chance; seeds are fixed besides
STANDARD_ERRORS = 4.5


@pytest.fixture(scope="session")
def toy_world():
    """Toy data in which everybody's rating of everything is known, too."""
    data = toy_data()
    generator = torch.Generator().manual_seed(1)
    return data._replace(ratings=1.0 + 4.0 * torch.rand(len(data.users), len(data.catalog), generator=generator))


@pytest.fixture
def make(toy_world):
    """`make("topic_world", num_users=8, boredom_weight=0.0)`: an environment on the toy data, the other keywords being options."""

    def build(kind, *, num_users=16, history_length=6, split="train", data=None, **options):
        factory, config = KINDS[kind]
        return factory(
            config(**(USUAL.get(kind, {}) | options)),
            data or toy_world,
            num_users=num_users,
            history_length=history_length,
            split=split,
            device="cpu",
        )

    return build


@pytest.fixture(params=list(KINDS))
def kind(request):
    """Each of the environments in turn."""
    return request.param


@pytest.fixture(params=[*TIRING, "rating_matrix"])
def peopled(request):
    """Each of the environments whose people are those of the data."""
    return request.param


@pytest.fixture
def staying(kind):
    """Options of the kind under which nobody leaves of their own accord."""
    return STAYING[kind]


@pytest.fixture(params=list(TIRING))
def tiring(request):
    """Each of the environments whose users tire of repetition."""
    return request.param


@pytest.fixture(params=list(RECSIM))
def recsim(request):
    """Each of the environments that are RecSim's."""
    return request.param


@pytest.fixture(scope="session")
def items_about():
    """`items_about(["jazz", "space", ...])`: data of items alone, each about the topic given for it."""

    def build(topics):
        titles = [f"Item {number}" for number in range(len(topics))]
        attributes = pl.DataFrame({"title": titles, "topics": topics})
        return Data(Catalog(titles, titles, attributes, torch.ones(len(topics)), torch.eye(len(topics))))

    return build


@pytest.fixture
def clones():
    """`clones(environment, user)`: put every simulated user into the present state of one."""

    def copy(environment, user=0):
        saved = environment.state_dict()
        copied = {name: value[user : user + 1].expand_as(value).clone() for name, value in saved["state"].items()}
        history = {name: value[user : user + 1].expand_as(value).clone() for name, value in saved["history"].items()}
        environment.load_state_dict({**saved, "state": copied, "history": history})

    return copy


@pytest.fixture
def assert_mean():
    """`assert_mean(sample, expected)`: the mean of `sample` `[n]` is what is expected, up to chance."""

    def compare(sample, expected):
        sample = sample.double()
        allowed = STANDARD_ERRORS * sample.std() / len(sample) ** 0.5
        assert abs(sample.mean() - expected) <= allowed + 1e-5 * abs(expected)

    return compare


@pytest.fixture
def assert_same_mean():
    """`assert_same_mean(left, right)`: two samples `[n]` and `[m]` have the same mean, up to chance (Welch)."""

    def compare(left, right):
        left, right = left.double(), right.double()
        error = (left.var() / len(left) + right.var() / len(right)).sqrt()
        assert abs(left.mean() - right.mean()) <= STANDARD_ERRORS * error

    return compare


@pytest.fixture
def assert_truth(clones, assert_mean):
    """`assert_truth(environment, item, user)`: copies of a user do with an item what the truth expects, up to chance."""

    def compare(environment, item, user=0):
        clones(environment, user)
        truth = environment.truth()
        step = environment.step(torch.full((environment.spec.num_users, 1), item))
        for name in environment.spec.signals:
            assert_mean(step.response.signals[name].squeeze(1), truth.signals[name][0, item])
        assert_mean(step.terminated.float(), truth.leave[0, item])

    return compare


@pytest.fixture
def random_slates():
    """`random_slates(environment, steps, seed)`: slates of different items, `[steps, N, K]`."""

    def draw(environment, steps, seed=0):
        spec = environment.spec
        order = torch.rand(steps, spec.num_users, spec.num_items, generator=torch.Generator().manual_seed(seed)).argsort(dim=-1)
        return order[..., : spec.slate_size]

    return draw
