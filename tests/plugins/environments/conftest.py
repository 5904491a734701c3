"""Small environments on toy data, and statistical assertions on samples from them."""

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
# the toy catalogue is too small for the default protocol of rating_matrix
USUAL = {"rating_matrix": {"protocol": "free"}}
# options under which no user leaves before the time limit
STAYING = {
    **{kind: {"leave_rate": 0.0} for kind in TIRING},
    "interest_evolution": {"time_budget": 1e6},
    "interest_exploration": {},
    "long_term_satisfaction": {"time_budget": 1_000_000},
    "rating_matrix": {"quit_count": 0},
}
# at 4.5 standard errors one comparison in 150,000 fails by chance; seeds are also fixed
STANDARD_ERRORS = 4.5


@pytest.fixture(scope="session")
def toy_world():
    """Toy data with a rating of every item by every user."""
    data = toy_data()
    generator = torch.Generator().manual_seed(1)
    return data._replace(ratings=1.0 + 4.0 * torch.rand(len(data.users), len(data.catalog), generator=generator))


@pytest.fixture
def make(toy_world):
    """`make("topic_world", num_users=8, boredom_weight=0.0)`: an environment on the toy data; other keywords are options."""

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
    """Each environment."""
    return request.param


@pytest.fixture(params=[*TIRING, "rating_matrix"])
def peopled(request):
    """Each environment whose users come from the data."""
    return request.param


@pytest.fixture
def staying(kind):
    """Options of the environment under which no user leaves before the time limit."""
    return STAYING[kind]


@pytest.fixture(params=list(TIRING))
def tiring(request):
    """Each environment whose users tire of repetition."""
    return request.param


@pytest.fixture(params=list(RECSIM))
def recsim(request):
    """Each RecSim environment."""
    return request.param


@pytest.fixture(scope="session")
def items_about():
    """`items_about(["jazz", "space", ...])`: data with items only, each about the given topic."""

    def build(topics):
        titles = [f"Item {number}" for number in range(len(topics))]
        attributes = pl.DataFrame({"title": titles, "topics": topics})
        return Data(Catalog(titles, titles, attributes, torch.ones(len(topics)), torch.eye(len(topics))))

    return build


@pytest.fixture
def clones():
    """`clones(environment, user)`: set the state of all simulated users to the current state of one user."""

    def copy(environment, user=0):
        saved = environment.state_dict()
        copied = {name: value[user : user + 1].expand_as(value).clone() for name, value in saved["state"].items()}
        history = {name: value[user : user + 1].expand_as(value).clone() for name, value in saved["history"].items()}
        environment.load_state_dict({**saved, "state": copied, "history": history})

    return copy


@pytest.fixture
def assert_mean():
    """`assert_mean(sample, expected)`: the mean of `sample` `[n]` is `expected`, within sampling error."""

    def compare(sample, expected):
        sample = sample.double()
        allowed = STANDARD_ERRORS * sample.std() / len(sample) ** 0.5
        assert abs(sample.mean() - expected) <= allowed + 1e-5 * abs(expected)

    return compare


@pytest.fixture
def assert_same_mean():
    """`assert_same_mean(left, right)`: two samples `[n]` and `[m]` have the same mean, within sampling error (Welch)."""

    def compare(left, right):
        left, right = left.double(), right.double()
        error = (left.var() / len(left) + right.var() / len(right)).sqrt()
        assert abs(left.mean() - right.mean()) <= STANDARD_ERRORS * error

    return compare


@pytest.fixture
def assert_truth(clones, assert_mean):
    """`assert_truth(environment, item, user)`: copies of a user respond to an item as the truth expects, within sampling error."""

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
    """`random_slates(environment, steps, seed)`: slates of distinct items, `[steps, N, K]`."""

    def draw(environment, steps, seed=0):
        spec = environment.spec
        order = torch.rand(steps, spec.num_users, spec.num_items, generator=torch.Generator().manual_seed(seed)).argsort(dim=-1)
        return order[..., : spec.slate_size]

    return draw
