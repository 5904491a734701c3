"""Any text comes back from a command line as it was."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from recframe.config.compose.quoting import quoted_value


@given(st.text(alphabet="ab\\'\" ,=[]{}:/$%", max_size=12))
@pytest.mark.parametrize("key", ["dataset.path"])
def test_hydra_reads_the_very_text(key, text):
    (override,) = OverridesParser.create().parse_overrides([f"{key}={quoted_value(text)}"])
    assert override.value() == text
