"""The losses of a policy that writes items: their equations in numpy, and what TRL's trainers give for the same tensors."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe_plugins.agents.language_policy.losses import (
    dpo_loss,
    group_advantages,
    group_collapse,
    grpo_loss,
    reference_kl,
    s_dpo_loss,
)
from tests.plugins.agents.language_policy.loss_tensors import BETA, CLIP_RANGE, KL_WEIGHT, groups, pairs

FOLDER = Path(__file__).parent
PYTHON = "RECFRAME_TRL_PYTHON"


def tensors(arrays):
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ours():
    """What `make_trl_reference.py` writes, by our functions."""
    given = tensors(pairs())
    given["chosen"].requires_grad_()
    loss = dpo_loss(**given, beta=BETA)
    loss.backward()
    found = {"dpo": loss.item(), "dpo_gradient": given["chosen"].grad.tolist()}
    given = tensors(groups())
    rewards, mask = given["rewards"], given["mask"]
    found["advantages_group"] = group_advantages(rewards).flatten().tolist()
    found["advantages_none"] = group_advantages(rewards, scale=False).flatten().tolist()
    for mean_over in ("sequences", "codes"):
        for weight in (0.0, KL_WEIGHT):
            learned = given["log_probs"].clone().requires_grad_()
            loss = grpo_loss(
                learned,
                given["old_log_probs"],
                group_advantages(rewards, scale=False).flatten(),
                mask,
                clip_range=CLIP_RANGE,
                reference=given["reference"],
                kl_weight=weight,
                mean_over=mean_over,
            )
            loss.backward()
            found[f"grpo_{mean_over}_{weight:g}"] = loss.item()
            found[f"grpo_{mean_over}_{weight:g}_gradient"] = learned.grad.flatten().tolist()
    return found


def flat(values):
    return np.asarray(values, dtype=np.float64).ravel().tolist()


@pytest.fixture(scope="module")
def stored():
    return json.loads((FOLDER / "trl.json").read_text(encoding="utf-8"))


def test_losses_advantages_and_gradients_are_those_of_trl(stored):
    found = ours()
    assert set(found) == set(stored) - {"trl", "torch"}
    for name, values in found.items():
        assert flat(values) == pytest.approx(flat(stored[name]), abs=1e-5), name


@pytest.mark.evidence
def test_the_stored_values_are_what_trl_gives_now(stored):
    python = os.environ.get(PYTHON)
    if python is None:
        pytest.skip(f"{PYTHON} is not set to the Python of an environment with trl: see make_trl_reference.py")
    # TRL must not read this environment's packages
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run([python, FOLDER / "make_trl_reference.py"], capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout)
    for name in set(stored) - {"trl", "torch"}:
        assert flat(found[name]) == pytest.approx(flat(stored[name]), abs=1e-6), name


def test_dpo_is_the_negative_log_likelihood_of_the_preference():
    arrays = pairs()
    margin = (arrays["chosen"] - arrays["reference_chosen"]) - (arrays["rejected"] - arrays["reference_rejected"])
    assert float(dpo_loss(**tensors(arrays), beta=BETA)) == pytest.approx(-np.log(sigmoid(BETA * margin)).mean(), abs=1e-6)


def test_s_dpo_compares_the_chosen_item_with_all_rejected_ones():
    random = np.random.default_rng(2)
    chosen, reference = (-3 * random.random(5).astype(np.float32) for _ in range(2))
    rejected, reference_rejected = (-3 * random.random((5, 4)).astype(np.float32) for _ in range(2))
    against = np.exp(BETA * ((rejected - reference_rejected) - (chosen - reference)[:, None])).sum(axis=1)
    found = s_dpo_loss(*map(torch.from_numpy, (chosen, rejected, reference, reference_rejected)), BETA)
    assert float(found) == pytest.approx(-np.log(sigmoid(-np.log(against))).mean(), abs=1e-6)


def test_s_dpo_with_one_rejected_item_is_dpo():
    given = tensors(pairs())
    one = {name: values.unsqueeze(1) if "rejected" in name else values for name, values in given.items()}
    torch.testing.assert_close(s_dpo_loss(**one, beta=BETA), dpo_loss(**given, beta=BETA))


def test_advantages_are_distances_from_the_mean_of_the_group():
    rewards = groups()["rewards"]
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    scaled = centred / (rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)
    np.testing.assert_allclose(group_advantages(torch.from_numpy(rewards)), scaled, atol=1e-6)
    np.testing.assert_allclose(group_advantages(torch.from_numpy(rewards), scale=False), centred, atol=1e-6)
    assert float(group_collapse(torch.from_numpy(rewards))) == pytest.approx(1 / 3)


@given(st.integers(0, 2**31 - 1), st.floats(-100, 100), st.floats(0.1, 10))
def test_scaled_advantages_do_not_depend_on_the_unit_of_the_rewards(seed, shift, factor):
    rewards = torch.rand(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    # the 1e-4 in the denominator is the only difference
    torch.testing.assert_close(group_advantages(rewards), group_advantages(factor * rewards + shift), atol=0.05, rtol=0.05)
    assert group_advantages(rewards).sum(dim=1).abs().max() < 1e-9


@pytest.mark.parametrize("mean_over", ["sequences", "codes"])
def test_grpo_is_the_clipped_gain_less_the_kl_of_each_code(mean_over):
    arrays = groups()
    log_probs, mask = arrays["log_probs"].astype(np.float64), arrays["mask"]
    advantages = (arrays["rewards"] - arrays["rewards"].mean(axis=1, keepdims=True)).ravel()[:, None]
    ratio = np.exp(log_probs - arrays["old_log_probs"])
    gain = np.minimum(ratio * advantages, np.clip(ratio, 1 - CLIP_RANGE, 1 + CLIP_RANGE) * advantages)
    assert (gain != ratio * advantages)[mask].any()
    gap = arrays["reference"] - log_probs
    terms = np.where(mask, KL_WEIGHT * ratio * (np.exp(gap) - 1 - gap) - gain, 0)
    expected = (terms.sum(axis=1) / mask.sum(axis=1)).mean() if mean_over == "sequences" else terms.sum() / mask.sum()
    given = tensors(arrays)
    rewards = given.pop("rewards")
    found = grpo_loss(
        **given,
        advantages=group_advantages(rewards, scale=False).flatten(),
        clip_range=CLIP_RANGE,
        kl_weight=KL_WEIGHT,
        mean_over=mean_over,
    )
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_masked_codes_have_no_influence():
    given = tensors(groups())
    rewards, mask = given.pop("rewards"), given["mask"]
    arguments = {"advantages": group_advantages(rewards).flatten(), "clip_range": CLIP_RANGE, "kl_weight": KL_WEIGHT}
    changed = given | {"log_probs": given["log_probs"].masked_fill(~mask, -50.0)}
    assert float(grpo_loss(**changed, **arguments)) == float(grpo_loss(**given, **arguments))


def test_the_kl_term_has_the_value_and_the_gradient_of_the_divergence():
    generator = torch.Generator().manual_seed(0)
    logits, acted, reference = (torch.randn(6, dtype=torch.float64, generator=generator) for _ in range(3))
    logits.requires_grad_()
    old, other = acted.log_softmax(0), reference.log_softmax(0)

    policy = logits.log_softmax(0)
    exact = (policy.exp() * (policy - other)).sum()
    (gradient,) = torch.autograd.grad(exact, logits)

    # the mean over what the policy that acted chooses, by enumeration: each choice is a sequence of one code
    each = [
        grpo_loss(
            logits.log_softmax(0)[[choice]][None], old[[choice]][None], torch.zeros(1), torch.ones(1, 1, dtype=torch.bool),
            clip_range=0.2, reference=other[[choice]][None], kl_weight=1.0,
        )
        for choice in range(6)
    ]  # fmt: skip
    found = (old.exp() * torch.stack(each)).sum()
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(torch.autograd.grad(found, logits)[0], gradient)
    assert (reference_kl(policy, other) >= 0).all()
