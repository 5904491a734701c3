"""Toy data, specifications, observations and transitions for testing components."""

from __future__ import annotations

import polars as pl
import torch
from tensordict import TensorDict
from torch import Tensor

from recframe.interfaces import (
    PAD,
    Catalog,
    Data,
    EnvironmentSpec,
    Interactions,
    Labels,
    Log,
    Observation,
    Response,
    SequenceBatch,
    Sequences,
    Texts,
    Transition,
    Users,
)

TOPICS = ("space", "cooking", "jazz", "football", "gardens")
GENRES = ("news", "essay", "guide")
MOODS = ("a quick look", "a quiet evening", "on the train")
SENTIMENTS = ("negative", "neutral", "positive")


def toy_data(num_items: int = 40, num_users: int = 60, dim: int = 16, seed: int = 0, device: torch.device | str = "cpu") -> Data:
    """Items and users of five topics, with texts and vectors, contexts, and ratings that follow the topics: 1 to 5, logged and complete.

    Item and user i have topic i modulo 5. Text vectors `[n, dim]` scatter around the vector of their topic.
    """
    generator = torch.Generator().manual_seed(seed)
    item_topics, user_topics = torch.arange(num_items) % len(TOPICS), torch.arange(num_users) % len(TOPICS)
    centres = torch.randn(len(TOPICS), dim, generator=generator)

    def vectors(topics: Tensor) -> Tensor:
        return (centres[topics] + 0.3 * torch.randn(len(topics), dim, generator=generator)).to(device)

    item_names = [TOPICS[topic] for topic in item_topics]
    attributes = pl.DataFrame(
        {
            "title": [f"{topic.capitalize()} no. {number}" for number, topic in enumerate(item_names)],
            "topics": [[topic] for topic in item_names],
            "topic_weights": [[1.0] for _ in item_names],
            "tags": [[topic, "toy"] for topic in item_names],
            "description": [f"All about {topic}." for topic in item_names],
            "genres": [[GENRES[number % len(GENRES)]] for number in range(num_items)],
            "year": [2000 + number % 20 for number in range(num_items)],
        }
    )
    interactions = toy_interactions(item_topics, user_topics, generator)
    popularity = torch.bincount(torch.tensor(interactions.frame["item"].to_list()), minlength=num_items).float()
    catalog = Catalog(
        ids=[f"item-{number}" for number in range(num_items)],
        texts=[f"{title}. All about {topic}." for title, topic in zip(attributes["title"], item_names, strict=True)],
        attributes=attributes,
        popularity=popularity.to(device),
        text_vectors=vectors(item_topics),
    )
    profiles = [f"Person {number} likes {TOPICS[topic]}." for number, topic in enumerate(user_topics)]
    users = Users(
        ids=[f"user-{number}" for number in range(num_users)],
        profiles=Texts(profiles, vectors(user_topics)),
        attributes=pl.DataFrame({"topics": [[TOPICS[topic]] for topic in user_topics], "topic_weights": [[1.0] for _ in user_topics]}),
    )
    # text i has sentiment i with probability 0.8
    sentiment = Labels(SENTIMENTS, (torch.eye(len(MOODS)) * 0.7 + 0.1).to(device))
    contexts = Texts(list(MOODS), torch.randn(len(MOODS), dim, generator=generator).to(device), labels={"sentiment": sentiment})
    agree = (user_topics[:, None] == item_topics).float()
    ratings = 1 + 3 * agree + torch.rand(num_users, num_items, generator=generator)
    return Data(catalog, users, interactions, contexts, ratings.to(device))


