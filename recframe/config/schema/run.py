"""The schema of a run's config, outside the components: typed, documented, bounded."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from recframe.components import option


@dataclass
class TrainerConfig:
    """How long and how to train."""

    env_steps: int = option(400_000, "user-steps to train for, over all users", ge=1)
    chunk_steps: int = option(8, "steps each user takes between two bouts of learning (T)", ge=1)
    evaluate_every: int = option(20_000, "user-steps between two evaluations, each followed by a checkpoint", ge=1)
    monitor: str = option("return", "the evaluation metric that picks the best checkpoint and stops early")
    monitor_mode: str = option("max", "whether the monitored metric is better large or small", choices=["max", "min"])
    patience: int | None = option(None, "evaluations without improvement after which training stops; null: never", ge=1)
    final_weights: str = option("best", "the weights that are evaluated and kept at the end", choices=["best", "last"])
    gradient_clip: float | None = option(10.0, "largest norm of an optimizer's gradient; null: no clipping", gt=0)
    precision: str = option("32-true", "precision of the losses and their gradients", choices=["32-true", "bf16-mixed"])
    log_every: int = option(10, "chunks between two rows of training metrics", ge=1)
    progress_bar: bool = option(True, "show progress in the terminal")


@dataclass
class AuxiliaryConfig:
    """Predicting what a user takes next, beside the agent's own learning and on the same state tracker."""

    weight: float = option(
        0.0, "factor of the prediction's cross-entropy in the loss that trains the state tracker; 0: no prediction", ge=0
    )
    signal: str = option("click", "the response signal that, above zero, means that an item was taken")
    batch_size: int = option(256, "items taken that are learned from in a gradient step, at most", ge=1)
    whole_catalog_items: int = option(5_000, "up to so many items, the softmax is over all of them", ge=1)
    negatives: int = option(1_024, "items drawn in each step to estimate the softmax over more items", ge=1)


@dataclass
class ColdItemsConfig:
    """Items held back: never shown in training, and measured by themselves in the end."""

    share: float = option(0.0, "share of the catalogue that is never shown in training; 0: none", ge=0, lt=1)
    seed: int = option(0, "seed that draws them, whatever the run's", ge=0)


@dataclass
class EvaluationConfig:
    """How policies are measured."""

    num_users: int = option(512, "people met in the final evaluation, each for one session", ge=2)
    periodic_users: int = option(256, "people met in each evaluation during training", ge=2)
    seed: int = option(1_000_003, "seed of the evaluation's people and luck, alike for all policies and runs", ge=0)
    max_steps: int = option(1_000, "a session longer than this is cut in evaluation", ge=1)
    references: bool = option(True, "evaluate the reference policies beside the trained one")
    tuning_sessions: int = option(512, "training sessions on which each reference policy is tuned", ge=2)
    bootstrap_samples: int = option(2_000, "resamples behind each 95 % interval", ge=100)
    sample_users: int = option(3, "people whose recommendations are written out as text (where items are recommended)", ge=0)
    sample_steps: int = option(4, "steps written out for each of them", ge=1)


@dataclass
class EmbeddingsConfig:
    """Where text vectors are kept, and what the agent reads of them; the world reads them as they are."""

    cache: str = option("${oc.env:RECFRAME_CACHE,'~/.cache/recframe'}/embeddings", "folder of the store of text vectors")
    whiten: bool = option(False, "let the agent read vectors whose dimensions are uncorrelated and of unit variance over the items")
    dim: int | None = option(None, "principal components of the items' vectors that the agent reads; null: all", ge=1)
    shuffle: bool = option(False, "permute the text vectors that the agent reads: what is reading worth?")


@dataclass
class LabelConfig:
    """What texts are told by, without training: each label by sentences that are typical of it (see `recframe.embeddings.labels`)."""

    prototypes: dict[str, list[str]] = option({}, "for each label, in order, sentences as people would write them")
    unit: str = option(
        "sentence",
        "what is compared with them: each sentence of a text for itself, of which the nearest counts, or the text as a whole",
        choices=["sentence", "text"],
    )
    temperature: float = option(0.05, "difference of mean cosines that makes a label e times as likely as another", gt=0.0)
    calibrate: bool = option(True, "fit temperature and biases to half of the texts whose label the data knows; the rest judge them")


@dataclass
class WandbLoggerConfig:
    """Weights & Biases."""

    project: str = option("recframe", "W&B project")
    entity: str | None = option(None, "W&B team or user; null: the account's default")
    mode: str = option("offline", "offline writes to the run's folder only", choices=["offline", "online"])
    tags: list[str] = option([], "tags of the run")


@dataclass
class CsvLoggerConfig:
    """metrics.csv in the run's folder."""


@dataclass
class RunConfig:
    """A run: six kinds of component and how to train, measure and record."""

    dataset: Any = MISSING
    encoder: Any = MISSING
    world_encoder: Any = option(None, "what the world (simulator, rewards, metrics) reads texts with; null: the agent's encoder")
    state_tracker: Any = MISSING
    agent: Any = MISSING
    environment: Any = MISSING
    reward: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    auxiliary: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    cold_items: ColdItemsConfig = field(default_factory=ColdItemsConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    embeddings: EmbeddingsConfig = field(default_factory=EmbeddingsConfig)
    labels: dict[str, LabelConfig] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)
    seed: int = option(0, "seed of everything random in the run; the data and the evaluation have their own", ge=0)
    device: str = option("cpu", "cpu, cuda, cuda:1, or auto (cuda where there is one)")
    name: str | None = option(None, "what reports and W&B call the run; null: its overrides")
