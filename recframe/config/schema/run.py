"""The schema of a run's config without its components: types, meanings and bounds."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from recframe.agent_options import PriorConfig
from recframe.components import option, seed_option
from recframe.log_settings import LogSettings, SplitSettings


@dataclass
class TrainerConfig:
    """The length of training, its evaluations, and its optimization."""

    env_steps: int = option(400_000, "user-steps to train for, summed over all users", ge=1)
    chunk_steps: int = option(8, "steps of each user between two rounds of learning (T)", ge=1)
    evaluate_every: int = option(20_000, "user-steps between two evaluations, each followed by a checkpoint", ge=1)
    monitor: str = option("return", "the evaluation metric that selects the best checkpoint and stops training early")
    monitor_mode: str = option("max", "whether a larger or a smaller value of the monitored metric is better", choices=["max", "min"])
    patience: int | None = option(None, "evaluations without improvement after which training stops; null: never", ge=1)
    final_weights: str = option("best", "the weights that are evaluated and saved at the end", choices=["best", "last"])
    selection_window: int = option(
        1, "evaluations whose mean says which weights are best; with more than one, a single lucky evaluation counts less", ge=1, le=1_000
    )
    evaluate_start: bool | None = option(
        None,
        "also evaluate the weights before the first update, which may then be the best ones; null: if the agent starts from what it knows: "
        "the state tracker has been fitted to responses, or, with selection_window=1, the weights are those of init or of an earlier stage",
    )
    weight_average: float | None = option(
        None,
        "decay, for each batch, of an average of the weights that is evaluated and saved in place of the last ones; null: none",
        gt=0,
        lt=1,
    )
    learning_rate_schedule: str = option(
        "constant", "how the learning rates of all optimizers change over the run", choices=["constant", "linear", "cosine"]
    )
    learning_rate_end: float | None = option(
        None, "factor of the learning rates at the end of a linear or cosine schedule; null: 0", ge=0, le=1
    )
    learning_rate_warmup: float = option(0.0, "share of the run in which the learning rates rise linearly from 0", ge=0, lt=1)
    gradient_clip: float | None = option(10.0, "largest norm of an optimizer's gradient; null: no clipping", gt=0)
    devices: int = option(1, "processes that the users of training are divided over, one a device; gradients are averaged", ge=1, le=64)
    threads: str = option("auto", "threads of each process: a number, or auto, chosen by the size of steps and the runs side by side")
    precision: str = option("32-true", "precision of the losses and their gradients", choices=["32-true", "bf16-mixed"])
    log_every: int = option(10, "chunks between two rows of training metrics", ge=1)
    progress_bar: bool = option(True, "show progress in the terminal")


@dataclass
class LoggedConfig:
    """The stage that learns from logs: its length, its evaluations, and the choice of its weights. The rest is as in `trainer`."""

    simulated_steps: int | None = option(
        None,
        "learn from a log of so many user-steps of random items in the simulator, in place of the log of the dataset; null: the dataset's",
        ge=1_000,
    )
    batches: int = option(20_000, "batches to learn from", ge=1)
    chunk_batches: int = option(50, "batches between two checks of the losses", ge=1)
    evaluate_every: int = option(1_000, "batches between two evaluations on the validation part, each followed by a checkpoint", ge=1)
    monitor: str | None = option(
        None,
        "the metric on the validation part that selects the best checkpoint and stops training early; null: NDCG at 10 places if 10 is in "
        "evaluation.k, and else at the largest number there",
    )
    monitor_mode: str = option("max", "whether a larger or a smaller value of the monitored metric is better", choices=["max", "min"])
    patience: int | None = option(5, "evaluations without improvement after which the stage ends; null: never", ge=1)


@dataclass
class AuxiliaryConfig:
    """An auxiliary prediction of what users do, trained together with the agent on the same state tracker."""

    weight: float = option(0.0, "weight of the prediction's loss in the loss of the state tracker; 0: no prediction", ge=0)
    predicts: str = option(
        "item",
        "the item that a user takes next (item, by its cross-entropy), or all signals of the response to each item that is shown "
        "(responses, by their squared error)",
        choices=["item", "responses"],
    )
    signal: str = option("click", "predicts=item: the response signal that, above zero, means that an item was taken")
    batch_size: int = option(256, "largest number of items, taken or shown, in a gradient step", ge=1)
    whole_catalog_items: int = option(
        5_000,
        "largest catalogue of which all items are projected in each step, and over which the softmax of predicts=item is in full",
        ge=1,
    )
    negatives: int = option(
        1_024, "predicts=item: items that are sampled in each step to estimate the softmax over a larger catalogue", ge=1
    )


@dataclass
class ColdItemsConfig:
    """Cold items: never shown in training, and evaluated by themselves at the end."""

    share: float = option(0.0, "share of the catalogue that is never shown in training; 0: none", ge=0, lt=1)
    seed: int = seed_option(0, "seed of the choice of these items, independent of the run's")


@dataclass
class EvaluationConfig:
    """The evaluation of policies."""

    num_users: int = option(512, "sessions in the final evaluation; with fewer people than that, some people have more than one", ge=2)
    people: str = option(
        "held_out", "whose sessions the final table is about: people held out, or those of training", choices=["held_out", "train"]
    )
    periodic_users: int = option(256, "sessions in each evaluation during training, of people of the training split", ge=2)
    seed: int = seed_option(1_000_003, "seed of the evaluation's users and random draws, the same for all policies and runs")
    max_steps: int = option(1_000, "steps after which the evaluation cuts a session", ge=1)
    references: bool = option(True, "evaluate the reference policies, too")
    reference_history_length: int | None = option(
        None,
        "last items of a session that reference policies read, at least as many as the agent; null: as many as the agent, "
        "state_tracker.history_length",
        ge=1,
    )
    tuning_sessions: int = option(512, "training sessions on which each reference policy is fitted", ge=2)
    bootstrap_samples: int = option(2_000, "bootstrap resamples for each 95 % interval", ge=100, le=1_000_000)
    k: list[int] = option([1, 5, 10, 20], "lengths of the lists that are measured in an evaluation on logs", ge=1)
    exclude_seen: bool = option(True, "in an evaluation on logs, recommend no item that the user has met before")
    sample_users: int = option(3, "users whose recommendations are printed as text (if items are recommended)", ge=0, le=1_000)
    sample_steps: int = option(4, "steps that are printed for each of them", ge=1, le=10_000)


@dataclass
class EmbeddingsConfig:
    """The store of text vectors, and how the agent's are transformed. The world reads the vectors as they are."""

    cache: str | None = option(
        "${oc.env:RECFRAME_CACHE,'~/.cache/recframe'}/embeddings",
        "folder of the store of text vectors; null: all texts are encoded in each run, and no vector is read or kept",
        path="any",
    )
    whiten: bool = option(False, "whiten the vectors that the agent reads: uncorrelated dimensions of unit variance over the items")
    dim: int | None = option(None, "number of principal components of the items' vectors that the agent reads; null: all", ge=1)
    shuffle: bool = option(False, "permute the text vectors that the agent reads, to measure the use of their meaning")