def toy_interactions(item_topics: Tensor, user_topics: Tensor, generator: torch.Generator, per_user: int = 12) -> Interactions:
    """`per_user` different items for each user in order of time, rated high if the topics agree."""
    users, items = len(user_topics), len(item_topics)
    chosen = torch.rand(users, items, generator=generator).argsort(dim=1)[:, :per_user]
    noise = torch.randint(0, 2, chosen.shape, generator=generator)
    agree = item_topics[chosen] == user_topics.unsqueeze(1)
    chosen_users = torch.arange(users).unsqueeze(1).expand_as(chosen)
    timestamps = 1_600_000_000 + 86_400 * torch.arange(per_user).expand_as(chosen) + chosen_users
    frame = pl.DataFrame(
        {
            "user": chosen_users.flatten().tolist(),
            "item": chosen.flatten().tolist(),
            "timestamp": timestamps.flatten().tolist(),
            "rating": torch.where(agree, 4 + noise, 1 + noise).float().flatten().tolist(),
        },
        schema_overrides={"rating": pl.Float32},
    )
    return Interactions(frame, feedback=("rating",))


def toy_spec(
    data: Data,
    *,
    num_users: int = 6,
    slate_size: int = 1,
    history_length: int = 5,
    num_candidates: int = 0,
    num_excluded: int = 0,
    num_features: int = 0,
    has_context: bool = False,
    signals: tuple[str, ...] = ("click", "rating"),
) -> EnvironmentSpec:
    """A specification for the data, on its device."""
    return EnvironmentSpec(
        num_users=num_users,
        slate_size=slate_size,
        history_length=history_length,
        num_items=len(data.catalog),
        signals=signals,
        num_candidates=num_candidates,
        num_excluded=num_excluded,
        num_features=num_features,
        has_context=has_context,
        device=data.catalog.popularity.device,
    )


