"""Comparison of recframe's versions of RecSim's environments with RecSim's own: statistics of the same policies in both.

    python benchmarks/recsim_agreement.py --side recsim --out recsim.json
    python benchmarks/recsim_agreement.py --side recframe --out recframe.json
    python benchmarks/recsim_agreement.py --compare recsim.json recframe.json --out agreement.md

Each of the three environments is played with two policies: `random` shows different candidates, uniformly; `greedy` shows those with the
highest score (the user's interest in the topic, the document's quality, or the negative of its clickbait score). Slates contain two of 10
candidates that are drawn again in every step (one, where only the first counts). Episodes last until the user's time is over, or 50 steps
where it is unlimited. The comparison covers return, length and clicks of whole episodes, and the distributions of the users' hidden state
after 10 steps and of the documents, with one number for each episode, so that samples are independent.

RecSim creates new documents in every step; recframe draws candidates from a catalogue, here so large that this makes no difference.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from agreement_statistics import comparison, summary
from recsim_reference import RECSIM_ENVIRONMENTS, NotInstalled, recsim_environment
from torch import Tensor

from recframe.building.component import build, component_of
from recframe.components import Kind
from recframe.config import compose_config
from recframe.interfaces import Catalog, Data, Environment, Observation
from recframe.tracking.atomic import atomic_write

CANDIDATES = 10
SLATE_SIZE = {"interest_evolution": 2, "interest_exploration": 2, "long_term_satisfaction": 1}
MAX_STEPS = {"interest_evolution": 10_000, "interest_exploration": 50, "long_term_satisfaction": 10_000}
# the signal whose sum over an episode is RecSim's return
REWARD = {"interest_evolution": "dwell", "interest_exploration": "click", "long_term_satisfaction": "dwell"}
# the documents' properties by recframe's names, and RecSim's names for them
DOCUMENT = {
    "interest_evolution": {"cluster": "cluster_id", "quality": "quality"},
    "interest_exploration": {"quality": "quality"},
    "long_term_satisfaction": {"clickbait_score": "clickbait_score"},
}
POLICIES = ("random", "greedy")
STEPS_BEFORE_STATE = 10
TOPICS = 20

Tables = dict[str, dict[str, np.ndarray]]


class Played(NamedTuple):
    """The results of E episodes.

    returns, lengths, clicks: `[E]`, the sums over each.
    start, state: the users' state `[E, ...]` by name, before the first step and after `STEPS_BEFORE_STATE`.
    documents: the properties `[E]` of one candidate of each first step.
    """

    returns: np.ndarray
    lengths: np.ndarray
    clicks: np.ndarray
    start: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    documents: dict[str, np.ndarray]


def play_recsim(name: str, policy: str, episodes: int, seed: int) -> Played:
    """RecSim's environment `name` with a policy, one user after another."""
    environment = recsim_environment(name, SLATE_SIZE[name], CANDIDATES, resample_documents=True, seed=seed)
    rng = np.random.default_rng(seed)
    rows: dict[str, list[Any]] = {key: [] for key in Played._fields}
    for _ in range(episodes):
        observation = environment.reset()
        rows["start"].append(recsim_state(name, environment))
        document = environment.environment.candidate_set.get_all_documents()[0]
        rows["documents"].append({key: getattr(document, theirs) for key, theirs in DOCUMENT[name].items()})
        total, clicked, length, done = 0.0, 0, 0, False
        while not done and length < MAX_STEPS[name]:
            scores = rng.random(CANDIDATES) if policy == "random" else recsim_scores(name, observation)
            observation, reward, done, _ = environment.step(np.argsort(-scores, kind="stable")[: SLATE_SIZE[name]])
            total += reward
            clicked += sum(response["click"] for response in observation["response"])
            length += 1
            if length == STEPS_BEFORE_STATE:
                rows["state"].append(recsim_state(name, environment))
        rows["returns"].append(total)
        rows["lengths"].append(length)
        rows["clicks"].append(clicked)
    returns, lengths, clicks = (np.asarray(rows[key], dtype=float) for key in ("returns", "lengths", "clicks"))
    named = [{key: np.stack([row[key] for row in rows[by]]) for key in rows[by][0]} for by in ("start", "state", "documents")]
    return Played(returns, lengths, clicks, *named)


