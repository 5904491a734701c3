"""Masked and causal language modelling: labels, masks, losses and tokenizers."""

import pytest
import torch

from recframe.config.schema.pretraining import PretrainConfig
from recframe.interfaces import NewModel
from recframe.pretraining.module import PretrainingModule
from recframe_plugins.encoders.registration import BertConfig, GPTConfig
from recframe_plugins.encoders.transformers.language_modeling import IGNORED, language_model
from recframe_plugins.encoders.transformers.untrained import CLS, END, MASK, SEP, untrained_model

TEXTS = [
    f"The {colour} {thing} (19{i}{j}). Drama" for i, colour in enumerate(["red", "blue", "Café"]) for j, thing in enumerate(["cat", "dog"])
]
SIZES = {"vocabulary": 320, "layers": 1, "heads": 2, "hidden_size": 16, "max_length": 14}


def untrained(config, mask_probability=0.15, **sizes):
    torch.manual_seed(0)
    return language_model(config, torch.device("cpu"), TEXTS, NewModel(**SIZES | sizes), mask_probability).eval()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_causal_model_predicts_every_token_and_the_end():
    model = untrained(GPTConfig(model=""))
    end = model.tokenizer.convert_tokens_to_ids(END)
    batch = model.batch([TEXTS[0], "cat"], seeded())
    tokens = model.tokenizer("cat")["input_ids"]
    assert batch["input_ids"][1, : len(tokens)].tolist() == tokens
    assert batch["labels"][1].tolist() == [*tokens[1:], end] + [IGNORED] * (batch["labels"].shape[1] - len(tokens))
    assert batch["attention_mask"].sum(dim=1).tolist() == model.token_counts([TEXTS[0], "cat"])


def test_the_end_of_a_cut_text_is_not_predicted():
    model = untrained(GPTConfig(model=""), max_length=4)
    batch = model.batch([TEXTS[0]], seeded())
    tokens = model.tokenizer(TEXTS[0], truncation=False)["input_ids"]
    assert len(tokens) > 5
    assert batch["input_ids"].tolist() == [tokens[:4]]
    assert batch["labels"].tolist() == [tokens[1:5]]


def test_the_causal_loss_equals_the_librarys():
    model = untrained(GPTConfig(model=""), max_length=40)
    loss = model.loss(model.batch([TEXTS[0]], seeded()))
    # the library shifts the labels itself
    tokens = torch.tensor([[*model.tokenizer(TEXTS[0])["input_ids"], model.tokenizer.eos_token_id]])
    own = model.transformer(input_ids=tokens, labels=tokens).loss
    assert loss.total.item() / loss.tokens == pytest.approx(own.item(), rel=1e-5)
    assert loss.tokens == tokens.shape[1] - 1


def test_the_masked_loss_equals_the_librarys():
    model = untrained(BertConfig())
    batch = model.batch(TEXTS, seeded())
    loss = model.loss(batch)
    assert loss.total.item() / loss.tokens == pytest.approx(model.transformer(**batch).loss.item(), rel=1e-5)
    assert loss.tokens == int((batch["labels"] != IGNORED).sum())


@pytest.mark.parametrize("config", [GPTConfig(model=""), BertConfig()], ids=["gpt", "bert"])
def test_logits_are_computed_only_for_the_tokens_to_predict(config):
    model, seen = untrained(config), []
    model.transformer.get_output_embeddings().register_forward_hook(lambda _, inputs, output: seen.append(len(output)))
    loss = model.loss(model.batch(TEXTS, seeded()))
    loss.total.backward()
    assert seen == [loss.tokens]
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_loaded_model_is_trained_in_training_mode():
    model = untrained(BertConfig())
    PretrainingModule(model, PretrainConfig(), steps=1, learning_rate=0.1, held_out=[model.batch(TEXTS, seeded())])
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("config", [GPTConfig(model=""), BertConfig()], ids=["gpt", "bert"])
def test_padding_does_not_change_the_loss(config):
    model = untrained(config, mask_probability=0.999)
    short, long = "cat", TEXTS[0]
    if config.causal:
        alone = [model.loss(model.batch([text], seeded())) for text in (short, long)]
        together = model.loss(model.batch([short, long], seeded()))
        assert together.total.item() == pytest.approx(sum(loss.total.item() for loss in alone), rel=1e-5)
    else:
        batch = model.batch([short, long], seeded())
        width = int(batch["attention_mask"][0].sum())
        row = {name: values[:1, :width] for name, values in batch.items()}
        padded = {name: values[:1] for name, values in batch.items()}
        assert model.loss(row).total.item() == pytest.approx(model.loss(padded).total.item(), rel=1e-5)


