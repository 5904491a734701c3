"""A setting of the C library's memory allocator that makes repeated large allocations cheap."""

from __future__ import annotations

import torch


def keep_freed_memory() -> None:
    """Make the C library reuse freed memory for later allocations instead of returning it to the system.

    Each update allocates the same few megabytes again. If the system has to provide them, every page costs a page fault: thousands for
    each update. The larger the freed blocks that glibc has seen, up to 32 MiB, the less memory it returns (mallopt(3),
    M_MMAP_THRESHOLD), so this function frees one such block, whose pages are never touched. glibc then keeps up to twice that size. With
    other C libraries the function has no effect.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