def recsim_scores(name: str, observation: Mapping[str, Any]) -> np.ndarray:
    """The score `[C]` of each candidate that the greedy policy goes by."""
    documents = observation["doc"].values()
    if name == "interest_evolution":
        scores = np.stack(list(documents)) @ observation["user"]
    elif name == "interest_exploration":
        scores = np.stack([document["quality"] for document in documents])
    else:
        scores = -np.concatenate(list(documents))
    return np.asarray(scores)


def recsim_state(name: str, environment: Any) -> dict[str, np.ndarray]:
    """The user's hidden state by recframe's names, in copies: RecSim changes interests in place. It has no public way to it."""
    user = environment.environment.user_model._user_state
    if name == "interest_evolution":
        return {"interests": user.user_interests.copy(), "time_budget": np.asarray(user.time_budget, dtype=float)}
    if name == "interest_exploration":
        return {"affinity": user.topic_affinity.copy()}
    return {"net_positive_exposure": np.asarray(user.net_positive_exposure), "satisfaction": np.asarray(user.satisfaction)}


@torch.no_grad()
def play_recframe(name: str, policy: str, episodes: int, seed: int, items: int) -> Played:
    """recframe's environment `name` under a policy, all users at once, each until the end of their first episode."""
    environment: Any = recframe_environment(name, episodes, items)
    generator = torch.Generator().manual_seed(seed)
    observation = environment.reset(seed)
    start, state = numpy_state(environment), {}
    documents = {key: getattr(environment, key)[observation.candidates[:, 0]].numpy() for key in DOCUMENT[name]}
    total, clicks, length = (torch.zeros(episodes, dtype=torch.float64) for _ in range(3))
    first = torch.ones(episodes, dtype=torch.bool)
    for number in range(1, MAX_STEPS[name] + 1):
        scores = torch.rand(episodes, CANDIDATES, generator=generator) if policy == "random" else known_scores(environment, observation)
        best = scores.topk(SLATE_SIZE[name], dim=1).indices
        step = environment.step(observation.candidates.gather(1, best))
        observation = step.observation
        total += first * step.response.signals[REWARD[name]].sum(dim=1)
        clicks += first * step.response.signals["click"].sum(dim=1)
        length += first
        first &= ~(step.terminated | step.truncated)
        if number == STEPS_BEFORE_STATE:
            if not first.all():
                raise RuntimeError(f"{name}: a session ended within {number} steps, and its user's state is gone")
            state = numpy_state(environment)
        if not first.any():
            break
    return Played(total.numpy(), length.numpy(), clicks.numpy(), start, state, documents)


def recframe_environment(name: str, num_users: int, items: int) -> Environment:
    """recframe's environment `name` with its default config, on `items` items whose topics alternate."""
    topics = [[f"topic {item % TOPICS}"] for item in range(items)]
    titles = [f"item {item}" for item in range(items)]
    attributes = pl.DataFrame({"title": titles, "topics": topics})
    data = Data(Catalog(titles, titles, attributes, popularity=torch.ones(items), text_vectors=torch.zeros(items, 1)))
    config = compose_config(
        [
            "agent=random",  # shows slates
            f"environment={name}",
            f"environment.slate_size={SLATE_SIZE[name]}",
            f"environment.num_candidates={CANDIDATES}",
            f"environment.max_steps={MAX_STEPS[name]}",
        ]
    )
    parts = {"data": data, "num_users": num_users, "history_length": 1, "split": "train", "device": torch.device("cpu")}
    environment: Environment = build(component_of(Kind.ENVIRONMENT, config.environment), config.environment, **parts)
    return environment


