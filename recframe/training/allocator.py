"""What freed memory is for: the next allocation."""

from __future__ import annotations

import torch


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for what is allocated next, rather than return it to the system.

    Each update allocates the same few megabytes anew. If they have to come from the system, every page of them costs a fault: thousands an
    update. glibc returns less the larger the blocks are that it saw freed, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD), so it is shown
    one, whose pages are never touched. It then keeps up to twice that. Elsewhere this does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
