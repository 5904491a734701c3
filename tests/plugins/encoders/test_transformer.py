"""The encoders `bert` and `gpt`: vectors equal the libraries', padding does not matter, gradients, and only valid files are loaded."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from recframe.components import contradictions
from recframe.language_models import check_loadable, check_transformer, find_model
from recframe.testing import check_encoder
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder
from recframe_plugins.encoders.transformers.model import load_transformer
from recframe_plugins.encoders.transformers.pooling import POOLING

CPU = torch.device("cpu")
# longer than the limits of 256 and 512 tokens
LONG = "A very long plot in which everything happens at least twice. " * 40
TEXTS = [
    "Alien (1979)",
    "",
    " ",
    "🎬🍿👩‍👩‍👧",
    "七人の侍 (Seven Samurai), Семь самураев, الساموراي السبعة",
    LONG,
    "e\u0301 is é",
    "drama",
]


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


def model_card(texts: list[str]) -> np.ndarray:
    """Vectors by the code on the card of all-MiniLM-L6-v2, with transformers alone, one text at a time."""
    from transformers import AutoModel, AutoTokenizer

    folder = str(find_model("packaged:all-MiniLM-L6-v2", None, False).folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    vectors = []
    for text in texts:
        encoded = tokenizer([text], padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            tokens = model(**encoded)[0]
        mask = encoded["attention_mask"].unsqueeze(-1).expand(tokens.size()).float()
        pooled = torch.sum(tokens * mask, 1) / torch.clamp(mask.sum(1), min=1e-9)
        vectors.append(torch.nn.functional.normalize(pooled, p=2, dim=1).numpy())
    return np.concatenate(vectors)


@pytest.fixture(scope="session")
def bert() -> TransformerEncoder:
    return TransformerEncoder(BertConfig(), CPU)


@pytest.fixture
def bert_of():
    return lambda **options: TransformerEncoder(BertConfig(**options), CPU)


@pytest.fixture
def gpt_of(gpt_folder):
    return lambda **options: TransformerEncoder(GPTConfig(**{"model": str(gpt_folder), **options}), CPU)


def test_bert_with_the_packaged_model_gives_the_vectors_of_sentence_transformers(bert, library_vectors):
    expected = library_vectors(TEXTS)
    vectors = bert.encode(TEXTS, "item")

    assert vectors.shape == (len(TEXTS), bert.dim) == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert cosines(vectors, expected).min() > 1 - 1e-6
    assert np.allclose(vectors, expected, atol=1e-6)


def test_bert_and_sentence_transformers_give_the_vectors_of_the_model_card(bert_of, encoder_of):
    expected = model_card(TEXTS)
    # the card's code cuts texts at the last position, sentence-transformers at 256 tokens
    for encoder in (bert_of(max_length=512), encoder_of(max_length=512)):
        vectors = encoder.encode(TEXTS, "item")
        assert cosines(vectors, expected).min() > 1 - 1e-6
        assert np.allclose(vectors, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", ["weighted_mean", "mean", "last"])
def test_gpt_gives_the_vectors_computed_by_hand(gpt_of, gpt_folder, pooling):
    from transformers import AutoTokenizer, GPT2Model

    tokenizer, model = AutoTokenizer.from_pretrained(gpt_folder), GPT2Model.from_pretrained(gpt_folder).eval()
    expected = []
    for text in TEXTS:
        tokens = tokenizer(text)["input_ids"][:48] or [tokenizer.eos_token_id]
        with torch.no_grad():
            hidden = model(torch.tensor([tokens])).last_hidden_state[0].double().numpy()
        count = len(tokens)
        weights = {"weighted_mean": np.arange(1, count + 1), "mean": np.ones(count), "last": np.eye(count)[-1]}[pooling]
        vector = weights @ hidden / weights.sum()
        expected.append(vector / np.linalg.norm(vector))

    vectors = gpt_of(pooling=pooling).encode(TEXTS, "item")

    assert vectors.dtype == np.float32
    assert np.allclose(vectors, np.stack(expected), atol=2e-6)


def test_gpt_padded_on_the_left_with_explicit_positions_gives_the_same_vectors(gpt_of):
    encoder = gpt_of(normalize=False)
    loaded = encoder.transformer
    tokens = loaded.tokenizer(["Heat"], return_tensors="pt")["input_ids"]
    pads = torch.full((1, 7), loaded.tokenizer.pad_token_id)
    mask = torch.cat([torch.zeros_like(pads), torch.ones_like(tokens)], dim=1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        hidden = loaded.model(torch.cat([pads, tokens], dim=1), attention_mask=mask, position_ids=positions).last_hidden_state
    padded = POOLING["weighted_mean"](hidden, mask)
    assert np.allclose(encoder.encode(["Heat"], "item"), padded.numpy(), atol=1e-6)


def test_a_text_has_the_same_vector_alone_and_in_a_batch_with_a_long_one(bert, gpt_of):
    for encoder in (bert, gpt_of(), gpt_of(pooling="last")):
        with torch.no_grad():
            together = encoder.differentiable(TEXTS, "item").numpy()
        alone = np.concatenate([encoder.encode([text], "item") for text in TEXTS])
        assert np.allclose(together, alone, atol=1e-6)


def test_the_choice_of_the_pad_token_does_not_matter(gpt_of):
    encoder = gpt_of()
    expected = encoder.encode(TEXTS, "item")
    encoder.transformer.tokenizer.pad_token = encoder.transformer.tokenizer.convert_ids_to_tokens(7)
    assert encoder.transformer.tokenizer.pad_token_id == 7
    assert np.array_equal(encoder.encode(TEXTS, "item"), expected)


def test_the_encoders_conform(bert, gpt_of):
    check_encoder(bert)
    check_encoder(gpt_of())


def test_bfloat16_gives_similar_float32_vectors(gpt_of):
    exact, coarse = gpt_of(), gpt_of(dtype="bfloat16")
    assert next(coarse.transformer.model.parameters()).dtype == torch.bfloat16
    vectors = coarse.encode(TEXTS, "item")
    assert vectors.dtype == np.float32
    assert cosines(vectors, exact.encode(TEXTS, "item")).min() > 0.99
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert coarse.fingerprint != exact.fingerprint


def test_batch_tokens_bounds_the_forward_pass_and_changes_no_vector(gpt_of):
    expected = gpt_of().encode(TEXTS, "item")
    encoder = gpt_of(batch_tokens=60)
    shapes = []
    encoder.transformer.model.register_forward_pre_hook(lambda _, __, given: shapes.append(given["input_ids"].shape), with_kwargs=True)
    assert np.allclose(encoder.encode(TEXTS, "item"), expected, atol=1e-6)
    assert len(shapes) > 1
    assert max(shape.numel() for shape in shapes) <= 60


def test_vectors_carry_gradients_to_every_weight_of_the_model(gpt_of):
    encoder = gpt_of()
    vectors = encoder.differentiable(TEXTS[:4], "item")
    assert np.allclose(vectors.detach().numpy(), encoder.encode(TEXTS[:4], "item"), atol=1e-6)
    vectors[:, 0].sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in encoder.transformer.model.parameters())
    # encode builds no graph
    assert encoder.encode(["a film"], "item").shape == (1, encoder.dim)  # numpy takes no tensor that requires a gradient


def test_prompts_precede_the_texts_of_their_role_and_count_as_tokens(bert, bert_of):
    prompted = bert_of(item_prompt="passage: ", user_prompt="query: ")
    expected = bert.encode(["passage: Alien", "query: Alien", "Alien"], "item")
    vectors = np.concatenate([prompted.encode(["Alien"], role) for role in ("item", "user", "context")])
    assert np.allclose(vectors, expected, atol=1e-6)
    assert prompted.token_counts(["Alien"], "item") == [5]
    assert prompted.token_counts(["Alien"], "context") == [3]


def test_max_length_cuts_texts_and_must_not_exceed_positions_or_a_batch(bert, bert_of, gpt_of):
    long = "one two three four five six seven eight nine ten"
    # two of the six tokens mark beginning and end
    assert np.allclose(bert_of(max_length=6).encode([long], "item"), bert.encode(["one two three four"], "item"), atol=1e-6)
    assert bert.token_counts([long * 100], "item") == [256]
    assert gpt_of().token_counts([long * 100], "item") == [48]
    with pytest.raises(ValueError, match=r"encoder\.max_length=513: packaged:all-MiniLM-L6-v2 reads at most 512 tokens"):
        bert_of(max_length=513).encode([long], "item")
    with pytest.raises(ValueError, match=r"encoder\.max_length=49: .* reads at most 48 tokens"):
        gpt_of(max_length=49).encode([long], "item")
    assert contradictions(BertConfig(max_length=100, batch_tokens=64)) == [
        "encoder.max_length=100 is more than encoder.batch_tokens=64; raise the latter"
    ]
    with pytest.raises(ValueError, match=r"encoder\.max_length=49: .* reads at most 48 tokens"):
        gpt_of(max_length=49).encode([long], "item")
    assert contradictions(BertConfig(max_length=64, batch_tokens=64)) == []


def test_the_fingerprint_covers_exactly_what_changes_vectors(bert, bert_of, linked_minilm, tmp_path):
    assert bert_of(batch_tokens=99).fingerprint == bert.fingerprint
    assert bert_of(model=str(linked_minilm({}))).fingerprint == bert.fingerprint
    changed = linked_minilm({"tokenizer_config.json": "{}"}, tmp_path / "changed")
    options = {"pooling": "cls", "max_length": 16, "dtype": "bfloat16", "normalize": False}
    others = [bert_of(**{name: value}) for name, value in options.items()]
    others += [bert_of(**{f"{role}_prompt": "query: "}) for role in ("item", "user", "context")]
    others += [bert_of(model=str(changed))]
    assert len({encoder.fingerprint for encoder in [bert, *others]}) == 1 + len(others)


def test_heads_are_loaded_on_request(gpt_folder):
    causal = load_transformer(GPTConfig(model=str(gpt_folder)), CPU, "causal")
    logits = causal.model(torch.tensor([[1, 2]])).logits
    assert logits.shape == (1, 2, len(causal.tokenizer))
    assert not causal.model.training
    # the packaged model has no head, so a new one is made; the other weights are unchanged
    masked = load_transformer(BertConfig(), CPU, "masked")
    plain = load_transformer(BertConfig(), CPU)
    assert masked.model(torch.tensor([[101, 103, 102]])).logits.shape == (1, 3, 30522)
    assert torch.equal(masked.model.base_model.embeddings.word_embeddings.weight, plain.model.embeddings.word_embeddings.weight)


def test_loading_restores_the_random_state_and_prints_nothing(capfd):
    state = torch.get_rng_state()
    # this head is drawn at random
    load_transformer(BertConfig(), CPU, "masked")
    assert torch.equal(torch.get_rng_state(), state)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_a_model_of_the_other_kind_is_refused_with_the_right_encoder(bert_of, gpt_of, gpt_folder, tmp_path):
    with pytest.raises(ValueError, match=r"is a gpt2, whose tokens attend only to those before them; choose encoder=gpt"):
        bert_of(model=str(gpt_folder)).encode(["a"], "item")
    with pytest.raises(ValueError, match=r"is a bert, whose tokens attend to the whole text; choose encoder=bert"):
        gpt_of(model="packaged:all-MiniLM-L6-v2").encode(["a"], "item")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(ValueError, match="is a t5, an encoder with a decoder"):
        bert_of(model=str(tmp_path)).encode(["a"], "item")


def test_a_models_own_code_is_not_run(linked_minilm, bert_of):
    auto = {"AutoConfig": "configuration_mine.MineConfig", "AutoModel": "modeling_mine.Mine"}
    config = json.dumps({"model_type": "mine", "auto_map": auto})
    code = "raise AssertionError('it ran')"
    folder = linked_minilm({"config.json": config, "configuration_mine.py": code, "modeling_mine.py": code})
    with pytest.raises(ValueError, match=r"bring code of their own; read it, then set encoder\.trust_remote_code=true") as refused:
        bert_of(model=str(folder)).encode(["a"], "item")
    assert "\n" not in str(refused.value)
    # the test can fail: trusted, the code does run
    with pytest.raises(AssertionError, match="it ran"):
        bert_of(model=str(folder), trust_remote_code=True).encode(["a"], "item")


def test_unusable_files_are_named_in_one_line(linked_minilm, bert_of, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(find_model("packaged:all-MiniLM-L6-v2", None, False).folder / "model.safetensors")
    part = {name: weight for name, weight in weights.items() if "layer.3.output" not in name}
    save_file(part, tmp_path / "part.safetensors")
    cases: dict[str, tuple[dict[str, str | bytes | None], str]] = {
        "lacking": (
            {"model.safetensors": (tmp_path / "part.safetensors").read_bytes()},
            r"lacks 4 of the model's weights, such as .*layer\.3",
        ),
        "garbage": ({"model.safetensors": b"garbage"}, "do not load"),
        "pickled": ({"model.safetensors": None, "pytorch_model.bin": b"a pickle"}, r"pytorch_model\.bin are pickled"),
        "weightless": ({"model.safetensors": None}, "do not load: .*safetensors"),
        "empty": ({"config.json": None}, r"holds no transformer: it has no config\.json"),
        "broken": ({"config.json": "{"}, r"config\.json is not valid JSON|do not load"),
    }
    for name, (changes, message) in cases.items():
        with pytest.raises(ValueError, match=message) as refused:
            bert_of(model=str(linked_minilm(changes, tmp_path / name))).encode(["a"], "item")
        assert "\n" not in str(refused.value)
        assert str(tmp_path / name) in str(refused.value)


def test_an_adapter_is_refused_without_loading_the_model_that_it_names(linked_minilm):
    folder = linked_minilm({"adapter_config.json": json.dumps({"base_model_name_or_path": "somebody/model"})})
    for check in (lambda: check_transformer(folder), lambda: check_loadable(folder, trust_remote_code=True)):
        with pytest.raises(ValueError, match=r"holds a peft adapter .* merge it into its model"):
            check()


def test_max_length_is_required_for_a_model_without_a_limit(gpt_folder, gpt_of, tmp_path):
    from transformers import AutoTokenizer, BloomConfig, BloomModel, PreTrainedTokenizerFast

    tokenizer = AutoTokenizer.from_pretrained(gpt_folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, eos_token=tokenizer.eos_token).save_pretrained(tmp_path)
    with torch.random.fork_rng(devices=[]):
        BloomModel(BloomConfig(vocab_size=len(tokenizer), hidden_size=8, n_layer=1, n_head=2)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"encoder\.max_length is required: .* does not say how many tokens"):
        gpt_of(model=str(tmp_path)).encode(["a"], "item")
    assert gpt_of(model=str(tmp_path), max_length=8).encode(["a"], "item").shape == (1, 8)


def test_a_model_that_is_not_found_is_named(gpt_of):
    with pytest.raises(ValueError, match=r"encoder\.model=no-such-gpt: there is no such folder"):
        gpt_of(model="no-such-gpt").encode(["a"], "item")


def test_no_texts_give_no_vectors_and_load_nothing(bert_of):
    encoder = bert_of()
    assert encoder.encode([], "item").shape == (0, 384)
    assert "transformer" not in vars(encoder)
