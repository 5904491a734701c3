"""Whether scores that are NaN are put in order: `topk` puts NaN first, and the items look like a choice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from recframe.testing.conformance import require

ORDERING = {
    torch.ops.aten.topk.default,
    torch.ops.aten.argmax.default,
    torch.ops.aten.max.dim,
}
"""Operations that choose the largest numbers. A sort is not among them: `torch.nanquantile` sorts, and leaves NaN out rightly."""


class _Watch(TorchDispatchMode):
    """Notes whether an operation that puts numbers in order was given NaN."""

    found = False

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in ORDERING and isinstance(args[0], Tensor) and args[0].is_floating_point():
            self.found = self.found or bool(args[0].isnan().any())
        return func(*args, **(kwargs or {}))


@contextmanager
def no_nan_in_order(what: str) -> Iterator[None]:
    """Require that no scores that contain NaN are put in order in the block."""
    with _Watch() as watch:  # type: ignore[no-untyped-call]
        yield
    require(
        not watch.found, f"{what} puts scores in order that contain NaN, which counts as the largest: look for 0 / 0, or log of 0 or less"
    )
