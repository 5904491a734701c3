"""Zero-shot labels of texts: probabilities of sentiment, intent or any other label, from the similarity to prototype sentences.

Each label l has prototype sentences, encoded like the texts. With unit vectors v of a text's sentences and p of the label's,

    score        s_l = max over the text's sentences v of the mean over the label's sentences p of v.p
    probability  P(l) = softmax_l(a s_l + b_l),   a = 1 / temperature and b = 0

A mean of cosines is a product with the mean of the prototypes' unit vectors, which is how CLIP classifies with several prompts a class
(Radford et al. 2021, ICML, section 3.1.4, "prompt ensembling"). Yin et al. 2019 (EMNLP, "Benchmarking Zero-shot Text Classification")
classify texts by a label's name or description. The vector of a text with several statements is a mixture of them; encoding its sentences
one by one keeps them apart, as in SummaC (Laban et al. 2022, TACL). With `unit: text`, v is the text's own vector.

If the data has the labels of some texts, a and b are fitted to half of them (see `label_calibration`). Both are evaluated on the other
half. Equal texts are in the same half.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.embeddings.label_calibration import calibration_split, fit_calibration, label_quality
from recframe.interfaces import Data, DataError, Labels, Role, Texts

log = logging.getLogger(__name__)


class LabelSettings(Protocol):
    """How a set of labels is predicted: prototype sentences of each label, the unit that is compared with them, and the scale."""

    prototypes: dict[str, list[str]]
    unit: str
    temperature: float
    calibrate: bool


def label_texts(data: Data, settings: Mapping[str, LabelSettings], encode: Callable[[list[str], Role], Tensor]) -> Data:
    """The data with labels of its profiles and contexts. Sentences are encoded in the role of the texts they are compared with.

    With an encoder that reads no text, whose vectors are empty, texts get no labels.

    Raises
    ------
    DataError: if there are neither profiles nor contexts, or the labels do not fit them (see `zero_shot_labels`).
    """
    if data.texts.keys() == {"item"}:
        raise DataError("labels: the data has no texts of people to label, neither profiles nor contexts; use labels=[]")

    def labelled(texts: Texts, role: Role) -> Texts:
        if role == "item" or texts.vectors is None or texts.vectors.shape[1] == 0:
            return texts
        return replace(texts, labels=zero_shot_labels(texts, settings, lambda sentences: encode(sentences, role)))

    return data.with_texts({role: labelled(texts, role) for role, texts in data.texts.items()})


def label_report(data: Data) -> dict[str, float]:
    """The quality of the labels where the data has true ones, for `result.json`, as "labels/sentiment/accuracy/calibrated" and so on.

    Those of contexts come first.
    """
    return {
        f"labels/{name}{' of profiles' if role == 'user' else ''}/{measure}": value
        for role, texts in reversed(data.texts.items())
        for name, labels in texts.labels.items()
        for measure, value in labels.measures.items()
    }


def zero_shot_labels(texts: Texts, settings: Mapping[str, LabelSettings], encode: Callable[[list[str]], Tensor]) -> dict[str, Labels]:
    """The labels of texts that have vectors, by name.

    Parameters
    ----------
    settings: how each set of labels is predicted, by its name.
    encode: gives the vectors `[n, D]` of sentences, on the CPU, in the space of the texts' vectors, which are also on the CPU.

    Raises
    ------
    DataError: if a set of labels is to be calibrated, and the data has a label that its settings lack.
    """
    assert texts.vectors is not None
    units = {"text": (texts.vectors, torch.arange(len(texts.texts)))}
    if any(chosen.unit == "sentence" for chosen in settings.values()):
        sentences = [sentences_of(text) for text in texts.texts]
        vectors = encode([sentence for some in sentences for sentence in some])
        units["sentence"] = (vectors, torch.repeat_interleave(torch.tensor([len(some) for some in sentences])))
    labels = {}
    for name, chosen in settings.items():
        vectors, rows = units[chosen.unit]
        scores = label_scores(vectors, [encode(list(sentences)) for sentences in chosen.prototypes.values()])
        labels[name] = _labels(name, texts, max_per_text(scores, rows, len(texts.texts)), chosen)
    return labels


def sentences_of(text: str) -> list[str]:
    """The text's sentences, each ended by a full stop, question mark or exclamation mark before a blank; at least one, perhaps empty."""
    return re.split(r"(?<=[.!?])\s+", text.strip())


def max_per_text(scores: Tensor, rows: Tensor, num_texts: int) -> Tensor:
    """The maximum of each text's scores, `[num_texts, L]`, given the scores `[m, L]` of sentences; sentence i is from text `rows[i]`."""
    result = scores.new_full((num_texts, scores.shape[1]), -torch.inf)
    return result.scatter_reduce(0, rows.unsqueeze(1).expand_as(scores), scores, "amax")


def _labels(name: str, texts: Texts, scores: Tensor, settings: LabelSettings) -> Labels:
    names, logits = tuple(settings.prototypes), scores / settings.temperature
    known = known_labels(name, texts, names) if settings.calibrate else None
    if known is None:
        return Labels(names, logits.softmax(dim=1).float())
    fitted, judged = calibration_split(texts.texts, known)
    scale, bias = fit_calibration(logits[fitted], known[fitted])
    calibrated = scale * logits + bias
    measures: dict[str, float] = {"judged_texts": float(len(judged))}
    for when, values in (("zero_shot", logits), ("calibrated", calibrated)):
        found = label_quality(values[judged], known[judged])
        log.info("%s, %s: %s on %d texts", name, when, ", ".join(f"{key} {value:.3f}" for key, value in found.items()), len(judged))
        measures |= {f"{key}/{when}": value for key, value in found.items()}
    return Labels(names, calibrated.softmax(dim=1).float(), measures)


def label_scores(vectors: Tensor, prototypes: Sequence[Tensor]) -> Tensor:
    """Mean cosines `[n, L]` float64, from vectors `[n, D]` of texts or sentences and, for each label, its prototypes' vectors `[p, D]`."""
    centres = torch.stack([F.normalize(sentences.double(), dim=1).mean(dim=0) for sentences in prototypes])
    return F.normalize(vectors.double(), dim=1) @ centres.T


def known_labels(name: str, texts: Texts, names: tuple[str, ...]) -> Tensor | None:
    """The texts' true labels `[n]` int64 as positions in `names`, -1 for unknown; None if the data labels fewer than two different texts.

    Raises
    ------
    DataError: if the data has a label that is not among `names`.
    """
    if texts.attributes is None or name not in texts.attributes.columns:
        return None
    column = texts.attributes[name].to_list()
    unknown = next((value for value in column if value is not None and value not in names), None)
    if unknown is not None:
        raise DataError(
            f"labels.{name}: the data labels a text {unknown!r}, which is not one of {', '.join(names)}; "
            f"add labels.{name}.prototypes.{unknown}, or use labels.{name}.calibrate=false"
        )
    positions = {value: position for position, value in enumerate(names)}
    known = torch.tensor([-1 if value is None else positions[value] for value in column])
    return known if len({text for text, label in zip(texts.texts, known.tolist(), strict=True) if label >= 0}) > 1 else None
