"""A config in the form in which it is recorded."""

from omegaconf import OmegaConf

from recframe.config import compose_config, validate
from recframe.config.recorded import _recorded, recorded

PLAIN = {"number": 1, "none": None, "missing": "???", "list": [1, {"a": "b"}, "???"], "inner": {"text": "a $ {b}", "empty": {}}}


def test_a_config_without_interpolations_is_recorded_as_one_that_is_walked_through(monkeypatch):
    monkeypatch.setenv("SECRET", "hidden")
    run = validate(compose_config(["encoder=tfidf", "logger=[csv]"]))
    for cfg in (run, OmegaConf.create(PLAIN)):
        assert recorded(cfg) == _recorded(cfg, cfg)
    assert recorded(OmegaConf.create(PLAIN)) == PLAIN


def test_interpolations_are_filled_in_but_for_environment_variables(monkeypatch):
    monkeypatch.setenv("SECRET", "hidden")
    cfg = OmegaConf.create({"a": 1, "b": ["${a}", "${oc.env:SECRET}"], "c": "${b}", "d": {"e": "x${d.f}", "f": "${oc.env:SECRET}"}})
    assert recorded(cfg)["b"] == [1, "${oc.env:SECRET}"]
    assert recorded(cfg)["d"] == {"e": "x${d.f}", "f": "${oc.env:SECRET}"}
