"""The history of shown items and feedback that every item environment keeps: a helper for environment authors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recframe.interfaces.types import PAD, Response


class History:
    """The last H items shown to each of N users and what they did with them, oldest first.

    Attributes
    ----------
    items: `[N, H]` int64, `PAD` in front.   feedback: `[N, H, F]` float32.
    """

    def __init__(self, num_users: int, length: int, signals: Sequence[str], device: torch.device | str) -> None:
        self.signals = tuple(signals)
        self.items = torch.full((num_users, length), PAD, dtype=torch.int64, device=device)
        self.feedback = torch.zeros(num_users, length, len(self.signals), device=device)

    def append(self, slate: Tensor, response: Response, shown: Tensor | None = None) -> None:
        """Append the slate `[N, K]` and its signals; it makes new tensors, so that earlier observations stay unchanged.

        shown: `[N, K]` bool, the places that the history gets; the others take no room in it. None: all.

        Raises
        ------
        ValueError: if the response lacks a signal, or if one has another shape than the slate.
        """
        for name in self.signals:
            signal = response.signals.get(name, None)
            if signal is None:
                raise ValueError(f"the response has no signal {name!r}; it has: {', '.join(map(str, response.signals.keys()))}")
            if signal.shape != slate.shape:
                raise ValueError(f"the signal {name!r} has the shape {list(signal.shape)}; right is that of the slate, {list(slate.shape)}")
        length = self.items.shape[1]
        feedback = torch.stack([response.signals[name] for name in self.signals], dim=-1)
        if shown is not None:
            slate, feedback = slate.masked_fill(~shown, PAD), feedback.masked_fill(~shown[:, :, None], 0.0)
        items, feedback = torch.cat([self.items, slate], dim=1), torch.cat([self.feedback, feedback], dim=1)
        if shown is not None:
            # gaps go to the front before the history is cut: they must not push out what was before
            order = (items != PAD).long().argsort(dim=1, stable=True)
            items, feedback = items.gather(1, order), feedback.gather(1, order[:, :, None].expand_as(feedback))
        self.items, self.feedback = items[:, -length:], feedback[:, -length:]

    def clear(self, finished: Tensor) -> None:
        """Empty the history of the users where `finished` `[N]` is True; also in new tensors."""
        self.items = self.items.masked_fill(finished[:, None], PAD)
        self.feedback = self.feedback.masked_fill(finished[:, None, None], 0.0)

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors, for `Environment.state_dict`."""
        return {"items": self.items, "feedback": self.feedback}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore a saved history."""
        self.items = state["items"].to(self.items.device)
        self.feedback = state["feedback"].to(self.feedback.device)
