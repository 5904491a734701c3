"""Policies on a trained causal language model: LoRA and full, codes as added tokens and titles as text, prompts by a template."""

import pytest
import torch
from tokenizers import Tokenizer

from recframe.errors import ModelError
from recframe.interfaces import PAD
from recframe.item_codes.config import CodesConfig
from recframe.serving.encoders import LazyEncoder
from recframe.serving.new_texts import NewTexts
from recframe.testing import ToyEnvironment, check_agent, update
from recframe.testing.toy import toy_observation, toy_spec, toy_transition

TITLES = CodesConfig(kind="titles")
KINDS = {"codes": CodesConfig(size=3, levels=2), "titles": TITLES}


def observed(agent, data, users=6):
    return toy_observation(agent.spec, data, torch.Generator().manual_seed(3), users=users)


def test_a_policy_on_a_trained_model_conforms(policy, data, causal_model):
    spec = toy_spec(data, slate_size=2, num_candidates=8, num_excluded=3, has_context=True)

    def built(seed=0):
        options = {"model": str(causal_model("llama")), "codes": KINDS["codes"], "batch_size": 8}
        return policy(spec, seed=seed, prompt="{profile} {context}: {history}{state}Next:", **options)

    check_agent(built(), ToyEnvironment(spec, data), rebuild=lambda: built(1), ranks=True)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["codes", "titles"])
@torch.no_grad()
def test_probabilities_are_exact_and_sum_to_one(policy, data, causal_model, architecture, kind):
    agent = policy(toy_spec(data, slate_size=2, has_context=True), model=str(causal_model(architecture)), codes=KINDS[kind])
    observation = observed(agent, data, users=12)
    torch.testing.assert_close(agent.scores_of_all(observation).exp().sum(dim=1), torch.ones(12))
    decision = agent.act(observation, explore=True)
    torch.testing.assert_close(agent.policy.evaluate(observation, decision.slate).log_prob, decision.log_prob, atol=1e-4, rtol=0)
    items = torch.arange(12).expand(12, -1)
    torch.testing.assert_close(agent.scores_of_items(observation, items), agent.scores_of_all(observation), atol=1e-4, rtol=0)


@torch.no_grad()
def test_titles_are_as_probable_as_the_model_finds_them(policy, data, causal_model):
    """By the model's own forward pass on the text, with its softmax restricted to tokens that go on to a title."""
    folder = causal_model("llama")
    agent = policy(toy_spec(data), model=str(folder), codes=TITLES, prompt="{history}Next:", entry="{title};")
    observation = observed(agent, data, users=1)
    # its history is empty
    assert (observation.history_items == PAD).all()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    start = tokenizer("Next:")["input_ids"]
    titles = [tokenizer(" " + title)["input_ids"] + [tokenizer.eos_token_id] * 20 for title in data.catalog.titles]
    scores = agent.scores_of_all(observation)[0]
    for item in (0, 7, 11):
        total = 0.0
        for place in range(agent.policy.levels):
            prefix = titles[item][:place]
            is_open = sorted({title[place] for title in titles if title[:place] == prefix})
            logits = model(torch.tensor([start + prefix])).logits[0, -1]
            total += float(logits[is_open].log_softmax(0)[is_open.index(titles[item][place])])
        assert float(scores[item]) == pytest.approx(total, abs=1e-4)


def read_back(agent, observation, folder):
    tokens = agent.policy.prompt.numbered(observation, agent.policy.codes, agent.policy.book)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.decode(ids[there].tolist()) for ids, there in zip(tokens.ids, tokens.there, strict=True)]


def test_the_prompt_says_what_the_template_says(policy, data, causal_model):
    folder = causal_model("llama")
    spec = toy_spec(data, has_context=True)
    template = {"prompt": "{profile} Now: {context}. Seen: {history}Next:", "entry": "{title} ({feedback}); "}
    agent = policy(spec, model=str(folder), codes=TITLES, **template)
    observation = observed(agent, data)
    observation.history_feedback[3, -1] = torch.tensor([1.0, 4.5])
    text = read_back(agent, observation, folder)[3]
    items = [item for item in observation.history_items[3].tolist() if item != PAD]
    assert len(items) == 3
    profile, context = data.users.profiles.texts[observation.user[3]], data.contexts.texts[observation.context[3]]
    assert text.startswith(f"{profile} Now: {context}. Seen: {data.catalog.titles[items[0]]} (click ")
    assert text.endswith(f"{data.catalog.titles[items[-1]]} (click 1, rating 4.5); Next:")