@dataclass
class LabelConfig:
    """Labels that texts get without training, by sentences that are typical of each label (see `recframe.embeddings.labels`)."""

    prototypes: dict[str, list[str]] = option({}, "for each label, in order, sentences as users would write them")
    unit: str = option(
        "sentence",
        "what is compared with the prototypes: each sentence of a text, of which the nearest counts, or the whole text",
        choices=["sentence", "text"],
    )
    temperature: float = option(
        0.05, "temperature of the softmax over mean cosines: a difference of this size makes a label e times as likely", gt=0.0
    )
    calibrate: bool = option(
        True, "fit temperature and biases to half of the texts whose label is in the data, and evaluate on the other half"
    )


@dataclass
class SweepConfig:
    """How the jobs of a sweep are run, which changes no result."""

    resume: str | None = option(None, "folder of a sweep to continue, or to extend by more jobs; with -m")
    job_timeout: float | None = option(None, "seconds after which a job saves a checkpoint and stops; null: no limit", gt=0)
    memory_limit: float | None = option(
        None, "GiB of memory of a job's process at which the job saves a checkpoint and stops; null: no limit", gt=0
    )
    grace_period: float = option(60.0, "seconds that a job has to stop in, before its process is ended", ge=0)


@dataclass
class RunConfig:
    """A run: six kinds of component, and how to train, evaluate and record."""

    dataset: Any = MISSING
    encoder: Any = MISSING
    world_encoder: Any = option(None, "encoder of the world (simulator, rewards, metrics); null: the agent's encoder")
    state_tracker: Any = MISSING
    agent: Any = MISSING
    environment: Any = MISSING
    reward: dict[str, Any] = field(default_factory=dict)
    stages: list[str] = option(
        ["simulated"], "what is learned from, one after the other: the log of the dataset, the simulator", choices=["logged", "simulated"]
    )
    init: str | None = option(
        None,
        "folder of an artefact (recframe export) or of a finished run, with whose weights training starts; it has the same agent, state "
        "tracker and encoder, and the same items, after which there may be others; null: new weights",
        path="policy",
    )
    logs: LogSettings = field(default_factory=LogSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    logged: LoggedConfig = field(default_factory=LoggedConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    auxiliary: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    cold_items: ColdItemsConfig = field(default_factory=ColdItemsConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    embeddings: EmbeddingsConfig = field(default_factory=EmbeddingsConfig)
    labels: dict[str, LabelConfig] = field(default_factory=dict)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    reuse: bool = option(
        True,
        "take fitted user models, reference policies and their results from the folder of embeddings.cache, if another run has left them "
        "there; false: compute them in each run",
    )
    logger: dict[str, Any] = field(default_factory=dict)
    seed: int = seed_option(0, "seed of all random draws of the run; the data and the evaluation have seeds of their own")
    device: str = option("cpu", "cpu, cuda, cuda:1, or auto (cuda if available)")
    name: str | None = option(None, "name of the run in reports and in W&B; null: its overrides")
