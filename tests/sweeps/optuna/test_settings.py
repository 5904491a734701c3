"""Hydra's syntax of sweeps as Optuna's distributions, and the mistakes in it."""

import pytest

pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")

from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from recframe.config import ConfigError
from recframe.sweeps.optuna.settings import setting_of


def parsed(text: str, integer: bool = False):
    return setting_of(OverridesParser.create().parse_overrides([f"x={text}"])[0], integer)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(0.1,2)", FloatDistribution(0.1, 2.0)),
        ("tag(log,interval(1e-5,1e-2))", FloatDistribution(1e-5, 1e-2, log=True)),
        ("int(interval(1,9))", IntDistribution(1, 9)),
        ("tag(int,log,interval(1,9))", IntDistribution(1, 9, log=True)),
        ("range(1,4)", IntDistribution(1, 3)),
        ("range(0,10,4)", IntDistribution(0, 8, step=4)),
        ("range(0.5,2,0.5)", FloatDistribution(0.5, 1.5, step=0.5)),
        ("1,2", CategoricalDistribution([1, 2])),
        ("null,0.5", CategoricalDistribution([None, 0.5])),
        ("[a,b],[c]", CategoricalDistribution(["[a,b]", "[c]"])),
        ("'a b',c", CategoricalDistribution(["a b", "c"])),
        ("1,true", CategoricalDistribution(["1", "True"])),
    ],
)
def test_the_distribution_of_a_sweep(text, expected):
    assert parsed(text).distribution == expected


def test_an_interval_of_an_integer_option_is_one_of_integers():
    assert parsed("interval(0.5,9.5)", integer=True).distribution == IntDistribution(1, 9)


@pytest.mark.parametrize("text", ["0.9", "choice(0.9)", "range(3,4)"])
def test_a_single_value_is_not_searched(text):
    assert parsed(text).distribution is None


@pytest.mark.parametrize("text", ["interval(0.1,2)", "range(0,10,4)", "'a b','c,d'", "null,0.5", "[a,b],[c]", "{a:1},{a:2}", "true,false"])
def test_the_override_of_a_value_is_read_as_that_value(text):
    setting = parsed(text)
    values = [0.1, 1.25e-05] if isinstance(setting.distribution, FloatDistribution) else setting.values()
    for value in values:
        (override,) = OverridesParser.create().parse_overrides([setting.override(value)])
        assert not override.is_sweep_override()
        assert override.value() == (value if not isinstance(value, str) or value[0] not in "[{" else override.value())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("interval(2,1)", r"x: interval\(2.0,1.0\) is empty; write the smaller end first"),
        ("tag(log,interval(0,1))", "x: a logarithmic interval must begin above 0, not at 0.0"),
        ("tag(lg,interval(1,2))", "x: there is no tag 'lg'; there are log and int"),
        ("range(3,3)", r"x: range\(3,3,1\) is empty"),
        ("tag(log,range(1,9,2))", r"x: a logarithmic range has steps of 1; use tag\(log,int,interval\(1,7\)\)"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_line(text, line):
    with pytest.raises(ConfigError, match=line):
        parsed(text)
