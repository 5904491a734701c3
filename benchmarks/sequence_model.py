"""Training speed of the sequence model: recframe's SASRec compared with one written in plain PyTorch.

    python benchmarks/sequence_model.py
    python benchmarks/sequence_model.py --users 60 --items 50 --steps 2 --pairs 1      # a few seconds

Both sides make the same steps: batches of the same log, windows of 50 items, d = 64, two layers, dropout, cross-entropy over the whole
catalogue at all places that have a next item, and Adam. They run in turns in one process, and the ratio of their times is computed for
each pair, so that changes in the machine's speed hardly matter. The lengths of the log's sequences are lognormal, as those of
MovieTweetings are; by default there are as many users, items and interactions as in its 5-core.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.interfaces import PAD, Catalog, Data, EnvironmentSpec, Interactions, Log
from recframe.logs import LogSettings, SequenceSampler, build_log
from recframe_plugins.agents.sequence_models.config import SequenceModelConfig
from recframe_plugins.agents.sequence_models.sequence_model import SequenceModel
from recframe_plugins.state_trackers.attention import AttentionTracker
from recframe_plugins.state_trackers.config import AttentionConfig

LENGTH, DIM, LAYERS, DROPOUT, LEARNING_RATE = 50, 64, 2, 0.3, 1e-3
MEAN_LOG, STD_LOG = 2.3, 0.8
"""Of the logarithm of a sequence's length: a mean of 13.7 items."""


def random_log(users: int, items: int) -> Log:
    """A log of random items."""
    generator = torch.Generator().manual_seed(0)
    lengths = (torch.randn(users, generator=generator) * STD_LOG + MEAN_LOG).exp().long().clamp(min=3)
    user = torch.repeat_interleave(torch.arange(users), lengths)
    columns = {"user": user, "item": torch.randint(items, user.shape, generator=generator), "timestamp": torch.arange(len(user))}
    frame = pl.DataFrame({name: column.numpy() for name, column in columns.items()})
    return build_log(Interactions(frame, ()), users, items, LogSettings())


def recframe_steps(log: Log, batch_size: int) -> Callable[[], float]:
    """A function that makes one step with recframe's agent and returns the loss."""
    numbers = [str(item) for item in range(log.num_items)]
    catalog = Catalog(numbers, numbers, pl.DataFrame({"title": numbers}), torch.ones(log.num_items), torch.zeros(log.num_items, 0))
    spec = EnvironmentSpec(1, 1, LENGTH, log.num_items, log.signals, has_users=False)
    config = AttentionConfig(history_length=LENGTH, item_dim=DIM, state_dim=DIM, layers=LAYERS, dropout=DROPOUT, positions="oldest")
    tracker = AttentionTracker(config, spec, Data(catalog))
    agent = SequenceModel(SequenceModelConfig(batch_size=batch_size, learning_rate=LEARNING_RATE), spec, tracker, seed=0)
    sampler = SequenceSampler(log, agent.experience, torch.Generator().manual_seed(0))
    (optimizer,) = agent.optimizers().values()

    def step() -> float:
        (loss,) = [loss for _, loss in agent.losses(sampler.draw()) if descend(optimizer, loss)]
        return float(loss.detach())

    return step


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> bool:
    """One step of the optimizer."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return True


class PlainSASRec(nn.Module):
    """SASRec with torch's own transformer; sequences are padded in front with item number M."""

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items + 1, DIM, padding_idx=num_items)
        self.positions = nn.Embedding(LENGTH, DIM)
        nn.init.normal_(self.items.weight, std=DIM**-0.5)
        layer = nn.TransformerEncoderLayer(DIM, 1, DIM, DROPOUT, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, LAYERS, norm=nn.LayerNorm(DIM), enable_nested_tensor=False)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, items: Tensor) -> Tensor:
        """Outputs `[B, L, d]`."""
        vectors = self.dropout(self.items(items) + self.positions.weight)
        # padding is in front and its outputs are not read: a causal mask alone keeps the usual implementation's cost
        causal = nn.Transformer.generate_square_subsequent_mask(items.shape[1])
        outputs: Tensor = self.layers(vectors, mask=causal, is_causal=True)
        return outputs


def plain_steps(log: Log, batch_size: int) -> Callable[[], float]:
    """A function that makes one step with the plain model and returns the loss."""
    pad = log.num_items
    padded = torch.full((log.num_sequences, LENGTH + 1), pad)
    for number, (first, last) in enumerate(zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True)):
        newest = log.items[max(first, last - LENGTH - 1) : last]
        padded[number, LENGTH + 1 - len(newest) :] = newest
    model = PlainSASRec(log.num_items)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, foreach=True)
    generator = torch.Generator().manual_seed(0)

    def step() -> float:
        batch = padded[torch.randint(len(padded), (batch_size,), generator=generator)]
        history, target = batch[:, :-1], batch[:, 1:]
        known = history != pad
        scores = model(history)[known] @ model.items.weight[:-1].T
        loss = F.cross_entropy(scores, target[known])
        descend(optimizer, loss)
        return float(loss.detach())

    return step


def seconds(step: Callable[[], float], steps: int) -> float:
    """The time of that many steps."""
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - started


def main() -> None:
    """Print the time of a step of both sides, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=4_333, help="sequences of the log")
    parser.add_argument("--items", type=int, default=2_414, help="items of the catalogue")
    parser.add_argument("--batch-size", type=int, default=128, help="sequences per step")
    parser.add_argument("--steps", type=int, default=10, help="steps per turn")
    parser.add_argument("--pairs", type=int, default=9, help="turns of each side")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    log = random_log(args.users, args.items)
    assert (log.items != PAD).all()
    sides = {"recframe": recframe_steps(log, args.batch_size), "plain PyTorch": plain_steps(log, args.batch_size)}
    for step in sides.values():
        step()  # the first step allocates
    times = {name: [] for name in sides}
    for pair in range(args.pairs):
        # who is first changes from pair to pair
        for name in sorted(sides, reverse=bool(pair % 2)):
            times[name].append(seconds(sides[name], args.steps) / args.steps)
    ratios = sorted(ours / plain for ours, plain in zip(times["recframe"], times["plain PyTorch"], strict=True))
    for name, measured in times.items():
        print(f"{name}: {1000 * statistics.median(measured):.0f} ms per step (median of {args.pairs} turns)")
    print(f"ratio recframe / plain PyTorch: median {statistics.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
