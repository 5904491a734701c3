"""Language users on toy data, played by scripted models behind a local endpoint."""

import pytest
import torch

from recframe.llm import ChatConfig
from recframe.testing import toy_data
from recframe_plugins.environments.language_users.config import LanguageUsersConfig
from recframe_plugins.environments.language_users.language_users import LanguageUsers
from tests.scripted_chat import KNOWING, scripted_chat


@pytest.fixture(scope="session")
def toy():
    """Toy data: what people like is about their topic, and their profiles name it."""
    return toy_data()


@pytest.fixture
def endpoint():
    """A running endpoint whose model knows what people like; a test sets another `answer`."""
    with scripted_chat(KNOWING) as server:
        yield server


@pytest.fixture
def make(toy, endpoint, tmp_path):
    """`make(num_users=8, says=True)`: an environment that asks the endpoint; other keywords are options, `llm` those of the model."""

    def build(*, num_users=4, history_length=6, split="train", data=None, llm=None, **options):
        chat = ChatConfig(**{"cache": str(tmp_path / "answers"), "max_tokens": 400} | endpoint.settings | (llm or {}))
        config = LanguageUsersConfig(llm=chat, **options)
        data = LanguageUsers.training_data(config, data or toy)
        return LanguageUsers(config, data, num_users=num_users, history_length=history_length, split=split, device="cpu")

    return build


@pytest.fixture
def sessions():
    """`sessions(environment, steps, seed)`: what comes back when each user is shown items that nobody has been shown before."""

    def play(environment, steps=6, seed=0):
        observation = environment.reset(seed)
        generator = torch.Generator().manual_seed(seed)
        found = []
        for _ in range(steps):
            order = torch.rand(environment.spec.num_users, environment.spec.num_items, generator=generator)
            if observation.excluded is not None:
                columns = torch.nn.functional.one_hot(observation.excluded.clamp(min=0), environment.spec.num_items).bool()
                order[(columns & (observation.excluded >= 0)[:, :, None]).any(dim=1)] = -1.0
            step = environment.step(order.topk(environment.spec.slate_size, dim=1).indices)
            observation = step.observation
            found.append(step)
        return found

    return play
