"""Each preset of the sequence model learns the order in a log, which a ranking by popularity cannot know."""

import polars as pl
import pytest
import torch

from recframe.building.component import build, component_of
from recframe.components import Kind
from recframe.config.compose.compose import compose_config
from recframe.interfaces import Catalog, Data, EnvironmentSpec, Interactions, Users
from recframe.logs import LogSettings, SequenceSampler, build_log, split_log
from recframe.testing import update

ITEMS, PEOPLE, K = 24, 160, 3
ORDERED = 0.85
"""Probability that the item after number i is number i + 1; otherwise it is any item."""


@pytest.fixture(scope="module")
def interactions():
    generator = torch.Generator().manual_seed(0)
    rows = []
    for user in range(PEOPLE):
        length = int(torch.randint(5, 13, (1,), generator=generator))
        draws, random = torch.rand(length, generator=generator), torch.randint(ITEMS, (length,), generator=generator)
        item = 0
        for place in range(length):
            item = (item + 1) % ITEMS if place and draws[place] < ORDERED else int(random[place])
            rows.append((user, item, place))
    frame = pl.DataFrame(rows, schema={"user": pl.Int64, "item": pl.Int64, "timestamp": pl.Int64}, orient="row")
    return Interactions(frame, ())


def hit_rate(held_out, rank, history_length):
    (queries,) = held_out.batches(PEOPLE, history_length, exclude_seen=False)
    return float((rank(queries.observation) == queries.targets.unsqueeze(1)).any(dim=1).float().mean())


SMALL = ["state_tracker.history_length=8", "state_tracker.item_dim=16", "state_tracker.state_dim=16", "state_tracker.dropout=0.1"]
PRESETS = {
    "sasrec": SMALL,
    "gru4rec": SMALL,
    "caser": [*SMALL[1:], "agent.sequence_length=8"],
    "bert4rec": [*SMALL, "state_tracker.feed_forward_dim=32", "state_tracker.dropout=0.0"],
    "sampled": [*SMALL, "agent=sasrec", "agent.loss=sampled", "agent.negatives=12", "agent.negatives_popularity=0.5"],
    "gbce": [*SMALL, "agent=sasrec", "agent.loss=gbce", "agent.negatives=12"],
}


PASSES = {"bert4rec": 60, "gbce": 110}
"""Passes over the log of those that learn more slowly; the others have 40."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "preset",
    # two losses of one model, whose equations are tested with the models
    [pytest.param(preset, marks=pytest.mark.evidence if preset in ("sampled", "gbce") else ()) for preset in PRESETS],
)
def test_a_preset_learns_the_order_of_a_log(preset, interactions, tmp_path):
    names = [*PRESETS[preset], *([] if "agent=sasrec" in PRESETS[preset] else [f"agent={preset}"])]
    cfg = compose_config(["experiment=next_item", "dataset=movielens_format", f"dataset.path={tmp_path}", *names, "agent.batch_size=32"])
    split = split_log(interactions, PEOPLE, ITEMS, LogSettings())
    log = build_log(split.train, PEOPLE, ITEMS, LogSettings())
    popularity = torch.bincount(log.items, minlength=ITEMS).float()
    numbers = [str(number) for number in range(ITEMS)]
    catalog = Catalog(numbers, numbers, pl.DataFrame({"title": numbers}), popularity, torch.zeros(ITEMS, 0))
    data = Data(catalog, Users([str(user) for user in range(PEOPLE)]), interactions)

    torch.manual_seed(0)
    history = cfg.state_tracker.history_length
    spec = EnvironmentSpec(1, 1, history, ITEMS, log.signals)
    tracker = build(component_of(Kind.STATE_TRACKER, cfg.state_tracker), cfg.state_tracker, spec=spec, data=data)
    component = component_of(Kind.AGENT, cfg.agent)
    cfg.agent.learning_rate = 0.01
    agent = build(component, cfg.agent, spec=spec, state_tracker=tracker, seed=0)
    sampler = SequenceSampler(log, agent.experience, torch.Generator().manual_seed(0))
    optimizers = agent.optimizers()
    for _ in range(PASSES.get(preset, 40) * sampler.batches_per_pass):
        update(agent, optimizers, sampler.draw())
    agent.prepare_to_act()
    learned = hit_rate(split.test, lambda observation: agent.rank(observation, K), history)
    popular = hit_rate(split.test, lambda observation: popularity.topk(K).indices.expand(len(observation), -1), history)
    assert popular < 0.3
    assert learned > popular + 0.35