def known_scores(environment: Any, observation: Observation) -> Tensor:
    """The score `[N, C]` of each candidate for the greedy policy."""
    candidates = observation.candidates
    if "interests" in environment.state:
        return environment.state["interests"].gather(1, environment.cluster[candidates])
    return environment.quality[candidates] if "affinity" in environment.state else -environment.clickbait_score[candidates]


def numpy_state(environment: Any) -> dict[str, np.ndarray]:
    """The users' state, `{name: [N, ...]}` float64."""
    return {key: value.double().numpy().copy() for key, value in environment.state.items()}


def tables(name: str, played: Played) -> Tables:
    """The samples to compare, `[E]` each: of whole episodes, and of users and documents."""
    state, documents = played.state, played.documents
    if name == "interest_evolution":
        interests, cluster, quality = state["interests"], documents["cluster"], documents["quality"]
        topic_means = np.bincount(cluster, quality) / np.maximum(np.bincount(cluster), 1)
        over_users = {
            "time budget": state["time_budget"],
            "mean absolute interest": np.abs(interests).mean(axis=1),
            "greatest interest": interests.max(axis=1),
            "mean absolute change of interest": np.abs(interests - played.start["interests"]).mean(axis=1),
            "quality of a document": quality,
            "quality of a document, less its topic's mean": quality - topic_means[cluster],
        }
    elif name == "interest_exploration":
        affinity = state["affinity"]
        over_users = {f"affinity to topic {topic}": affinity[:, topic] for topic in range(affinity.shape[1])}
        over_users["quality of a document"] = documents["quality"]
    else:
        over_users = {
            "net positive exposure": state["net_positive_exposure"],
            "satisfaction": state["satisfaction"],
            "clickbait score of a document": documents["clickbait_score"],
        }
    episode = {"return": played.returns, "length": played.lengths, "clicks per step": played.clicks / played.lengths}
    return {"episode": episode, "state": over_users}


def main() -> None:
    """Play the environments of one library, or compare two files of samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--side", choices=["recsim", "recframe"], help="play the environments of this library and write the samples")
    what.add_argument("--compare", nargs=2, type=Path, metavar=("RECSIM", "RECFRAME"), help="two files of samples")
    parser.add_argument("--episodes", type=int, default=2000, help="number of episodes of each environment and policy")
    parser.add_argument("--environment", choices=RECSIM_ENVIRONMENTS, nargs="+", default=RECSIM_ENVIRONMENTS)
    parser.add_argument("--items", type=int, default=20_000, help="number of items in recframe's catalogue")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    if arguments.compare:
        recsim, recframe = (json.loads(path.read_text("utf-8"))["samples"] for path in arguments.compare)
        try:
            written = comparison(recsim, recframe, "RecSim", "recframe")
        except ValueError as differ:
            parser.exit(2, f"{differ}; play both with the same --environment\n")
        atomic_write(arguments.out, written)
        print(written)
        return
    samples: dict[str, dict[str, Tables]] = {}
    try:
        for name in arguments.environment:
            for policy in POLICIES:
                # separate seeds, so that samples are independent
                seed = arguments.seed + len(POLICIES) * RECSIM_ENVIRONMENTS.index(name) + POLICIES.index(policy)
                played = (name, policy, arguments.episodes, seed)
                found = tables(name, play_recsim(*played) if arguments.side == "recsim" else play_recframe(*played, arguments.items))
                samples.setdefault(name, {})[policy] = found
                print(f"{name}, {policy}\n{summary(found)}", flush=True)
    except NotInstalled as missing:
        parser.exit(2, f"{missing}\n")
    content = {
        "side": arguments.side,
        "version": version(arguments.side),
        "episodes": arguments.episodes,
        "seed": arguments.seed,
        "samples": samples,
    }
    # seven digits are enough for a comparison of thousands of episodes
    atomic_write(arguments.out, json.dumps(content, default=lambda array: [float(f"{value:.7g}") for value in array]))


if __name__ == "__main__":
    main()
