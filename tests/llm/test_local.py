"""A chat with a model that is loaded here: a GPT-2 of a few thousand random weights."""

from __future__ import annotations

import math
import shutil
from collections import Counter

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from recframe.errors import ModelError
from recframe.llm import BudgetExhausted, Chat, ChatConfig, Prompt
from recframe.llm.generation import generate
from tests.tiny_models import tiny_gpt, tiny_model

POSITIONS = 256
TEMPLATE = (
    "{% for turn in messages %}[{{ turn['role'] }}]{{ turn['content'] }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model with a chat template."""
    place = tiny_gpt(tmp_path_factory.mktemp("chat") / "gpt", POSITIONS)
    tokenizer = AutoTokenizer.from_pretrained(place)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(place)
    # settings that would change what is drawn, if they were used
    GenerationConfig(do_sample=True, top_k=1, temperature=9.0, repetition_penalty=5.0, eos_token_id=0).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def library(folder):
    """The library's model and tokenizer."""
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def talk(folder, tmp_path):
    def make(**options) -> Chat:
        return Chat(ChatConfig(**{"model": str(folder), "cache": str(tmp_path / "cache"), "max_tokens": 12, **options}), "environment.llm")

    return make


def asked(text: str) -> str:
    return f"[system]Be kind.\n[user]{text}\n[assistant]"


PROMPTS = [Prompt("Be kind.", text) for text in ("Hello", "a much longer question than the first one", "?", "What is new?")]


@torch.no_grad()
def test_answers_are_the_likeliest_tokens_one_prompt_at_a_time_or_in_a_padded_batch(talk, library):
    model, tokenizer = library
    for prompt, answer in zip(PROMPTS, talk().ask(PROMPTS), strict=True):
        ids = tokenizer(asked(prompt.user), return_tensors="pt")["input_ids"]
        start = ids.shape[1]
        for _ in range(12):
            token = model(ids).logits[:, -1].argmax(dim=-1)
            ids = torch.cat([ids, token[:, None]], dim=1)
            if token.item() == tokenizer.eos_token_id:
                break
        assert answer.text == tokenizer.decode(ids[0, start:], skip_special_tokens=True).strip()
        assert (answer.tokens_in, answer.tokens_out) == (start, ids.shape[1] - start)
    assert [answer.text for answer in talk(replay="off", batch_tokens=16).ask(PROMPTS)] == [answer.text for answer in talk().ask(PROMPTS)]


@torch.no_grad()
@pytest.mark.parametrize("options", [["a", "b", "c"], ["yes", "no", "perhaps so"]], ids=["one token each", "several tokens"])
def test_probabilities_of_options_are_those_of_their_tokens_after_the_prompt(talk, library, options):
    model, tokenizer = library
    chosen = talk().choose(PROMPTS, options)
    for prompt, row in zip(PROMPTS, chosen, strict=True):
        scores = []
        for option in options:
            start, whole = (len(tokenizer(text)["input_ids"]) for text in (asked(prompt.user), asked(prompt.user) + option))
            ids = tokenizer(asked(prompt.user) + option, return_tensors="pt")["input_ids"]
            log_probs = model(ids).logits.log_softmax(dim=-1)
            scores.append(sum(log_probs[0, place - 1, ids[0, place]].item() for place in range(start, whole)))
        assert torch.allclose(row, torch.tensor(scores).softmax(dim=0), atol=1e-5)
    again = talk(max_calls=0).choose(PROMPTS[::-1], options)
    assert torch.equal(again, chosen.flip(0))


@torch.no_grad()
def test_drawn_tokens_have_the_models_probabilities_and_not_those_of_its_own_settings(library):
    model, tokenizer = library
    ids = tokenizer(asked("Hello"), return_tensors="pt")["input_ids"]
    expected = (model(ids).logits[0, -1] / 0.7).softmax(dim=0)
    count = 600
    drawn = Counter(row[0] for row in generate(model, [ids[0].tolist()] * count, 1, 0.7, range(count), {0}, 0))
    top = expected.argmax().item()
    deviation = math.sqrt(expected[top].item() * (1 - expected[top].item()) / count)
    assert abs(drawn[top] / count - expected[top].item()) < 4 * deviation
    assert len(drawn) > 10


def test_a_draw_depends_on_its_own_request_only(talk):
    alone = [talk(temperature=1.0, replay="off").ask([prompt])[0].text for prompt in PROMPTS]
    assert [answer.text for answer in talk(temperature=1.0, replay="off").ask(PROMPTS)] == alone
    assert [answer.text for answer in talk(temperature=1.0, seed=1, replay="off").ask(PROMPTS)] != alone


def test_answers_are_found_wherever_the_model_is_and_the_model_is_not_loaded_for_them(talk, folder, tmp_path, monkeypatch):
    first = talk().ask(PROMPTS)
    shutil.copytree(folder, tmp_path / "elsewhere")
    monkeypatch.setattr("recframe.llm.local.load_causal", lambda *_: pytest.fail("the model was loaded"))
    again = talk(model=str(tmp_path / "elsewhere"), replay="only").ask(PROMPTS)
    assert [answer.text for answer in again] == [answer.text for answer in first]
    (tmp_path / "elsewhere" / "generation_config.json").write_text("{}")
    with pytest.raises(ModelError, match="4 of 4 prompts were not answered before"):
        talk(model=str(tmp_path / "elsewhere"), replay="only").ask(PROMPTS)


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers(talk):
    with pytest.raises(
        ModelError, match=r"environment\.llm\.model=.*: a prompt and its answer of up to 12 tokens need \d+ positions.* has 256"
    ):
        talk().ask([Prompt("", "x" * 300)])


def test_a_budget_ends_a_batch_before_the_call_that_would_exceed_it(talk):
    limited = talk(max_calls=3)
    with pytest.raises(BudgetExhausted, match=r"max_calls=3.*used so far: 3 calls"):
        limited.ask(PROMPTS)
    assert limited.usage.calls == 3
    assert sum(answer.cached for answer in talk().ask(PROMPTS)) == 3


def test_a_model_without_a_chat_template_reads_paragraphs(library, tmp_path, talk):
    place = tiny_gpt(tmp_path / "plain", POSITIONS)
    (answer,) = talk(model=str(place)).ask([Prompt("Be kind.", "Hello")])
    assert answer.tokens_in == len("Be kind.\n\nHello\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "packaged:nothing"}, r"environment\.llm\.model=packaged:nothing: no such packaged model"),
        ({"model": "no folder"}, r"environment\.llm\.model=no folder: there is no such folder"),
        ({"revision": "main"}, r"environment\.llm\.revision=main applies to hub models only"),
        ({"device": "cuda:77"}, r"environment\.llm\.device=cuda:77: "),
    ],
)
def test_what_is_wrong_with_the_model_is_one_line_with_the_callers_key(talk, options, message):
    with pytest.raises(ModelError, match=message) as raised:
        talk(**options).ask(PROMPTS)
    assert "\n" not in str(raised.value)


def test_a_model_that_does_not_write_is_refused(talk, tmp_path):
    bert = tiny_model(tmp_path / "bert", ["a b"])
    with pytest.raises(ModelError, match=r"environment\.llm\.model=.*bert is a bert, which does not write text token by token"):
        talk(model=str(bert)).ask(PROMPTS)
