"""Results that runs share: found by what determines them, equal with and without the store, whole or not there."""

import json
import threading
from pathlib import Path

import polars as pl
import pytest
import torch

from recframe.building import parts as building
from recframe.building.parts import assemble
from recframe.components import Kind
from recframe.computed import Computed, ComputedStore, computed, tensors_sha256
from recframe.config import compose_config
from recframe.interfaces import Interactions
from recframe.runner.reference_results import reference_results
from recframe_plugins.environments.preference_model.matrix_factorization import FitOptions
from recframe_plugins.environments.preference_model.scored_model import scored_model


def result(number: float = 1.5) -> Computed:
    return Computed({"a": torch.tensor([[number, float("nan")]], dtype=torch.float64), "none": torch.empty(0)}, {"low": number, "n": 3})


def never() -> Computed:
    raise AssertionError("it was computed again")


def kept(store: ComputedStore) -> list[Path]:
    return sorted(store.folder.rglob("*.safetensors"))


def test_a_result_is_computed_once_for_a_key_and_an_identity(tmp_path):
    store = ComputedStore(tmp_path, {"code": "1"})
    first = store.get("a fit", {"x": 1}, result)
    again = ComputedStore(tmp_path, {"code": "1"}).get("a fit", {"x": 1}, never)
    assert torch.equal(first.tensors["a"].view(torch.int64), again.tensors["a"].view(torch.int64))
    assert again.tensors["none"].shape == (0,)
    assert first.values == again.values
    other = [
        store.get("a fit", {"x": 2}, lambda: result(2)),
        ComputedStore(tmp_path, {"code": "2"}).get("a fit", {"x": 1}, lambda: result(3)),
    ]
    assert [one.values["low"] for one in other] == [2, 3]
    assert len(kept(store)) == 3


def test_without_an_active_store_everything_is_computed(tmp_path):
    store = ComputedStore(tmp_path, {})
    with store.active():
        computed("a fit", {}, result)
        computed("a fit", {}, never)
    assert computed("a fit", {}, lambda: result(4)).values["low"] == 4


