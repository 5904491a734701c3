"""Freed memory is reused: see `keep_freed_memory`."""

import platform
import subprocess
import sys

import pytest

# in a separate process: the setting cannot be undone
CODE = """
import resource, torch
from recframe.training.allocator import keep_freed_memory

def page_faults():
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        held = [torch.zeros(8 * 2**20, dtype=torch.uint8) for _ in range(3)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

keep_freed_memory()
page_faults()
print(page_faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting exists only in glibc")
def test_freed_memory_is_allocated_again_without_page_faults():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    # each of the 20 rounds touches 6,144 pages
    assert int(done.stdout) < 6_144