def test_masks_follow_berts_distribution():
    model = untrained(BertConfig(), mask_probability=0.3)
    texts = TEXTS * 400
    batch = model.batch(texts, seeded())
    true_ids = model.batch(texts, seeded())["labels"].where(batch["labels"] != IGNORED, batch["input_ids"])
    mask, cls, sep = (model.tokenizer.convert_tokens_to_ids(token) for token in (MASK, CLS, SEP))
    chosen = batch["labels"] != IGNORED
    fixed = (true_ids == cls) | (true_ids == sep) | (batch["attention_mask"] == 0)
    assert not (chosen & fixed).any()
    assert chosen.any(dim=1).all()
    # at least one token per text makes the share a little larger
    assert 0.29 < float(chosen.sum() / (~fixed).sum()) < 0.34
    replaced = batch["input_ids"][chosen]
    assert float((replaced == mask).float().mean()) == pytest.approx(0.8, abs=0.02)
    assert float((replaced == batch["labels"][chosen]).float().mean()) == pytest.approx(0.1, abs=0.02)
    assert torch.equal(batch["input_ids"], model.batch(texts, seeded())["input_ids"])
    assert not torch.equal(batch["input_ids"], model.batch(texts, seeded(1))["input_ids"])


def test_at_least_one_token_of_every_text_is_masked():
    model = untrained(BertConfig(), mask_probability=0.01)
    assert (model.batch(TEXTS, seeded())["labels"] != IGNORED).sum(dim=1).tolist() == [1] * len(TEXTS)


@pytest.mark.parametrize("tokenizer", ["bpe", "wordpiece"])
@pytest.mark.parametrize("causal", [True, False])
def test_the_same_texts_give_the_same_tokenizer(tokenizer, causal):
    """The library's own WordPiece trainer numbers its pieces in random order."""
    sizes = NewModel(**SIZES, tokenizer=tokenizer)
    first, second = (untrained_model(sizes, causal, texts)[1] for texts in (TEXTS * 3, TEXTS[::-1] * 3))
    assert first.get_vocab() == second.get_vocab()
    read = first(TEXTS[0])["input_ids"]
    assert first.unk_token_id not in read
    assert read[0] == (first.bos_token_id if causal else first.cls_token_id)
    text = first.decode(read, skip_special_tokens=True).strip().replace(" ", "")
    assert text == (TEXTS[0] if tokenizer == "bpe" else TEXTS[0].lower()).replace(" ", "")


def test_byte_tokens_can_spell_unseen_characters():
    tokenizer = untrained_model(NewModel(**SIZES), True, TEXTS)[1]
    assert tokenizer.decode(tokenizer("日本 🎬")["input_ids"], skip_special_tokens=True).strip() == "日本 🎬"


def test_texts_that_are_cut_in_pretraining_are_counted_in_the_log(caplog):
    texts = ["a film", "word " * 50, "word " * 20]
    model = untrained(GPTConfig(model=""), max_length=12)
    assert max(model.token_counts(texts)) == 12
    assert "2 of 3 texts are longer than the 12 tokens that the model reads" in caplog.text
    caplog.clear()
    model.token_counts(texts[:1])
    assert caplog.text == ""
