"""Weights bring the codes that they were trained with: everything that follows from codes then follows from these."""

from dataclasses import replace

import pytest
import torch

from recframe.interfaces import PAD
from recframe.item_codes.codes import learned_codes
from recframe.item_codes.config import CodesConfig
from recframe.testing.toy import toy_observation, toy_spec

CODES = CodesConfig(size=4, levels=2)


def with_vectors(data, vectors):
    return data._replace(catalog=replace(data.catalog, text_vectors=vectors))


@pytest.fixture(scope="module")
def apart(data):
    """The toy data with vectors that two levels of codes tell apart: four places, and three around each."""
    vectors = torch.zeros(12, 16)
    vectors[:, 0], vectors[:, 1] = 10.0 * (torch.arange(12) % 4), torch.arange(12) // 4
    return with_vectors(data, vectors)


def observed(agent, data):
    return toy_observation(agent.spec, data, torch.Generator().manual_seed(3), users=6)


def require_same(loaded, saved, data):
    """The codes, the tree and all that is written in them are those of the policy that was saved."""
    books, items = (loaded.policy.book, saved.policy.book), torch.arange(12)
    assert torch.equal(*(book.of(items) for book in books))
    assert torch.equal(*(book.path(items) for book in books))
    assert torch.equal(*(book.code_sizes for book in books))
    observation = observed(saved, data)
    with torch.no_grad():
        scores = loaded.scores_of_all(observation)
        torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(6))
        torch.testing.assert_close(loaded.scores_of_items(observation, items.expand(6, -1)), scores, atol=1e-4, rtol=0)


def test_other_codes_of_the_same_shape(policy, data):
    shuffled = with_vectors(data, data.catalog.text_vectors[torch.arange(12) * 5 % 12])
    saved, loaded = policy(noise=0.3), policy(noise=0.3, around=shuffled, seed=1)
    shapes = [{name: value.shape for name, value in one.policy.book.state_dict().items()} for one in (saved, loaded)]
    assert shapes[0] == shapes[1]
    assert not torch.equal(saved.policy.book.codes, loaded.policy.book.codes)
    state = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in saved.state_dict().items()}
    loaded.load_state_dict(state)
    require_same(loaded, saved, data)
    # its tensors are its own: learning or loading elsewhere changes nothing here
    assert loaded.policy.book.codes.data_ptr() != saved.policy.book.codes.data_ptr()


def test_new_items_get_codes_by_the_codebooks_that_were_loaded(policy, data):
    """Also where only the codebooks are others, and the codes the same."""
    vectors = data.catalog.text_vectors
    saved, loaded = policy(), policy()
    state = dict(saved.state_dict())
    turned = state["policy.book.codebooks"].flip(1)
    loaded.load_state_dict({**state, "policy.book.codebooks": turned})
    codes = [agent.policy.book._item_codes.values.of_new(vectors[:3]).codes[12:, :2] for agent in (saved, loaded)]
    assert torch.equal(codes[0], saved.policy.book.codes[:3, :2])
    assert torch.equal(codes[1], learned_codes("residual_kmeans", vectors[:3], {"codebooks": turned}))
    assert not torch.equal(*codes)


@pytest.mark.parametrize("history_tokens", ["item", "codes"])
def test_other_numbers_of_codes(policy, data, apart, history_tokens):
    longer, shorter = (policy(noise=0.3, around=around, codes=CODES, history_tokens=history_tokens) for around in (data, apart))
    assert (longer.policy.levels, shorter.policy.levels) == (3, 2)
    for loaded, saved in ((policy(around=data, codes=CODES, history_tokens=history_tokens), shorter), (shorter, longer)):
        loaded.load_state_dict(saved.state_dict())
        require_same(loaded, saved, data)
        loaded.diagnostics()
        loaded.act(observed(loaded, data), explore=True)
        found = loaded.diagnostics()
        assert found["length"] == saved.policy.levels
        assert found["invalid"] == 0
        assert f"code_use/level_{saved.policy.levels + 1}" not in found


def test_what_was_written_before_a_checkpoint_is_logged_after_it_where_codes_are_made_anew(policy, data, apart):
    saved, loaded = policy(noise=0.3, around=apart, codes=CODES), policy(around=data, codes=CODES)
    assert saved.policy.levels != loaded.policy.levels
    saved.act(observed(saved, data), explore=True)
    loaded.load_state_dict(saved.state_dict())
    expected, found = saved.diagnostics(), loaded.diagnostics()
    names = {name for name in expected if name in ("entropy", "invalid", "length") or name.startswith("code_use/")}
    assert len(names) == 5
    assert {name: found[name] for name in names} == {name: expected[name] for name in names}


def test_a_checkpoint_that_has_nothing_to_be_logged_begins_to_count(policy, data):
    saved, loaded = policy(noise=0.3), policy(seed=1)
    state = saved.state_dict()
    older = {name: value for name, value in state["_extra_state"].items() if name not in ("statistics", "latest", "codes_told")}
    loaded.act(observed(loaded, data), explore=True)
    loaded.load_state_dict({**state, "_extra_state": older})
    found = loaded.diagnostics()
    assert "invalid" not in found
    assert any(name.startswith("codes/") for name in found)


@torch.no_grad()
def test_where_fewer_items_may_be_shown_what_is_missing_is_not_counted(policy, data):
    agent = policy(toy_spec(data, slate_size=3, num_candidates=2), noise=0.3)
    observation = observed(agent, data)
    agent.diagnostics()
    slate = agent.act(observation, explore=True).slate
    allowed = agent.policy.may_show(observation, slate)
    assert torch.equal(slate == PAD, ~allowed)
    assert (slate != PAD).sum() == sum(len(set(row) - {PAD}) for row in observation.candidates.tolist())
    found = agent.diagnostics()
    assert found["invalid"] == 0
    shown = agent.policy.book.of(slate[allowed])[:, 0].bincount(minlength=3) / allowed.sum()
    assert found["code_use/level_1"] == pytest.approx(float(torch.special.entr(shown).sum().exp()))