@pytest.mark.parametrize("damage", ["bit", "half", "empty", "other"])
def test_a_damaged_result_is_computed_again(tmp_path, damage, caplog):
    store = ComputedStore(tmp_path, {})
    store.get("a fit", {}, result)
    (path,) = kept(store)
    content = bytearray(path.read_bytes())
    if damage == "bit":
        content[-3] ^= 1
    path.write_bytes({"half": content[: len(content) // 2], "empty": b"", "other": b"not safetensors"}.get(damage, content))
    assert store.get("a fit", {}, lambda: result(2)).values["low"] == 2
    assert "is damaged" in caplog.text
    assert store.get("a fit", {}, never).values["low"] == 2


def test_a_folder_that_cannot_be_written_keeps_nothing_and_is_still_read(tmp_path):
    ComputedStore(tmp_path / "kept", {}).get("a fit", {}, result)
    (tmp_path / "file").write_text("")
    store = ComputedStore(tmp_path / "file", {})
    assert store.get("a fit", {}, result).values["low"] == 1.5
    assert store.get("a fit", {}, lambda: result(2)).values["low"] == 2
    # what is there is read without a lock
    (tmp_path / "kept").chmod(0o500)
    assert ComputedStore(tmp_path / "kept", {}).get("a fit", {}, never).values["low"] == 1.5


def test_one_of_two_that_ask_computes(tmp_path):
    calls, asked = [], threading.Barrier(2)

    def ask() -> None:
        asked.wait(timeout=30)
        ComputedStore(tmp_path, {}).get("a fit", {}, lambda: calls.append(1) or result())

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]


def test_content_is_values_shapes_and_types():
    values = torch.arange(6)
    contents = [(values,), (values.view(2, 3),), (values.float(),), (values, values), (None, values), (values + 1,)]
    assert len({tensors_sha256(*tensors) for tensors in contents}) == len(contents)


WORLD = ["encoder=tfidf", "encoder.dim=4", "logger=null", "debug=smoke", "cold_items.share=0.2", "dataset.num_items=60"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def parts_of(cache: Path, *overrides: str):
    return assemble(compose_config([*WORLD, f"embeddings.cache={cache}", *overrides]))


def as_text(results) -> str:
    return json.dumps([[table.policies, {name: [s.names, s.numerators.tolist(), s.denominators.tolist()] for name, s in table.sums.items()},
                        table.people.ids.tolist()] for table in (results.main, results.cold)])  # fmt: skip


def test_an_agent_is_built_with_the_results_that_runs_share(cache, monkeypatch):
    build = building.build

    def build_and_compute(component, *args, **more):
        if component.kind is Kind.AGENT:
            computed("a fit of the agent", {}, result)
        return build(component, *args, **more)

    monkeypatch.setattr(building, "build", build_and_compute)
    for setting, expected in (("reuse=false", 0), ("reuse=true", 1)):
        parts = parts_of(cache, setting)
        parts.agent(parts.environment(2, "train"))
        assert len(list(cache.rglob("a_fit_of_the_agent/*.safetensors"))) == expected


def test_the_results_of_references_are_equal_with_the_store_and_without(cache):
    random_before = torch.get_rng_state()
    without = as_text(reference_results(parts_of(cache, "reuse=false")))
    assert torch.equal(torch.get_rng_state(), random_before)
    assert not list(cache.rglob("results_of*"))
    assert as_text(reference_results(parts_of(cache))) == without
    (path,) = cache.glob("computed/results_of*/*.safetensors")
    written = path.stat().st_mtime_ns
    # another agent and another seed, which the references do not depend on
    assert as_text(reference_results(parts_of(cache, "agent=random", "seed=7"))) == without
    assert path.stat().st_mtime_ns == written


def test_a_user_model_is_fitted_once_and_is_the_same_from_the_store(tmp_path, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    rated = {"user": torch.randint(8, (90,), generator=generator), "item": torch.randint(12, (90,), generator=generator)}
    values = torch.randint(1, 6, (90,), generator=generator).double()

    def fitted():
        # interactions of their own, as in another process
        frame = pl.DataFrame({name: column.numpy() for name, column in rated.items()} | {"timestamp": [0] * 90, "rating": values.numpy()})
        model = scored_model(Interactions(frame, ("rating",)), "rating", 8, 12, FitOptions(2, 1.0, 1.0, 3, 0), 0.2)
        parts = [model.model, model.held_out.fitted, model.held_out.ratings]
        return [tensor for part in parts for tensor in vars(part).values()] + list(model.held_out.predictions.values())

    without = fitted()
    with ComputedStore(tmp_path, {}).active():
        fitted()
        monkeypatch.setattr("recframe_plugins.environments.preference_model.scored_model.fit_ratings", never)
        again = fitted()
    assert len(again) == len(without) == 16
    assert all(torch.equal(one, other) for one, other in zip(again, without, strict=True))


def test_a_world_of_other_peoples_code_shares_nothing(cache):
    assert parts_of(cache).results is not None
    assert parts_of(cache, "reuse=false").results is None
    assert (
        parts_of(
            cache, "environment=gymnasium", "environment.id=Pendulum-v1", "agent=ddpg", "cold_items.share=0", "reward=environment"
        ).results
        is None
    )


@pytest.mark.parametrize("override", ["evaluation.seed=3", "reward.click.weight=2", "environment.max_steps=9", "cold_items.seed=5"])
def test_another_world_has_other_results(cache, override, monkeypatch):
    found = []
    monkeypatch.setattr(ComputedStore, "get", lambda self, what, key, compute: found.append(json.dumps(key, sort_keys=True)) or 1 / 0)
    for overrides in ([], [override]):
        with pytest.raises(ZeroDivisionError):
            reference_results(parts_of(cache, *overrides))
    assert len(set(found)) == 2
