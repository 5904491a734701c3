"""Data.with_texts replaces the texts of some roles."""

import torch

from recframe.interfaces import Texts
from recframe.testing import toy_data


def test_with_texts_keeps_the_texts_of_roles_that_are_not_given():
    data = toy_data()
    for role in ("item", "user", "context"):
        new = Texts(data.texts[role].texts, torch.zeros(len(data.texts[role].texts), 2))
        found = data.with_texts({role: new}).texts
        assert found.keys() == data.texts.keys()
        for other, texts in found.items():
            expected = new if other == role else data.texts[other]
            assert texts.texts == expected.texts
            assert texts.vectors is expected.vectors
