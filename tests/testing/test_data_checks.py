"""The checks of datasets, encoders and rewards accept correct components and report what is wrong with broken ones."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from recframe.interfaces import Data, Dataset, Encoder, Interactions, Reward, Texts
from recframe.testing import ConformanceError, check_dataset, check_encoder, check_reward, toy_data


class ToyDataset(Dataset):
    """Loads the toy data, changed by a test."""

    def __init__(self, change=lambda data: data):
        self.change = change

    def load(self) -> Data:
        return self.change(toy_data())


def with_catalog(**parts):
    return lambda data: data._replace(catalog=replace(data.catalog, **parts))


def with_column(column):
    return lambda data: data._replace(interactions=Interactions(data.interactions.frame.with_columns(column), ("rating",)))


def with_features(value):
    def change(data):
        features = torch.full((len(data.interactions), 2), value)
        return data._replace(interactions=replace(data.interactions, features=features))

    return change


def different_at_each_load():
    counts = iter(range(100))

    def change(data):
        return with_catalog(popularity=torch.full((40,), float(next(counts))))(data)

    return change


def test_correct_data_passes():
    check_dataset(ToyDataset())
    check_dataset(ToyDataset(lambda data: Data(data.catalog)))


def test_feedback_that_is_not_known_and_the_optional_columns_of_a_log_pass():
    columns = [pl.lit(float("nan")).alias("rating"), pl.lit(3, pl.Int64).alias("session"), pl.lit(0, pl.Int64).alias("position")]
    columns += [pl.lit(1.0).alias("propensity"), pl.lit("").alias("text")]
    check_dataset(ToyDataset(with_column(columns)))
    check_dataset(ToyDataset(with_features(1.0)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.catalog, "must return recframe.interfaces.Data, not Catalog"),
        (with_catalog(ids=["same"] * 40), "catalog.ids repeats an id"),
        (with_catalog(ids=list(range(40))), "catalog.ids must be strings"),
        (with_catalog(texts=["", *["text"] * 39]), "empty text"),
        (with_catalog(texts=[1] * 40), "catalog.texts must be strings"),
        (with_catalog(popularity=torch.full((40,), -1.0)), "popularity has a negative value"),
        (with_catalog(popularity=torch.ones(40, dtype=torch.int64)), "popularity must be torch.float32"),
        (with_catalog(text_vectors=torch.full((40, 3), torch.nan)), "NaN"),
        (with_catalog(attributes=pl.DataFrame({"title": [1] * 40})), "'title' must be a string"),
        (lambda data: data._replace(users=replace(data.users, ids=["same"] * 60)), "users.ids repeats"),
        (lambda data: data._replace(users=replace(data.users, profiles=Texts([0] * 60))), "users.profiles must be strings"),
        (lambda data: data._replace(users=None), "load the users too"),
        (lambda data: data._replace(contexts=Texts([None])), "contexts must be strings"),
        (with_column(pl.col("item") + 1), "'item' must contain row numbers from 0 to 39"),
        (with_column(pl.col("user") - 1), "'user' must contain row numbers from 0 to 59"),
        (with_column(pl.col("timestamp").cast(pl.Float64)), "'timestamp' must be Int64"),
        (with_column(pl.lit(None, pl.Int64).alias("timestamp")), "'timestamp' has nulls"),
        (with_column(pl.col("rating").cast(pl.Int64)), "'rating' must have a float type"),
        (with_column(pl.lit(float("inf")).alias("rating")), "'rating' has nulls or infinity"),
        (with_column(pl.lit(None, pl.Float64).alias("rating")), "'rating' has nulls or infinity"),
        (with_column(pl.lit("a").alias("session")), "'session' must be Int64"),
        (with_column(pl.lit(None, pl.String).alias("text")), "'text' has nulls"),
        (with_column(pl.lit(-1, pl.Int64).alias("position")), "places are counted from 0"),
        (with_column(pl.lit(0.0).alias("propensity")), "greater than 0 and at most 1"),
        (with_features(torch.nan), "interactions.features contains NaN"),
        (different_at_each_load(), "two loads differ in catalog"),
    ],
)
def test_broken_data_is_reported(change, message):
    with pytest.raises(ConformanceError, match=message):
        check_dataset(ToyDataset(change))


def test_an_object_of_another_type_is_refused():
    with pytest.raises(ConformanceError, match=r"must subclass recframe\.interfaces\.Dataset"):
        check_dataset(object())


class LetterEncoder(Encoder):
    """Counts letters: a correct encoder."""

    dim = 26
    fingerprint = "letters"

    def encode(self, texts, role):
        return np.array([[text.lower().count(chr(97 + i)) for i in range(self.dim)] for text in texts], dtype=np.float32)


class Float64(LetterEncoder):
    def encode(self, texts, role):
        return super().encode(texts, role).astype(np.float64)


class AsTensor(LetterEncoder):
    def encode(self, texts, role):
        return torch.from_numpy(super().encode(texts, role))


class WrongDim(LetterEncoder):
    dim = 3

    def encode(self, texts, role):
        return super().encode(texts, role)[:, :2]


class NoDim(LetterEncoder):
    dim = 0


class Infinite(LetterEncoder):
    def encode(self, texts, role):
        return super().encode(texts, role) / np.float32(0)


class Noisy(LetterEncoder):
    calls = 0

    def encode(self, texts, role):
        self.calls += 1
        return super().encode(texts, role) + np.float32(self.calls)


class Sorting(LetterEncoder):
    def encode(self, texts, role):
        return super().encode(sorted(texts), role)


class BatchNormalizing(LetterEncoder):
    def encode(self, texts, role):
        vectors = super().encode(texts, role)
        return vectors - vectors.mean(axis=0)


class Constant(LetterEncoder):
    def encode(self, texts, role):
        return np.ones((len(texts), self.dim), dtype=np.float32)


class ItemsOnly(LetterEncoder):
    def encode(self, texts, role):
        return super().encode(texts, role) if role == "item" else super().encode(texts, role)[:, :1]


class EmptyFingerprint(LetterEncoder):
    fingerprint = ""


class ChangingFingerprint(LetterEncoder):
    calls = 0

    @property
    def fingerprint(self):
        self.calls += 1
        return str(self.calls)


def test_a_correct_encoder_passes():
    check_encoder(LetterEncoder())


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (object, "must subclass"),
        (Float64, "must return float32, not float64"),
        (AsTensor, "must return a numpy array, not Tensor"),
        (WrongDim, r"must have the shape \[n, dim\] = \(5, 3\), not \(5, 2\)"),
        (NoDim, "dim must be a positive int, not 0"),
        (ItemsOnly, r"must have the shape \[n, dim\]"),
        (Noisy, "other vectors the second time"),
        (Sorting, "does not keep the order"),
        (BatchNormalizing, "depends on the other texts of the call"),
        (Constant, "gives different texts the same vector"),
        (EmptyFingerprint, "must be a non-empty string"),
        (ChangingFingerprint, "fingerprint changed although the encoder did not"),
    ],
)
def test_a_broken_encoder_is_reported(encoder, message):
    with pytest.raises(ConformanceError, match=message):
        check_encoder(encoder())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_encoder_with_infinite_vectors_is_reported():
    with pytest.raises(ConformanceError, match="NaN or infinity"):
        check_encoder(Infinite())


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class PerUser(Click):
    def __call__(self, transition, catalog):
        return super().__call__(transition, catalog).sum(dim=1)


class Whole(Click):
    def __call__(self, transition, catalog):
        return super().__call__(transition, catalog).long()


class LogClick(Click):
    def __call__(self, transition, catalog):
        return super().__call__(transition, catalog).log()


class InPlace(Click):
    def __call__(self, transition, catalog):
        return super().__call__(transition, catalog).mul_(2)


class Stateful(Click):
    calls = 0

    def __call__(self, transition, catalog):
        self.calls += 1
        return super().__call__(transition, catalog) + self.calls


class RandomReward(Click):
    def __call__(self, transition, catalog):
        return torch.rand(transition.slate.shape)


class ShareOfSlate(Click):
    def __call__(self, transition, catalog):
        clicks = super().__call__(transition, catalog)
        return clicks / clicks.sum(dim=1, keepdim=True).clamp(min=1)


class NotYetSeen(Click):
    def __call__(self, transition, catalog):
        seen = (transition.slate.unsqueeze(2) == transition.observation.history_items.unsqueeze(1)).any(dim=2)
        return super().__call__(transition, catalog) * 2 + transition.observation.user.unsqueeze(1) * ~seen


def test_a_correct_reward_passes():
    check_reward(Click(), itemwise=True)
    check_reward(ShareOfSlate())
    check_reward(NotYetSeen())


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (object, "must subclass"),
        (PerUser, r"must have the shape \[8, 1\], not \[8\]"),
        (Whole, "must be torch.float32"),
        (LogClick, "NaN or infinity"),
        (InPlace, "changed response.signals.click of the transition in place"),
        (Stateful, "got another reward the second time"),
        (RandomReward, "torch's global random state"),
    ],
)
def test_a_broken_reward_is_reported(reward, message):
    with pytest.raises(ConformanceError, match=message):
        check_reward(reward())


@pytest.mark.parametrize("reward", [ShareOfSlate, NotYetSeen])
def test_a_false_claim_to_be_itemwise_is_reported(reward):
    with pytest.raises(ConformanceError, match="remove the tag"):
        check_reward(reward(), itemwise=True)


@pytest.mark.parametrize("name", ["response", "next_observation", "terminated"])
def test_a_false_claim_to_rate_what_is_shown_alone_is_reported(name):
    class Claims(Click):
        reads_response = False

        def __call__(self, transition, catalog):
            read = {
                "response": transition.response.leave,
                "next_observation": transition.next_observation.history_feedback[:, -1, 0],
                "terminated": transition.terminated,
            }
            return read[name].float().unsqueeze(1).expand(transition.slate.shape)

    with pytest.raises(ConformanceError, match="has reads_response=False, but its value depends on what people did"):
        check_reward(Claims())