def test_a_long_prompt_loses_its_oldest_items(policy, data, causal_model):
    folder = causal_model("llama")
    template = {"prompt": "{profile} Seen: {history}Next:", "entry": "{title}; "}
    agent = policy(toy_spec(data), model=str(folder), codes=TITLES, **template)
    observation = observed(agent, data)
    whole = read_back(agent, observation, folder)[5]
    agent.policy.prompt.longest = len(agent.policy.prompt.numbered(observation[5:6], agent.policy.codes, agent.policy.book).ids[0]) - 1
    shorter = read_back(agent, observation, folder)[5]
    titles = [data.catalog.titles[item] for item in observation.history_items[5]]
    assert whole.endswith("".join(f"{title}; " for title in titles) + "Next:")
    assert shorter.endswith("Seen: " + "".join(f"{title}; " for title in titles[1:]) + "Next:")


@pytest.mark.parametrize(
    ("tuning", "options"),
    [("lora", {}), ("full", {}), ("lora", {"logged_learning": "dpo"}), ("full", {"logged_learning": "grpo", "generations": 4})],
)
def test_every_rule_trains_a_trained_model(policy, data, causal_model, tuning, options):
    agent = policy(toy_spec(data), model=str(causal_model("llama")), tuning=tuning, learning_rate=0.01, **options)
    generator, optimizers = torch.Generator().manual_seed(0), agent.optimizers()
    batch = toy_transition(agent.spec, data, generator, users=24)
    batch.slate, batch.reward = (batch.observation.user % 5).unsqueeze(1), torch.ones(24)
    batch.response.signals["click"] = torch.ones(24, 1)

    @torch.no_grad()
    def probability():
        return float(agent.scores_of_items(batch.observation, batch.slate).exp().mean())

    before, layer = probability(), agent.policy.backbone.model.layers[0].self_attn.q_proj
    frozen = layer.base_layer.weight.clone() if tuning == "lora" else layer.weight.detach().clone()
    for _ in range(12):
        update(agent, optimizers, batch)
    assert probability() > before + 0.05
    assert torch.equal(layer.base_layer.weight if tuning == "lora" else layer.weight, frozen) == (tuning == "lora")


def test_weights_that_are_not_trained_are_not_saved_and_other_files_are_refused(policy, data, causal_model):
    agent = policy(toy_spec(data), model=str(causal_model("llama")))
    saved = agent.state_dict()
    assert not any("embed_tokens" in name or "base_layer" in name for name in saved)
    assert any("lora_A" in name for name in saved)
    other = policy(toy_spec(data), model=str(causal_model("llama", seed=1)))
    with pytest.raises(ModelError, match=r"agent\.model: its files are not those"):
        other.load_state_dict(saved)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("no/such/model", {}, r"agent\.model=no/such/model"),
        ("llama", {"prompt_tokens": 700}, r"agent\.prompt_tokens=700: agent\.model=.* has 600 positions"),
    ],
)
def test_models_that_cannot_be_used_are_told_in_a_line(policy, data, causal_model, model, options, message):
    with pytest.raises(ModelError, match=message):
        policy(toy_spec(data), model=str(causal_model(model)) if model == "llama" else model, **options)


def test_new_profiles_and_contexts_are_read_word_by_word(policy, data, causal_model):
    folder = causal_model("llama")
    spec = toy_spec(data, has_context=True)
    agent = policy(spec, noise=0.05, model=str(folder), codes=TITLES, prompt="{profile} Now: {context}. Seen: {history}Next:")
    texts = NewTexts(agent, data, LazyEncoder(lambda: pytest.fail("words need no vectors")))
    observation = observed(agent, data)
    known = agent.scores_of_all(observation)
    profiles, contexts = data.users.profiles.texts, data.contexts.texts
    people = [{"user": profiles[user], "context": contexts[now]} for user, now in zip(observation.user, observation.context, strict=True)]
    people[0] = {"user": "Somebody who is at the space of gardens", "context": None}
    asked = observation.clone()
    with texts.readable(people) as rows:
        asked.user, asked.context = (torch.tensor([row[role] for row in rows]) for role in ("user", "context"))
        assert read_back(agent, asked, folder)[0].startswith("Somebody who is at the space of gardens Now: . Seen: ")
        found = agent.scores_of_all(asked)
    torch.testing.assert_close(found[1:], known[1:], atol=1e-5, rtol=0)
    assert not torch.allclose(found[0], known[0], atol=1e-3)
    torch.testing.assert_close(agent.scores_of_all(observation), known)
    with pytest.raises(IndexError):
        agent.scores_of_all(asked)
