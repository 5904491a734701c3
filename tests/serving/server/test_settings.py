"""The settings of a server, as they are read and as the guide has them."""

from __future__ import annotations

import re

import pytest

from recframe.config import ConfigError
from recframe.server.config import ServeConfig
from recframe.server.settings import read_settings, setting_keys


def test_the_guide_has_every_setting(project_root):
    page = (project_root / "docs" / "guide" / "server.md").read_text()
    assert re.findall(r"^\| `([a-z_.A-Z]+)` \|", page.partition("## Settings")[2], re.MULTILINE) == list(setting_keys(ServeConfig))


def test_settings_are_read_in_their_types(tmp_path):
    config = read_settings(["port=0", "feedback.required=false", f"other.b={tmp_path}", "share.b=0.25", "origins=[https://a.example]"])
    assert (config.port, config.feedback.required, config.share, config.origins) == (0, False, {"b": 0.25}, ["https://a.example"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("port", "'port': a setting is key=value, such as port=8080"),
        ("port=[", "port: '[' cannot be read; put quotes around it"),
        ("limits.kk=3", "limits.kk: there is no such setting. Did you mean 'limits.k'?"),
        ("limits=3", "limits: there is no such setting."),
        ("exploration.kind=eps", "exploration.kind: 'eps' is not allowed; it must be one of none, epsilon, boltzmann, thompson"),
        ("other.main=nowhere", "other.main: cannot be the name of a policy"),
        ("origins=['*']", "origins: '*' would let every web page call the server"),
        ("feedback.url=mysql://user:secret@host/x", "feedback.url: a database of the kind 'mysql' is not supported"),
    ],
)
def test_a_mistake_is_one_line(setting, message):
    with pytest.raises(ConfigError) as told:
        read_settings([setting])
    assert told.value.problems[0].startswith(message)
    assert "secret" not in str(told.value)
