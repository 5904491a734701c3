"""The prior is what a causal language model says about the titles of candidates after a prompt about the person."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from recframe.agent_options import PriorConfig
from recframe.components import contradictions
from recframe.computed import ComputedStore
from recframe.errors import ModelError
from recframe.interfaces import PAD
from recframe.item_agents.candidate_prior import CandidatePrior
from recframe.testing import toy_data, toy_observation, toy_spec
from tests.tiny_models import tiny_gpt

DATA = toy_data(num_items=12, num_users=9)
SPEC = toy_spec(DATA, num_candidates=5, num_excluded=2, has_context=True)
PROMPT, ENTRY = "{profile} Now: {context}. Seen: {history}Next:", "{title} ({feedback}); "


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_gpt(tmp_path_factory.mktemp("model") / "gpt", positions=400)


@pytest.fixture(scope="module")
def prior(model):
    def build(spec=SPEC, **options):
        config = {"model": str(model), "prompt": PROMPT, "entry": ENTRY, "prompt_tokens": 300, **options}
        return CandidatePrior(PriorConfig(**config), spec, DATA)

    return build


@pytest.fixture(scope="module")
def observation():
    return toy_observation(SPEC, DATA, torch.Generator().manual_seed(0))


def log_likelihood(model, prompt, title):
    """The sum of the log-probabilities of a title's tokens, and of the end of its line, by the whole model on the whole text."""
    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    after = tokenizer(f" {title}\n", add_special_tokens=False)["input_ids"][:32]
    with torch.no_grad():
        log_probs = network(torch.tensor([before + after])).logits[0].log_softmax(dim=1)
    return sum(float(log_probs[len(before) - 1 + place, token]) for place, token in enumerate(after))


def prompt_of(observation, user):
    profile, context = DATA.users.profiles.texts[observation.user[user]], DATA.contexts.texts[observation.context[user]]
    seen = [
        f"{DATA.catalog.titles[item]} (click {feedback[0]:g}, rating {feedback[1]:g}); "
        for item, feedback in zip(observation.history_items[user].tolist(), observation.history_feedback[user].tolist(), strict=True)
        if item != PAD
    ]
    return f"{profile} Now: {context}. Seen: {''.join(seen)}Next:"


def test_it_is_the_models_log_probability_of_each_title(prior, model, observation):
    found = prior().log_probs(observation, observation.candidates)
    for user in (0, 3, 5):
        for place, item in enumerate(observation.candidates[user].tolist()):
            expected = 0.0 if item == PAD else log_likelihood(model, prompt_of(observation, user), DATA.catalog.titles[item])
            assert float(found[user, place]) == pytest.approx(expected, abs=1e-3)


def test_calibrated_it_is_less_what_titles_have_without_a_person(prior, model, observation):
    for item, found in enumerate(prior().without_person().tolist()[:4]):
        assert found == pytest.approx(log_likelihood(model, " Now: . Seen: Next:", DATA.catalog.titles[item]), abs=1e-3)


@pytest.mark.parametrize("calibrate", [True, False])
def test_it_is_centred_over_the_candidates_that_may_be_shown(prior, observation, calibrate):
    one = prior(calibrate=calibrate)
    values = one(observation)
    log_probs = one.log_probs(observation, observation.candidates)
    for user in range(SPEC.num_users):
        candidates, excluded = observation.candidates[user].tolist(), set(observation.excluded[user].tolist())
        shown = [place for place, item in enumerate(candidates) if item != PAD and item not in excluded]
        raw = torch.tensor([float(log_probs[user, place]) for place in shown])
        if calibrate:
            raw = raw - one.without_person()[[candidates[place] for place in shown]]
        torch.testing.assert_close(values[user, shown], raw - raw.mean(), atol=1e-4, rtol=0)
        assert all(float(values[user, place]) == 0 for place in range(5) if place not in shown)


def test_questions_have_no_prior_and_are_not_read(prior, observation, monkeypatch):
    """The last two rows, at different places among the candidates of each user."""
    asking, plain = prior(spec=replace(SPEC, num_candidates=7, num_questions=2)), prior()
    items = observation.clone()
    items.candidates = observation.candidates.clamp(max=9)
    both = items.clone()
    places = torch.tensor([[5, 0, 1, 6, 2, 3, 4], [0, 1, 2, 3, 4, 5, 6]] * 3)
    both.candidates = torch.cat([items.candidates, torch.tensor([[10, 11]]).expand(6, -1)], dim=1).gather(1, places)
    read, log_probs = [], asking.log_probs
    monkeypatch.setattr(asking, "log_probs", lambda one, titles: read.append(titles) or log_probs(one, titles))
    found = asking(both)
    assert (found[both.candidates >= 10] == 0).all()
    assert (found != 0).any()
    expected = F.pad(plain(items), (0, 2)).gather(1, places)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert all(titles.max() < 10 for titles in read)
    assert read[0].shape == (6, 5)


def test_what_titles_have_without_a_person_is_kept_for_each_length_of_prompts(prior, tmp_path):
    with ComputedStore(tmp_path, {}).active():
        short, long = prior(prompt_tokens=6).without_person(), prior().without_person()
    assert not torch.allclose(short, long)


def test_shuffled_candidates_have_the_same_values_in_other_places(prior, observation):
    order = torch.tensor([3, 0, 4, 2, 1])
    shuffled = observation.clone()
    shuffled.candidates = observation.candidates[:, order]
    torch.testing.assert_close(prior()(shuffled), prior()(observation)[:, order], atol=1e-4, rtol=0)


def test_the_size_of_batches_changes_nothing(prior, observation):
    torch.testing.assert_close(prior(batch_tokens=1)(observation), prior()(observation), atol=1e-4, rtol=0)


def test_the_last_items_of_the_history_are_read(prior, model, observation):
    found = prior(history_items=1).log_probs(observation, observation.candidates)
    whole = prompt_of(observation, 5)
    start, _, entries = whole.partition("Seen: ")
    last = entries.removesuffix("Next:").rstrip("; ").split("; ")[-1]
    expected = log_likelihood(model, f"{start}Seen: {last}; Next:", DATA.catalog.titles[observation.candidates[5, 0]])
    assert float(found[5, 0]) == pytest.approx(expected, abs=1e-3)


def test_copies_share_the_model(prior):
    one = prior()
    assert copy.deepcopy(one) is one


def test_a_model_with_too_few_positions_is_refused(prior):
    with pytest.raises(ModelError, match=r"prior\.prompt_tokens=380: .* has 400 positions, .* set it to 368 or less"):
        prior(prompt_tokens=380)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"model": "x", "prompt": "{histroy} Next:"},
            "prior.prompt: there is no field {histroy}; the fields are {profile}, ",
        ),
        ({"model": "x", "prompt": "Next:"}, "prior.prompt: it says nothing about the person; name a field, such as {history}"),
        ({"model": "x", "prompt": "{history} "}, "prior.prompt: it has no words of its own"),
        ({"model": "x", "prompt": "{history Next:"}, "prior.prompt: unmatched '{' in format spec; write a field as {profile}"),
        ({"model": "x", "entry": "{codes}"}, "prior.entry: there is no field {codes}"),
        ({"weight": 0.3}, "prior.weight is for a prior; leave it out, or set prior.model"),
    ],
)
def test_settings_that_do_not_fit_have_a_line(options, line):
    lines = list(contradictions(PriorConfig(**options)))
    assert any(one.startswith(line) for one in lines), lines
