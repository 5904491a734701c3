"""What a resume or an evaluation needs besides the config: the device, the checkpoint, the weights, and result.json."""

import json
import shutil

import pytest
import torch

from recframe.config.checks.machine import surely_without_cuda
from recframe.interfaces import restore_generator
from tests.conftest import CommandLine

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent.updates_per_chunk=1", "logger=[csv]", "evaluation.references=false"]
CPU_ONLY = pytest.mark.skipif(not surely_without_cuda(), reason="the error needs a machine without a GPU")


@pytest.fixture(scope="module")
def place(warm_process, shared_cache, tmp_path_factory):
    """A folder with a run in kept/ that was made in run/."""
    place = tmp_path_factory.mktemp("place")
    CommandLine(place, shared_cache, warm_process)("train", *QUICK, "hydra.run.dir=run", check=True)
    return (place / "run").rename(place / "kept").parent


@pytest.fixture
def trained(warm_recframe, place):
    """The run in run/, as it was. Commands run in the folder of it."""
    shutil.rmtree(place / "run", ignore_errors=True)
    warm_recframe.folder = place
    return shutil.copytree(place / "kept", place / "run")


def as_from_cuda(run):
    """Change a run on the CPU to look like one on a GPU: its config, and in its checkpoint the device and the states of generators."""
    config = run / "config.yaml"
    assert "device: cpu" in config.read_text()
    config.write_text(config.read_text().replace("device: cpu", "device: cuda"))
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["recframe"] |= {"device": "cuda", "complete": False}

    def changed(value):
        if isinstance(value, dict):
            return {key: torch.zeros(16, dtype=torch.uint8) if key == "generator" else changed(inner) for key, inner in value.items()}
        return value

    checkpoint["recframe"] = changed(checkpoint["recframe"])
    checkpoint["state_dict"] = changed(checkpoint["state_dict"])
    torch.save(checkpoint, run / "checkpoints" / "last.ckpt")


@CPU_ONLY
@pytest.mark.slow
def test_a_run_on_a_gpu_is_evaluated_and_resumed_on_a_machine_without_one(warm_recframe, trained):
    result = json.loads((trained / "result.json").read_text())
    as_from_cuda(trained)
    (trained / "result.json").unlink()
    refused = warm_recframe("evaluate", "run")
    assert refused.returncode == 2
    assert refused.stderr == (
        "recframe: device: 'cuda' was not found: this machine has no CUDA device; use cpu or auto: recframe evaluate run --device cpu\n"
    )
    for device in ("cpu", "auto"):
        evaluated = json.loads(warm_recframe("evaluate", "run", "--json", "--device", device, check=True).stdout)
        assert evaluated["policies"] == result["policies"]
    refused = warm_recframe("train", "resume=run")
    assert refused.returncode == 2
    assert refused.stderr.endswith("use cpu or auto: recframe train resume=run device=cpu\n")
    warm_recframe("train", "resume=run", "device=cpu", check=True)
    assert "resuming on cpu a run that was on cuda: its numbers will not be" in (trained / "run.log").read_text()
    assert "device: cpu" in (trained / "config.yaml").read_text()
    warm_recframe("evaluate", "run", check=True)


def test_a_generator_continues_from_its_own_state_and_is_seeded_by_that_of_another_device():
    saved = torch.Generator().manual_seed(5)
    torch.rand(3, generator=saved)
    restored = torch.Generator()
    restore_generator(restored, saved.get_state())
    assert torch.equal(torch.rand(4, generator=restored), torch.rand(4, generator=saved))
    draws = []
    for state in (torch.zeros(16, dtype=torch.uint8), torch.zeros(16, dtype=torch.uint8), torch.ones(16, dtype=torch.uint8)):
        restore_generator(restored, state)
        draws.append(torch.rand(4, generator=restored))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["agent.gamma=0.5"],
            "next to resume= only device=, other_data=, trust_remote_code= and send_variable= are allowed, because",
        ),
        (["resume=other"], "leave out a second resume="),
        (["other_data=maybe"], "other_data: 'maybe' is not allowed; it must be true or false"),
        (["device=gpu"], "device: 'gpu' is not a device"),
    ],
)
def test_other_settings_next_to_resume_are_refused(warm_recframe, tmp_path, arguments, message):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(warm_recframe("train", *QUICK, "--cfg", "job", check=True).stdout)
    refused = warm_recframe("train", "resume=run", *arguments)
    assert refused.returncode == 2
    assert message in refused.stderr


@pytest.mark.slow
def test_a_resume_without_its_checkpoint_says_that_it_starts_over(warm_recframe, trained):
    before = json.loads((trained / "result.json").read_text())["policies"]
    (trained / "result.json").unlink()
    (trained / "checkpoints" / "last.ckpt").unlink()
    done = warm_recframe("train", "resume=run", check=True)
    assert "run/checkpoints/last.ckpt does not exist: the run starts over" in done.stdout
    assert f"everything is in {trained}" in done.stdout.replace("\n", "")
    assert json.loads((trained / "result.json").read_text())["policies"] == before


@pytest.mark.slow
def test_missing_best_weights_are_reported_before_training(warm_recframe, trained):
    (trained / "result.json").unlink()
    (trained / "checkpoints" / "best.safetensors").unlink()
    refused = warm_recframe("train", "resume=run")
    assert refused.returncode == 2
    assert "best.safetensors is missing, and last.ckpt does not hold these weights; remove" in refused.stderr
    (trained / "checkpoints" / "last.ckpt").unlink()
    warm_recframe("train", "resume=run", check=True)


@pytest.mark.slow
def test_the_advice_for_a_broken_result_writes_it_again(warm_recframe, trained):
    path = trained / "result.json"
    before = json.loads(path.read_text())["policies"]
    path.write_text(path.read_text()[:100])
    refused = warm_recframe("train", "resume=run")
    assert refused.returncode == 2
    assert "to write it again, remove it and run: recframe train resume=run" in refused.stderr
    path.unlink()
    warm_recframe("train", "resume=run", check=True)
    assert json.loads(path.read_text())["policies"] == before


@pytest.mark.slow
def test_an_evaluation_without_the_final_weights_says_so(warm_recframe, trained):
    (trained / "checkpoints" / "final.safetensors").unlink()
    done = warm_recframe("evaluate", "run", check=True)
    assert "final.safetensors does not exist: using best.safetensors, the best weights so far" in done.stdout
