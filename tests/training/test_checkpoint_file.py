"""A damaged, foreign or unsafe checkpoint, and damaged weights, are found and answered in one line."""

import random

import pytest
import torch

from recframe.tracking.weights import CheckpointError, load_tensors, save_tensors
from recframe.training.checkpoint_file import AtomicCheckpointIO, read_checkpoint, require_checkpoint

REMEDY = "remove it to train from the start again"


def content():
    weights = {f"layer{number}.weight": torch.randn(20, 7) for number in range(4)}
    own = {"env_steps": 512, "random": torch.get_rng_state(), "names": ["a", 1.5]}
    return {"state_dict": weights, "callbacks": {"best": {"best_value": 1.25}}, "optimizer_states": [], "loops": {}, "recframe": own}


@pytest.fixture
def checkpoint(tmp_path):
    AtomicCheckpointIO("this run").save_checkpoint(content(), tmp_path / "last.ckpt")
    return tmp_path / "last.ckpt"


def same(one, other):
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_no_flipped_bit_changes_what_is_resumed_from(checkpoint):
    require_checkpoint(checkpoint, "this run")
    whole, saved = checkpoint.read_bytes(), read_checkpoint(checkpoint)
    draws, refusals = random.Random(0), []
    for _ in range(200):
        place, flipped = draws.randrange(8 * len(whole)), bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        checkpoint.write_bytes(flipped)
        try:
            require_checkpoint(checkpoint, "this run")
        except CheckpointError as error:
            refusals.append(str(error))
        else:
            assert same(saved, read_checkpoint(checkpoint)), place
    assert len(refusals) > 100
    assert all(line.startswith(f"{checkpoint}: cannot be resumed from, because it ") and line.endswith(REMEDY) for line in refusals)


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_off_is_one_line(checkpoint, kept):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else kept])
    with pytest.raises(CheckpointError, match="it is damaged or cut off; remove it") as caught:
        require_checkpoint(checkpoint, "this run")
    assert "\n" not in str(caught.value)


class Loud:
    def __reduce__(self):
        return print, ("code of a stranger runs",)


def test_a_checkpoint_that_would_run_code_is_refused_without_advice_to_run_it(checkpoint, capsys):
    torch.save({**content(), "more": Loud()}, checkpoint)
    with pytest.raises(CheckpointError) as caught:
        require_checkpoint(checkpoint, None)
    assert "it holds objects other than tensors and plain values, which could run code" in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


FOREIGN = {
    "it is damaged or cut off": lambda path: path.write_text("not a checkpoint"),
    "recframe did not write it": lambda path: torch.save({"state_dict": {}, "epoch": 3}, path),
    "recframe did not": lambda path: torch.save([1, 2], path),
    "it is the checkpoint of another run": lambda path: AtomicCheckpointIO("another run").save_checkpoint(content(), path),
}


@pytest.mark.parametrize("reason", FOREIGN)
def test_a_foreign_checkpoint_is_one_line(checkpoint, reason):
    FOREIGN[reason](checkpoint)
    with pytest.raises(CheckpointError, match=reason) as caught:
        require_checkpoint(checkpoint, "this run")
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_an_earlier_release_is_accepted(checkpoint):
    AtomicCheckpointIO().save_checkpoint(content(), checkpoint)
    require_checkpoint(checkpoint, "this run")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool])
def test_a_flipped_bit_of_saved_weights_is_found(tmp_path, dtype):
    tensors = {"weight": torch.arange(12).reshape(3, 4).to(dtype), "scale": torch.ones((), dtype=dtype)}
    path = tmp_path / "final.safetensors"
    save_tensors(tensors, path)
    assert same(tensors, load_tensors(tensors, path))
    whole = bytearray(path.read_bytes())
    whole[-3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match=r"final\.safetensors: is damaged: its checksum does not match; restore it"):
        load_tensors(tensors, path)
