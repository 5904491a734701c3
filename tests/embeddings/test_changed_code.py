"""Vectors of an encoder whose code or version has changed are not taken from the cache, and those of the same code are."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from recframe import files
from recframe.building import code, component
from recframe.building.component import build
from recframe.components import Kind, node
from recframe.embeddings import EmbeddingStore
from recframe.plugin_loader import discover, registry

PLUGIN = """
    from dataclasses import dataclass
    from recframe.components import Component, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class Config:
        '''Lengths of texts.'''
        factor: float = option(1.0, "factor of the lengths")

    @hookimpl
    def recframe_register_components(register):
        register(Component("encoder", "measures", Config, "measuring.encoder:make"))
"""
ENCODER = """
    import numpy as np
    from measuring.lengths import lengths
    from {base} import {name} as Base

    class Measures(Base):
        dim = 2
        fingerprint = "measures"

        def __init__(self, config, device):
            self.config = config

        def encode(self, texts, role):
            return np.stack([lengths(texts), np.ones(len(texts))], axis=1).astype(np.float32)

    def make(config, device):
        return Measures(config, device)
"""
FILES = {
    "measuring/__init__.py": "",
    "measuring/encoder.py": ENCODER.format(base="recframe.interfaces", name="Encoder"),
    "measuring/lengths.py": "def lengths(texts):\n    return [len(text) for text in texts]\n",
    "measuring/notes.txt": "not code",
}
SMALL = ["debug=smoke", "logger=[csv]", "encoder=measures", "dataset.num_items=30", "dataset.num_users=30"]


@pytest.fixture
def built(plugin_site, monkeypatch):
    """Build the encoder `measures` as a new process would: everything is imported and read anew."""

    def build_again(name: str = "measures"):
        importlib.invalidate_caches()
        for module in [module for module in sys.modules if module.partition(".")[0] in ("measures", "measuring", "shared_name")]:
            del sys.modules[module]
        files.code_sha256.cache_clear()
        found = discover(
            [*plugin_site.entry_points(), *(point for point in entry_points(group="recframe") if point.dist.name == "recframe")]
        )
        for module in (code, component):
            monkeypatch.setattr(module, "registry", lambda: found)
        chosen = found.get(Kind.ENCODER, name)
        return build(chosen, OmegaConf.structured(node(chosen)), device=torch.device("cpu"))

    return build_again


@pytest.fixture
def read(monkeypatch):
    """The names of the folders whose code has been read."""
    names, code_in = [], files._code_in
    monkeypatch.setattr(files, "_code_in", lambda root: names.append(root.name) or code_in(root))
    return names


def edit(site, path: str, old: str, new: str) -> None:
    file = site.folder / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    # an edit within a second of the same size is not seen by the cache of compiled modules
    for compiled in site.folder.rglob("*.pyc"):
        compiled.unlink()


def last_log(folder) -> str:
    """The log of the newest run that was started in a folder."""
    return max((folder / "runs").iterdir()).joinpath("run.log").read_text()


def test_a_run_after_an_edit_of_a_plugins_code_encodes_again(plugin_site, warm_recframe, tmp_path):
    plugin_site.install("measures", PLUGIN, files=FILES)

    def encoded() -> str:
        quick = ["agent=random", "evaluation.references=false"]
        warm_recframe("train", *SMALL, *quick, site=plugin_site.folder, check=True)
        return next(line.partition("measures: ")[2] for line in last_log(tmp_path).splitlines() if "from the cache" in line)

    assert encoded() == "60 texts encoded, 0 from the cache"
    assert encoded() == "0 texts encoded, 60 from the cache"
    edit(plugin_site, "measuring/lengths.py", "len(text)", "-len(text)")
    assert encoded() == "60 texts encoded, 0 from the cache"


def test_the_vectors_after_an_edit_are_those_of_the_new_code(plugin_site, built, folder):
    plugin_site.install("measures", PLUGIN, files=FILES)
    assert EmbeddingStore(folder, built()).vectors(["abc"], "item").tolist() == [[3.0, 1.0]]
    edit(plugin_site, "measuring/lengths.py", "len(text)", "2 * len(text)")
    assert EmbeddingStore(folder, built()).vectors(["abc"], "item").tolist() == [[6.0, 1.0]]


def test_what_is_not_code_does_not_change_the_key_and_the_version_does(plugin_site, built):
    plugin_site.install("measures", PLUGIN, files=FILES)
    before = built().built_from
    assert before.startswith("measures 1.0 ")
    edit(plugin_site, "measuring/notes.txt", "not code", "still not code")
    assert built().built_from == before
    metadata = plugin_site.folder / "measures-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert built().built_from == before.replace("1.0", "1.1")


def test_the_config_in_another_module_than_the_factory_is_part_of_the_key(plugin_site, built):
    plugin_site.install("measures", PLUGIN, files=FILES)
    before = built().built_from
    edit(plugin_site, "measures.py", "factor of the lengths", "the factor")
    assert built().built_from != before


def test_what_else_the_distribution_imports_is_part_of_the_key(plugin_site, built):
    files = FILES | {
        "shared_name.py": "SCALE = 1\n",
        "measuring/lengths.py": "from shared_name import SCALE\n" + FILES["measuring/lengths.py"],
    }
    plugin_site.install("measures", PLUGIN, files=files)
    (plugin_site.folder / "measures-1.0.dist-info" / "top_level.txt").write_text("measures\nmeasuring\nshared_name\n")
    before = built().built_from
    edit(plugin_site, "shared_name.py", "1", "2")
    assert built().built_from != before


def test_the_code_of_a_package_without_an_init_file_is_part_of_the_key(plugin_site, built):
    plugin_site.install("measures", PLUGIN, files={path: text for path, text in FILES.items() if "__init__" not in path})
    before = built().built_from
    edit(plugin_site, "measuring/lengths.py", "len(text)", "-len(text)")
    assert built().built_from != before


def test_a_plugin_that_subclasses_a_built_in_encoder_has_its_code_and_version_in_the_key(plugin_site, built, read, monkeypatch):
    base = ENCODER.format(base="recframe_plugins.encoders.controls.encoder", name="IdEncoder")
    plugin_site.install("measures", PLUGIN, files=FILES | {"measuring/encoder.py": base})
    before = built().built_from
    assert before.startswith("measures 1.0 recframe ")
    monkeypatch.setattr(code, "__version__", "99")
    assert built().built_from.startswith("measures 1.0 recframe 99 ")
    assert "controls" in read


def test_built_in_encoders_have_the_version_and_only_the_folders_that_define_them_in_the_key(read):
    for name, folders in {"tfidf": {"tfidf"}, "bert": {"transformers", "language_models"}}.items():
        read.clear()
        files.code_sha256.cache_clear()
        chosen = registry().get(Kind.ENCODER, name)
        built_from = build(chosen, OmegaConf.structured(node(chosen)), device=torch.device("cpu")).built_from
        assert built_from.startswith(f"recframe {code.__version__} ")
        assert set(read) == folders


def test_the_place_of_the_code_is_not_part_of_the_key(tmp_path):
    for place in ("here", "there/deeper"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.py").write_text("1")
    hashes = {files.code_sha256(tmp_path / place) for place in ("here", "there/deeper")}
    assert len(hashes) == 1
    (tmp_path / "here" / "a.py").rename(tmp_path / "here" / "b.py")
    files.code_sha256.cache_clear()
    assert files.code_sha256(tmp_path / "here") not in hashes


def test_without_a_cache_every_text_is_encoded_and_nothing_is_written(folder, encoder, tmp_path, small_shards):
    EmbeddingStore(folder, encoder).vectors(["a", "b"], "item")
    written = sorted(tmp_path.rglob("*"))
    encoder.calls.clear()
    store = EmbeddingStore(None, encoder)
    texts = ["the longest", "b", "a", "b", "middle", "c"]
    for _ in range(2):
        assert np.array_equal(store.vectors(texts, "item").numpy(), encoder.expected(texts))
    assert [len(call) for call in encoder.calls] == [2, 2, 1] * 2
    assert encoder.texts[:2] == ["the longest", "middle"]
    assert (store.encoded, store.cached) == (10, 0)
    assert sorted(tmp_path.rglob("*")) == written
    with pytest.raises(TypeError, match="text 1 of 2 to be encoded is None"):
        store.vectors(["a", None], "item")


def test_a_run_without_a_cache_says_so_and_makes_no_folder(warm_recframe, tmp_path):
    cache = tmp_path / "no_cache"
    choices = ["encoder=tfidf", *(choice for choice in SMALL if not choice.startswith("encoder=")), "embeddings.cache=null"]
    warm_recframe("train", *choices, check=True, RECFRAME_CACHE=str(cache))
    assert "tfidf: 60 texts encoded; embeddings.cache=null, so that none is read from the cache or kept" in last_log(tmp_path)
    # the script of the charts is none of the run's results
    assert {path.name for path in cache.iterdir()} <= {"page"}
