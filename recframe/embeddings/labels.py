"""Labels of texts without training: what a text's vector says of sentiment, intent or whatever else sentences can be typical of.

Each label l has prototype sentences, encoded like the texts. With unit vectors v of a text's sentences and p of the label's,

    score        s_l = max over the text's sentences v of the mean over the label's sentences p of v.p
    probability  P(l) = softmax_l(a s_l + b_l),   a = 1 / temperature and b = 0

A mean of cosines is a product with the mean of the sentences' unit vectors, which is how CLIP classifies with several prompts a class
(Radford et al. 2021, ICML, section 3.1.4, "prompt ensembling"); that a label's name or description is enough to classify texts by is Yin
et al. 2019 (EMNLP, "Benchmarking Zero-shot Text Classification"). A text may say several things, and its vector is a mixture of them;
sentences read for themselves keep them apart, as in SummaC (Laban et al. 2022, TACL). With `unit: text`, v is the text's own vector.

Where the data knows the labels of some texts, a and b are fitted to half of them by maximum likelihood: Platt's (1999) scaling for more
than two labels, between the temperature and the vector scaling of Guo et al. 2017 (ICML, "On Calibration of Modern Neural Networks").
A weak penalty, on b and on log(a temperature), keeps them finite where labels never err or never occur. The other half of the texts
judges both. Equal texts are in one half.
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

from recframe.interfaces import Data, DataError, Labels, Role, Texts

log = logging.getLogger(__name__)

PENALTY = 0.1
"""Of the calibration: as if each parameter had been seen with variance 1 / PENALTY, against the sum of the texts' log losses."""

BINS = 15
"""Of equal width, over the confidence; as in Guo et al. 2017."""


class LabelSettings(Protocol):
    """How one name's labels are told: sentences for each label, what is compared with them, and the probabilities' scale."""

    prototypes: dict[str, list[str]]
    unit: str
    temperature: float
    calibrate: bool


def with_labels(data: Data, settings: Mapping[str, LabelSettings], encode: Callable[[list[str], Role], Tensor]) -> Data:
    """The data with labels of its profiles and contexts, told by sentences that are encoded in the role of what they are compared with.

    Of an encoder that reads nothing, whose vectors have no length, texts have no labels.

    Raises
    ------
    DataError: there are neither profiles nor contexts, or the labels do not fit them (see `label`).
    """
    if data.texts.keys() == {"item"}:
        raise DataError("labels: the data has no texts of people to label, neither profiles nor contexts; use labels=[]")

    def labelled(texts: Texts, role: Role) -> Texts:
        reads = role != "item" and texts.vectors is not None and texts.vectors.shape[1] > 0
        return label(texts, settings, lambda sentences: encode(sentences, role)) if reads else texts

    return data.with_texts({role: labelled(texts, role) for role, texts in data.texts.items()})


def label_report(data: Data) -> dict[str, float]:
    """How good the labels are where the data knows them: for `result.json`, as "labels/sentiment/accuracy/calibrated" and the like.

    Those of contexts come first.
    """
    return {
        f"labels/{name}{' of profiles' if role == 'user' else ''}/{measure}": value
        for role, texts in reversed(data.texts.items())
        for name, labels in texts.labels.items()
        for measure, value in labels.measures.items()
    }


def label(texts: Texts, settings: Mapping[str, LabelSettings], encode: Callable[[list[str]], Tensor]) -> Texts:
    """The texts, which have vectors, with their labels.

    Parameters
    ----------
    settings: what to tell the texts by, for each name of labels.
    encode: gives the vectors `[n, D]` of sentences, on the CPU, in the space of the texts' vectors, which are there, too.

    Raises
    ------
    DataError: the data knows a label that the settings do not, and is to calibrate by it.
    """
    assert texts.vectors is not None
    units = {"text": (texts.vectors, torch.arange(len(texts.texts)))}
    if any(chosen.unit == "sentence" for chosen in settings.values()):
        sentences = [sentences_of(text) for text in texts.texts]
        vectors = encode([sentence for some in sentences for sentence in some])
        units["sentence"] = (vectors, torch.repeat_interleave(torch.tensor([len(some) for some in sentences])))
    found = {}
    for name, chosen in settings.items():
        vectors, rows = units[chosen.unit]
        scores = label_scores(vectors, [encode(list(typical)) for typical in chosen.prototypes.values()])
        found[name] = _labels(name, texts, largest(scores, rows, len(texts.texts)), chosen)
    return replace(texts, labels=found)


def sentences_of(text: str) -> list[str]:
    """The text's sentences: what ends in a full stop, a question or an exclamation mark before a blank; at least one, perhaps empty."""
    return re.split(r"(?<=[.!?])\s+", text.strip())


