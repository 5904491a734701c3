"""The examples of the guide, run as they are printed, one after the other."""

import re
from pathlib import Path

import numpy as np
import pytest

from recframe.evaluation.off_policy.policies import plackett_luce, softmax

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "off_policy.md"
RATES = 0.1 + 0.2 * np.arange(4)


def test_the_examples_of_the_guide_find_the_values_of_their_policies():
    blocks = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names: dict = {}
    for block in blocks:
        exec(block, names)
    new = names["result"].policies["new"]["value"]
    assert new["low"] < softmax(np.arange(4.0), 0.5) @ RATES < new["high"]
    assert names["result"].caveats == []
    assert {"value/ips_hoeffding", "value/ips_bernstein"} <= names["bounded"].policies["new"].keys()
    assert names["by_slope"].chosen["new"] in {"dr", "switch_dr", "dm"}
    assert names["by_pas_if"].chosen["new"] in {"dr", "snips", "sndr", "switch_dr", "dm"}
    slates = names["intervals"](names["cascade"](names["log"]))[0]
    pairs = np.array([(first, second) for first in range(4) for second in range(4) if first != second])
    chosen = plackett_luce(np.tile([0.0, 0.5, 1.0, 1.5], (len(pairs), 1)), pairs).prod(axis=1)
    assert slates.low < chosen @ RATES[pairs].sum(axis=1) < slates.high
    by_position = names["by_position"].policies["by position"]["value"]
    assert by_position["mean"] == pytest.approx((names["table"] @ RATES).mean(), abs=0.1)
