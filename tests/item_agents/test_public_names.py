"""The public surface of `recframe.item_agents`."""

import re

from recframe import item_agents


def test_every_public_name_exists_and_is_documented(project_root):
    guide = (project_root / "docs" / "guide" / "plugins.md").read_text()
    rows = re.findall(r"^\| `recframe\.item_agents`: (.+?) \|", guide, re.MULTILINE)
    documented = {name for names in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == set(item_agents.__all__)
    assert all(hasattr(item_agents, name) for name in item_agents.__all__)