def largest(scores: Tensor, rows: Tensor, size: int) -> Tensor:
    """The largest of the scores `[m, L]` of each text `[size, L]`; score i is of text `rows[i]`."""
    result = scores.new_full((size, scores.shape[1]), -torch.inf)
    return result.scatter_reduce(0, rows.unsqueeze(1).expand_as(scores), scores, "amax")


def _labels(name: str, texts: Texts, scores: Tensor, settings: LabelSettings) -> Labels:
    names, logits = tuple(settings.prototypes), scores / settings.temperature
    known = known_labels(name, texts, names) if settings.calibrate else None
    if known is None:
        return Labels(names, logits.softmax(dim=1).float())
    fitted, judged = halves(texts.texts, known)
    scale, bias = calibrate(logits[fitted], known[fitted])
    calibrated = scale * logits + bias
    measures: dict[str, float] = {"judged_texts": float(len(judged))}
    for when, values in (("zero_shot", logits), ("calibrated", calibrated)):
        found = quality(values[judged], known[judged])
        log.info("%s, %s: %s on %d texts", name, when, ", ".join(f"{key} {value:.3f}" for key, value in found.items()), len(judged))
        measures |= {f"{key}/{when}": value for key, value in found.items()}
    return Labels(names, calibrated.softmax(dim=1).float(), measures)


def label_scores(vectors: Tensor, prototypes: Sequence[Tensor]) -> Tensor:
    """Mean cosines `[n, L]` float64, given vectors `[n, D]` of texts or sentences, and for each label its sentences' vectors `[p, D]`."""
    centres = torch.stack([F.normalize(sentences.double(), dim=1).mean(dim=0) for sentences in prototypes])
    return F.normalize(vectors.double(), dim=1) @ centres.T


def known_labels(name: str, texts: Texts, names: tuple[str, ...]) -> Tensor | None:
    """The texts' true labels `[n]` int64, places in `names`, -1 where unknown; None where the data knows less than two texts' labels.

    Raises
    ------
    DataError: the data has a label that is not among `names`.
    """
    if texts.attributes is None or name not in texts.attributes.columns:
        return None
    column = texts.attributes[name].to_list()
    strange = next((value for value in column if value is not None and value not in names), None)
    if strange is not None:
        raise DataError(
            f"labels.{name}: the data labels a text {strange!r}, which is none of {', '.join(names)}; "
            f"add labels.{name}.prototypes.{strange}, or use labels.{name}.calibrate=false"
        )
    places = {value: place for place, value in enumerate(names)}
    known = torch.tensor([-1 if value is None else places[value] for value in column])
    return known if len({text for text, place in zip(texts.texts, known.tolist(), strict=True) if place >= 0}) > 1 else None


def halves(texts: Sequence[str], known: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of labelled texts to fit to, and rows to judge by: half of the different texts each, the same ones in each run."""
    labelled = (known >= 0).nonzero().squeeze(1)
    numbers: dict[str, int] = {}
    text = torch.tensor([numbers.setdefault(texts[row], len(numbers)) for row in labelled.tolist()])
    chosen = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0)) < len(numbers) / 2
    first = chosen[text]
    return labelled[first], labelled[~first]


def calibrate(logits: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and the biases `[L]` under which softmax(scale logits + bias) makes the labels `known` `[n]` most likely.

    The mean log loss under them is never more than under scale 1 and bias 0, from which the search starts and the penalty counts.
    """
    parameters = torch.zeros(1 + logits.shape[1], dtype=torch.float64, device=logits.device, requires_grad=True)
    with torch.enable_grad():
        optimizer = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            values = parameters[0].exp() * logits.double() + parameters[1:]
            total: Tensor = F.cross_entropy(values, known) + PENALTY / len(known) * parameters.square().sum() / 2
            total.backward()  # type: ignore[no-untyped-call]
            return total

        optimizer.step(loss)
    found = parameters.detach()
    return found[0].exp(), found[1:]


def quality(logits: Tensor, known: Tensor) -> dict[str, float]:
    """Of softmax(logits) `[n, L]`: accuracy, log loss (nats), and expected calibration error (Guo et al. 2017, equation 3)."""
    confidence, said = logits.softmax(dim=1).max(dim=1)
    right = (said == known).double()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64, device=logits.device).index_add_(0, bins, right - confidence)
    return {
        "accuracy": float(right.mean()),
        "log_loss": float(F.cross_entropy(logits, known)),
        "calibration_error": float(gaps.abs().sum() / len(known)),
    }
