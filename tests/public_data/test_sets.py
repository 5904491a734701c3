"""The descriptions of the public sets: complete, well formed, and the same in code, presets and guide."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from recframe.components import Kind, options_of
from recframe.config.compose.presets import find_preset
from recframe.public_data import public_sets
from recframe.public_data.unpacking import safe_path

LENGTHS = {"md5": 32, "sha256": 64}
SETS = public_sets()
CONCRETE = [one if one.part is None else one.of_part(part) for one in SETS.values() for part in (one.part.choices if one.part else ("",))]


@pytest.mark.parametrize("one", CONCRETE, ids=lambda one: str(one.usual_folder))
def test_a_set_is_well_formed(one):
    assert re.fullmatch(r"[a-z0-9-]+", one.name)
    for address in (one.page, one.licence.address, *(file.address for file in one.files if file.address)):
        assert urlsplit(address).scheme == "https"
    assert one.licence.name
    assert one.licence.terms
    assert one.cite
    assert bool(one.get) == any(file.address is None for file in one.files)
    assert bool(one.convert) == bool(one.converted)
    for file in one.files:
        assert "/" not in safe_path(file.name, "set")
        assert "{" not in file.name + (file.address or "")
        for known in file.checksums:
            assert re.fullmatch(rf"[0-9a-f]{{{LENGTHS[known.algorithm]}}}", known.value)
            assert known.source
    for path in one.settings.values():
        assert "{" not in path
        assert not path or safe_path(path, "set") == path


@pytest.mark.parametrize("one", SETS.values(), ids=lambda one: one.name)
def test_a_set_has_a_preset_of_its_dataset_with_the_settings_that_name_its_files(one):
    preset = find_preset(Kind.DATASET, one.preset)
    assert set(one.settings) <= {option.name for option in options_of(preset.component.config)}


def test_the_guide_lists_every_set_with_its_dataset_signals_and_checksums(project_root):
    guide = (project_root / "docs" / "guide" / "logs.md").read_text()
    rows = [line.strip("|").split("|") for line in guide.splitlines() if line.startswith("| `") and line.count("|") == 6]
    found = {name: row for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row[0])}
    assert set(found) >= set(SETS)
    for name, one in SETS.items():
        _, dataset, signals, _, checksum = found[name]
        preset = find_preset(Kind.DATASET, one.preset)
        assert dataset.strip(" `") == preset.component.name
        feedback = preset.settings.get("feedback")
        assert feedback is None or [word.strip() for word in signals.split(",")] == list(feedback)
        algorithms = {known.algorithm for file in one.files for known in file.checksums}
        assert {algorithm for algorithm, word in (("md5", "MD5"), ("sha256", "SHA-256")) if word in checksum} == algorithms
