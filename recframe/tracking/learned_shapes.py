"""Modules that take over the shapes of the weights that they load (`learns_shapes`), and go on with more items (`extend_items`)."""

from __future__ import annotations

from itertools import chain

from recframe.interfaces import Agent


def names_of_learned_shape(agent: Agent) -> tuple[set[str], set[str]]:
    """The names of tensors that take over the shapes that are loaded, and of these, those of modules that cannot extend them."""
    taken_over: set[str] = set()
    fixed: set[str] = set()
    for prefix, module in agent.named_modules():
        if getattr(module, "learns_shapes", False):
            own = chain(module.named_buffers(recurse=False), module.named_parameters(recurse=False))
            names = {f"{prefix}.{name}".lstrip(".") for name, _ in own}
            taken_over |= names
            fixed |= set() if hasattr(module, "extend_items") else names
    return taken_over, fixed


def extend_items(agent: Agent, num_items: int) -> None:
    """Let an agent whose weights are of a smaller catalogue go on with the items at the end of this one."""
    for module in agent.modules():
        extend = getattr(module, "extend_items", None)
        if extend is not None:
            extend(num_items)
