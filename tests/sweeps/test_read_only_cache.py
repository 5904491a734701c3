"""A sweep whose cache cannot be written has the results of one whose cache can, and says so once."""

import json

import pytest

from tests.sweeps.killed_sweeps import SMALL

QUICK = ["dataset.num_items=40", "dataset.num_users=30", "agent.learning_starts=64", "trainer.env_steps=256", "evaluation.max_steps=5"]
QUICK += ["evaluation.num_users=4", "evaluation.periodic_users=4", "evaluation.bootstrap_samples=100"]


@pytest.mark.slow
def test_a_sweep_with_a_read_only_cache_has_the_results_of_one_that_keeps_its_vectors(warm_recframe, make_read_only, tmp_path):
    (tmp_path / "read_only").mkdir()
    make_read_only(tmp_path / "read_only")
    told, found = {}, {}
    for name in ("written", "read_only"):
        words = [*SMALL, *QUICK, "seed=0,1", f"embeddings.cache={name}/embeddings", f"hydra.sweep.dir=sweep_{name}"]
        done = warm_recframe("train", "-m", *words, check=True)
        told[name] = done.stdout + done.stderr
        found[name] = [json.loads((tmp_path / f"sweep_{name}" / job / "result.json").read_text()) for job in "01"]
    for kept, unkept in zip(*found.values(), strict=True):
        assert [unkept[key] for key in ("objectives", "policies")] == [kept[key] for key in ("objectives", "policies")]
    # a sweep ends with its page, whatever becomes of the cache
    assert all("vegaEmbed" in (tmp_path / f"sweep_{name}" / "report.html").read_text() for name in found)
    assert list((tmp_path / "written").rglob("*.safetensors"))
    # once, and not for each job
    assert " ".join(told["read_only"].split()).count("embeddings.cache: text vectors cannot be written to") == 1
    assert "cannot be written" not in told["written"]
