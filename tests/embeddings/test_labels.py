"""Zero-shot labels: laws of the probabilities and of their calibration, and what is refused."""

from dataclasses import replace

import polars as pl
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.building.texts import shuffled
from recframe.config.schema.run import LabelConfig
from recframe.embeddings import label_report, label_texts
from recframe.embeddings.label_calibration import calibration_split, fit_calibration, label_quality
from recframe.embeddings.labels import sentences_of, zero_shot_labels
from recframe.interfaces import DataError, Labels, Texts, Users
from recframe.testing import toy_data

# one dimension for each word, so that similarities are easy to see
WORDS = ("good", "bad", "train", "sofa")
FEELINGS = LabelConfig(prototypes={"positive": ["good", "good good"], "negative": ["bad"]}, temperature=0.5, calibrate=False)


def encode(texts):
    return torch.tensor([[float(text.lower().count(word)) for word in WORDS] for text in texts])


def texts_of(*texts, **attributes):
    return Texts(list(texts), encode(texts), pl.DataFrame(attributes) if attributes else None)


def noisy(n, seed=0, sharpness=1.0):
    """Overconfident, biased logits, and labels drawn from the true ones."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    known = torch.multinomial(true.softmax(dim=1), 1, generator=generator).squeeze(1)
    return sharpness * true + torch.tensor([1.0, 0.0, -1.0]), known


def test_probabilities_are_a_softmax_of_mean_cosines():
    labels = zero_shot_labels(texts_of("good train", "bad"), {"feeling": FEELINGS}, encode)["feeling"]
    assert labels.names == ("positive", "negative")
    expected = torch.tensor([[0.5**0.5, 0.0], [0.0, 1.0]]).div(0.5).softmax(dim=1)
    assert torch.allclose(labels.probabilities, expected)
    assert labels.measures == {}


def test_unit_decides_between_the_nearest_sentence_and_the_whole_text():
    said = texts_of("On the train, the train, the train. Good.")
    by_sentence = zero_shot_labels(said, {"feeling": FEELINGS}, encode)["feeling"].probabilities[0, 0]
    whole = zero_shot_labels(said, {"feeling": replace(FEELINGS, unit="text")}, encode)["feeling"].probabilities[0, 0]
    assert by_sentence == pytest.approx(torch.tensor([2.0, 0.0]).softmax(0)[0])
    assert whole == pytest.approx(torch.tensor([2 * 10**-0.5, 0.0]).softmax(0)[0])


def test_sentences_end_at_punctuation_before_a_blank():
    assert sentences_of("Tea time. Was it 3.5 stars?  Hm!") == ["Tea time.", "Was it 3.5 stars?", "Hm!"]
    assert sentences_of("") == [""]


@settings(max_examples=25, deadline=None)
@given(st.permutations(["a", "b", "c"]), st.integers(0, 1000))
def test_permuting_labels_permutes_probabilities(order, seed):
    generator = torch.Generator().manual_seed(seed)
    vectors = {name: torch.randn(2, 4, generator=generator) for name in "abc"}
    said = Texts([f"text {i}" for i in range(6)], torch.randn(6, 4, generator=generator))

    def prototypes(names):
        config = LabelConfig(prototypes={name: [name] for name in names}, unit="text", calibrate=False)
        return zero_shot_labels(said, {"x": config}, lambda texts: vectors[texts[0]])["x"].probabilities

    straight, permuted = prototypes("abc"), prototypes(order)
    assert torch.allclose(straight.sum(dim=1), torch.ones(6))
    assert torch.allclose(permuted, straight[:, ["abc".index(name) for name in order]])


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 60), st.integers(0, 1000), st.floats(0.05, 20))
def test_calibration_never_raises_the_log_loss_on_its_own_data(n, seed, sharpness):
    logits, known = noisy(n, seed, sharpness)
    scale, bias = fit_calibration(logits, known)
    assert scale > 0
    assert F.cross_entropy(scale * logits + bias, known) <= F.cross_entropy(logits, known) + 1e-9


def test_calibration_finds_the_scale_and_the_biases():
    logits, known = noisy(20_000, sharpness=4.0)
    scale, bias = fit_calibration(logits, known)
    assert scale == pytest.approx(0.25, rel=0.05)
    # 0.25 times the bias of the logits is undone, up to a constant
    assert (bias - bias.mean()).tolist() == pytest.approx([-0.25, 0.0, 0.25], abs=0.05)
    better, worse = label_quality(scale * logits + bias, known), label_quality(logits, known)
    assert better["calibration_error"] < 0.02 < worse["calibration_error"]
    assert better["accuracy"] > worse["accuracy"]


def test_label_quality_is_what_is_worked_out_by_hand():
    logits = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], dtype=torch.float64).log()
    found = label_quality(logits, torch.tensor([0, 1, 1]))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["log_loss"] == pytest.approx(-torch.tensor([0.9, 0.1, 0.6]).log().mean().item())
    assert found["calibration_error"] == pytest.approx((abs(1.0 - 1.8) + abs(1.0 - 0.6)) / 3)


def test_equal_texts_are_in_the_same_half():
    texts = [f"text {i % 10}" for i in range(40)]
    known = torch.tensor([-1 if i < 4 else i % 2 for i in range(40)])
    fitted, judged = calibration_split(texts, known)
    assert sorted([*fitted.tolist(), *judged.tolist()]) == list(range(4, 40))
    assert {texts[i] for i in fitted.tolist()}.isdisjoint(texts[i] for i in judged.tolist())
    assert len({texts[i] for i in fitted.tolist()}) == 5


def test_known_labels_calibrate_and_evaluate_and_null_is_no_label():
    feeling = ["negative" if i % 2 else "positive" for i in range(20)] + [None]
    # the wrong way round: the scale of the calibration cannot change sign, but the log loss can shrink
    said = texts_of(*(("good" if i % 2 else "bad") + " train" * i for i in range(21)), feeling=feeling)
    labels = zero_shot_labels(said, {"feeling": replace(FEELINGS, calibrate=True)}, encode)["feeling"]
    assert labels.measures["judged_texts"] == 10
    assert labels.measures["accuracy/zero_shot"] == 0.0
    assert labels.measures["log_loss/calibrated"] < labels.measures["log_loss/zero_shot"]
    untouched = zero_shot_labels(said, {"feeling": FEELINGS}, encode)["feeling"]
    assert untouched.measures == {}
    assert not torch.allclose(untouched.probabilities, labels.probabilities)


def test_a_label_of_the_data_that_the_settings_lack_is_named():
    said = texts_of("good", "bad", "sofa", feeling=["positive", "negative", "mixed"])
    with pytest.raises(DataError, match=r"labels\.feeling: the data labels a text 'mixed', which is not one of positive, negative"):
        zero_shot_labels(said, {"feeling": replace(FEELINGS, calibrate=True)}, encode)
    assert zero_shot_labels(said, {"feeling": FEELINGS}, encode)


def test_contexts_and_profiles_are_labelled_in_their_own_role():
    data = toy_data(dim=len(WORDS))
    roles = []

    def encode_as(texts, role):
        roles.append(role)
        return encode(texts)

    labelled = label_texts(data, {"feeling": FEELINGS}, encode_as)
    assert set(roles) == {"user", "context"}
    assert len(labelled.contexts.labels["feeling"].probabilities) == len(data.contexts.texts)
    assert len(labelled.users.profiles.labels["feeling"].probabilities) == len(data.users)
    assert label_report(labelled) == {}


def test_the_report_has_contexts_before_profiles():
    data, known = toy_data(), {"feeling": Labels(("good",), torch.ones(3, 1), {"accuracy": 1.0})}
    texts = Texts(["a", "b", "c"], labels=known)
    report = label_report(data._replace(users=Users(["a", "b", "c"], texts), contexts=texts))
    assert list(report) == ["labels/feeling/accuracy", "labels/feeling of profiles/accuracy"]


def test_data_without_profiles_and_contexts_is_refused():
    data = toy_data(dim=len(WORDS))._replace(contexts=None, users=None)
    with pytest.raises(DataError, match="neither profiles nor contexts"):
        label_texts(data, {"feeling": FEELINGS}, lambda texts, role: encode(texts))


def test_texts_with_empty_vectors_get_no_labels():
    data = toy_data()
    silent = data._replace(contexts=replace(data.contexts, vectors=torch.empty(3, 0), labels={}), users=None)
    assert label_texts(silent, {"feeling": FEELINGS}, lambda texts, role: encode(texts)).contexts.labels == {}


def test_shuffled_labels_stay_with_their_vectors():
    data = toy_data()
    moved = shuffled(data, seed=1)
    before, after = data.contexts, moved.contexts
    order = [before.vectors.tolist().index(vector) for vector in after.vectors.tolist()]
    assert order != sorted(order)
    assert torch.equal(after.labels["sentiment"].probabilities, before.labels["sentiment"].probabilities[order])