def random_signals(spec: EnvironmentSpec, shape: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """Random values of each signal: 1 to 5 for `rating`, seconds for `dwell`, otherwise 0 or 1."""
    signals = {}
    for name in spec.signals:
        uniform = torch.rand(shape, generator=generator, device=spec.device)
        signals[name] = 1 + (uniform * 5).floor() if name == "rating" else uniform * 60 if name == "dwell" else (uniform < 0.5).float()
    return signals


def random_candidates(spec: EnvironmentSpec, users: int, generator: torch.Generator) -> Tensor:
    """`[users, C]` different items; the last is missing (`PAD`) for every second user."""
    uniform = torch.rand(users, spec.num_items, generator=generator, device=spec.device)
    candidates = uniform.argsort(dim=1)[:, : spec.num_candidates]
    if spec.num_candidates > spec.slate_size:
        candidates[::2, -1] = PAD
    return candidates


def random_exclusions(spec: EnvironmentSpec, candidates: Tensor | None, users: int, generator: torch.Generator) -> Tensor:
    """`[users, E]` different items, none for every third user (`PAD`); at least a slate of items stays allowed."""
    uniform = torch.rand(users, spec.num_items, generator=generator, device=spec.device)
    if candidates is not None:
        # the first candidates are not excluded
        uniform.scatter_(1, candidates[:, : spec.slate_size].clamp(min=0), 2.0)
    excluded = uniform.argsort(dim=1)[:, : spec.num_excluded]
    excluded[::3] = PAD
    return excluded


def toy_observation(spec: EnvironmentSpec, data: Data, generator: torch.Generator, users: int | None = None) -> Observation:
    """A random observation of that many users (by default N), with histories of every length from 0 to H."""
    users, device = users or spec.num_users, spec.device
    items = torch.randint(spec.num_items, (users, spec.history_length), generator=generator, device=device)
    feedback = torch.stack(list(random_signals(spec, tuple(items.shape), generator).values()), dim=-1)
    lengths = torch.arange(users, device=device) % (spec.history_length + 1)
    padding = torch.arange(spec.history_length, device=device) < spec.history_length - lengths.unsqueeze(1)
    candidates = random_candidates(spec, users, generator) if spec.num_candidates else None
    return Observation(
        user=torch.randint(len(data.users) if data.users else 1, (users,), generator=generator, device=device),
        history_items=items.masked_fill(padding, PAD),
        history_feedback=feedback.masked_fill(padding.unsqueeze(-1), 0.0),
        candidates=candidates,
        excluded=random_exclusions(spec, candidates, users, generator) if spec.num_excluded else None,
        context=torch.randint(len(data.contexts.texts), (users,), generator=generator, device=device)
        if spec.has_context and data.contexts
        else None,
        features=torch.randn(users, spec.num_features, generator=generator, device=device) if spec.num_features else None,
        batch_size=[users],
    )


def toy_transition(spec: EnvironmentSpec, data: Data, generator: torch.Generator, users: int | None = None) -> Transition:
    """A random transition as rewards receive it: its rewards are zeros."""
    users, device = users or spec.num_users, spec.device
    slate = torch.rand(users, spec.num_items, generator=generator, device=device).argsort(dim=1)[:, : spec.slate_size]
    signals = random_signals(spec, tuple(slate.shape), generator)
    leave = torch.rand(users, generator=generator, device=device) < 0.3
    observation = toy_observation(spec, data, generator, users)
    following = observation.clone()
    following.history_items = torch.cat([observation.history_items, slate], dim=1)[:, -spec.history_length :]
    feedback = torch.stack(list(signals.values()), dim=-1)
    following.history_feedback = torch.cat([observation.history_feedback, feedback], dim=1)[:, -spec.history_length :]
    return Transition(
        observation=observation,
        slate=slate,
        log_prob=torch.zeros(users, device=device),
        response=Response(signals=TensorDict(signals, batch_size=[users]), leave=leave, batch_size=[users]),
        reward=torch.zeros(users, device=device),
        item_reward=torch.zeros(slate.shape, device=device),
        next_observation=following,
        terminated=leave,
        truncated=torch.zeros_like(leave),
        batch_size=[users],
    )


def toy_sequences(spec: EnvironmentSpec, plan: Sequences, seed: int) -> SequenceBatch:
    """A random batch as a plan asks for it: sequences of 2 to `length` + 1 interactions, the last one as long as can be."""
    generator = torch.Generator(spec.device).manual_seed(seed)
    shape = plan.batch_size, plan.length + 1
    lengths = torch.randint(2, plan.length + 2, (plan.batch_size,), generator=generator, device=spec.device)
    lengths[-1] = plan.length + 1
    places = torch.arange(plan.length + 1, device=spec.device)
    known = places >= plan.length + 1 - lengths.unsqueeze(1)
    items = torch.randint(spec.num_items, shape, generator=generator, device=spec.device)
    feedback = torch.stack(list(random_signals(spec, shape, generator).values()), dim=-1)
    return SequenceBatch(
        user=torch.zeros(plan.batch_size, dtype=torch.int64, device=spec.device),
        item=torch.where(known, items, PAD),
        feedback=feedback * known.unsqueeze(2),
        reward=torch.rand(shape, generator=generator, device=spec.device) * known,
        timestamps=(86_400 * places).expand(shape) * known,
        terminated=torch.rand(plan.batch_size, generator=generator, device=spec.device) < 0.5,
        batch_size=[plan.batch_size],
    )


def toy_log(spec: EnvironmentSpec, seed: int, num_sequences: int = 40) -> Log:
    """A random log of the specification's signals: sequences of 2 to 9 interactions, of as many users, who prefer every fifth item."""
    generator = torch.Generator(spec.device).manual_seed(seed)
    lengths = torch.randint(2, 10, (num_sequences,), generator=generator, device=spec.device)
    offsets = torch.nn.functional.pad(lengths.cumsum(0), (1, 0))
    size, users = int(offsets[-1]), torch.repeat_interleave(torch.arange(num_sequences, device=spec.device), lengths)
    likes = torch.rand(size, generator=generator, device=spec.device) < 0.7
    anything = torch.randint(spec.num_items, (size,), generator=generator, device=spec.device)
    items = torch.where(likes, anything // 5 * 5 + users % 5, anything).clamp(max=spec.num_items - 1)
    signals = ("click", *(name for name in spec.signals if name != "click"))
    feedback = {"click": torch.ones(size, device=spec.device)} | random_signals(spec, (size,), generator)
    return Log(
        users=users,
        items=items,
        timestamps=86_400 * torch.arange(size, device=spec.device),
        signals=signals,
        feedback=torch.stack([feedback[name] for name in signals], dim=1),
        offsets=offsets,
        num_items=spec.num_items,
        num_users=num_sequences,
        rewards=torch.rand(size, generator=generator, device=spec.device),
    )
