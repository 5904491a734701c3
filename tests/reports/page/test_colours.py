"""The colours of policies told apart by people who see colours differently, and what tells policies apart where colours do not.

Colour vision deficiencies are simulated by the matrices of Machado, Oliveira and Fernandes (2009), "A physiologically-based model for
simulation of color vision deficiency", at severity 1, in linear RGB. Distances are those of CIE 1976 in L*a*b* (D65).
"""

from __future__ import annotations

from importlib import resources
from itertools import combinations

import numpy as np
import pytest

from recframe.reports.page.charts.chart import COLOURS, GREY, LOW_TO_HIGH, styles

THEMES = {"light": {"blue": "#0072b2", "sky": "#56b4e9"}, "dark": {"blue": "#3a86d8", "sky": "#a5dcff"}}
MATRICES = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "achromatopsia": [[0.2126, 0.7152, 0.0722]] * 3,
}
LEAST = 14.0
"""The least distance of colours that are used together. 2.3 is just noticeable side by side (Mahy et al., 1994)."""


def lab(colour: str, deficiency: str) -> np.ndarray:
    """L*a*b* of `#rrggbb` as it is seen."""
    rgb = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(MATRICES[deficiency]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen / [0.9505, 1.0, 1.089]
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def shown(colour: str, theme: str) -> str:
    """A colour as `#rrggbb`."""
    return THEMES[theme][colour[6:-1]] if colour.startswith("var(--") else colour


def distance(one: str, other: str, theme: str, deficiency: str) -> float:
    return float(np.linalg.norm(lab(shown(one, theme), deficiency) - lab(shown(other, theme), deficiency)))


def test_the_page_has_these_colours():
    css = (resources.files("recframe.reports.page") / "page.css").read_text()
    for light_or_dark, block in zip(THEMES, css.split(":root {")[1:], strict=False):
        assert all(f"--{name}: {colour};" in block for name, colour in THEMES[light_or_dark].items())


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("deficiency", [name for name in MATRICES if name != "achromatopsia"])
def test_colours_that_are_used_together_differ(theme, deficiency):
    assert min(distance(*pair, theme, deficiency) for pair in combinations((*COLOURS, GREY), 2)) >= LEAST


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("deficiency", MATRICES)
def test_policies_that_look_alike_have_another_dash_or_shape(theme, deficiency):
    drawn = styles([f"policy {place}" for place in range(18)], [f"reference {place}" for place in range(8)])
    for one, other in combinations(drawn.values(), 2):
        alike = distance(one.colour, other.colour, theme, deficiency) < LEAST
        assert not alike or (one.dash, one.shape) != (other.dash, other.shape)


@pytest.mark.parametrize("deficiency", MATRICES)
def test_high_and_low_numbers_differ_in_any_light(deficiency):
    assert distance(*LOW_TO_HIGH, "light", deficiency) >= LEAST
    assert all(distance(colour, back, "light", deficiency) > 30 for colour in LOW_TO_HIGH for back in ("#ffffff", "#16181c"))
