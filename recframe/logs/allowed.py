"""What could be recommended at a moment of a log: nothing that was met before, and only what a decision could have shown."""

from __future__ import annotations

import torch
from torch import Tensor

from recframe.interfaces import NO_LIST, PAD, Log, LoggedChoices, Observation
from recframe.logs.windows import windows


def restrict(observation: Observation, log: Log, starts: Tensor, ends: Tensor, choices: LoggedChoices | None, exclude_seen: bool) -> None:
    """Set `excluded` and `candidates` of what was known of N users after the rows `starts` `[N]` to before `ends` `[N]` of the log.

    Parameters
    ----------
    choices: what could have been shown in the decisions `ends`, as `log.choices`; either all of them have candidates, or none has. None:
        everything could have been.
    exclude_seen: whether the items of the whole history, however long, may not be recommended. A decision with exclusions of its own
        (`choices`) has these in place of them.
    """
    if exclude_seen:
        observation.excluded = items_between(log, starts, ends)
    if choices is None:
        return
    excluded, candidates = choices.excluded[ends], choices.candidates[ends]
    parts = [choices.items_of(excluded), items_between(log, ends - choices.above[ends], ends)]
    if observation.excluded is not None:
        # a request that says what is excluded says all of it
        parts.append(observation.excluded.masked_fill((excluded != NO_LIST)[:, None], PAD))
    observation.excluded = torch.cat(parts, dim=1)
    if bool((candidates != NO_LIST).any()):
        observation.candidates = choices.items_of(candidates)


def items_between(log: Log, starts: Tensor, ends: Tensor) -> Tensor:
    """The items of the rows `starts` `[N]` to before `ends` `[N]`, in order, `[N, E]` int64 with `PAD` in front; E is 1 at least."""
    rows, known = windows(starts, ends, max(1, int((ends - starts).max())))
    return torch.where(known, log.items[rows], PAD)
