"""The rules for the config of a run: components that fit together, sizes, the monitored metric, labels and tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig

from recframe.components import Component, Kind, node
from recframe.config.app import Composed
from recframe.config.checks.devices import device_problems
from recframe.config.checks.machine import folder_problem
from recframe.config.checks.monitor import monitor_problems
from recframe.config.checks.pairings import check_pairings
from recframe.config.checks.prior import prior_problems
from recframe.config.checks.references import reference_problems
from recframe.config.checks.sections import check_fields, check_section, section_at, unknown_settings
from recframe.config.checks.sizes import size_problems
from recframe.config.checks.stages import LOGGED, monitored_on_log, stage_problems
from recframe.config.schema.run import AuxiliaryConfig, LabelConfig
from recframe.plugin_loader import registry

MOST_THREADS = 1_024
SMALLEST_WEIGHT = 1e-37
"""Below, a weight of 32 bits is 0."""


def run_rules(composed: Composed) -> list[str]:
    """The problems of a run's config that concern more than one section, or a section without a component."""
    values, chosen = composed.values, composed.components
    problems = []
    if not values["reward"]:
        problems.append(f"reward: at least one is needed, such as reward=[click]. There are: {', '.join(registry().names(Kind.REWARD))}")
    cache = values["embeddings"]["cache"]
    problems += [problem] if cache is not None and (problem := folder_problem("embeddings.cache", cache, written=False)) else []
    problems += _check_rewards(values) + _check_cold_items(composed)
    problems += _check_labels(composed)
    problems += stage_problems(composed)
    problems += check_pairings(composed) + size_problems(values, chosen) + monitor_problems(values, chosen)
    problems += _check_training(values["trainer"]) + device_problems(composed)
    problems += _check_auxiliary(composed) + _check_tuning(values, chosen)
    return [*problems, *prior_problems(composed), *reference_problems(composed), *_check_written_texts(composed)]


def name_monitor(cfg: DictConfig, composed: Composed) -> None:
    """Let `logged.monitor` be the metric that is monitored on a log, so that the record names it."""
    if composed.values["evaluation"]["k"]:
        cfg.logged.monitor = monitored_on_log(composed.values, composed.components)


def run_section_rules(composed: Composed, key: str) -> list[str]:
    """The problems of the section of the component at `key`."""
    component, section = composed.components[key], section_at(composed.values, key)
    if component.kind in _unread_kinds(composed.components):
        # a section that is not read may lack a required path; a misspelt key in it is still a mistake
        return unknown_settings(f"{key}.", section, node(component))
    return check_section(key, component, section)


def _unread_kinds(chosen: Mapping[str, Component]) -> tuple[Kind, ...]:
    """The kinds that are not read, because the environment brings its own items."""
    environment = chosen.get("environment")
    return (Kind.DATASET, Kind.ENCODER) if environment is not None and "catalog" in environment.provides else ()


def _check_rewards(values: Mapping[str, Any]) -> list[str]:
    """Rewards of which none counts."""
    weights = [section.get("weight", 1.0) for section in values["reward"].values() if isinstance(section, Mapping)]
    if not weights or any(abs(weight) > SMALLEST_WEIGHT for weight in weights):
        return []
    keys = ", ".join(f"reward.{name}.weight" for name in values["reward"])
    return [f"{keys}: every weight is 0, so that nothing is rewarded; give one reward a weight"]


def _check_cold_items(composed: Composed) -> list[str]:
    """Cold items among the actions of an environment, which are no items that could be new."""
    if not composed.values["cold_items"]["share"] or not _unread_kinds(composed.components):
        return []
    environment = composed.called("environment")
    return [f"cold_items.share: the actions of {environment} are not items of a dataset, so that none can be held back; set it to 0"]


def _check_training(trainer: Mapping[str, Any]) -> list[str]:
    """The number of threads, and settings that another setting of the trainer makes useless."""
    problems = []
    threads = trainer["threads"]
    if threads != "auto" and not (threads.isdecimal() and 1 <= int(threads) <= MOST_THREADS):
        problems.append(f"trainer.threads: {threads!r} is not allowed; it must be auto, or a whole number from 1 to {MOST_THREADS}")
    if trainer["learning_rate_end"] is not None and trainer["learning_rate_schedule"] == "constant":
        problems.append(
            f"trainer.learning_rate_end={trainer['learning_rate_end']} has no meaning for a constant rate; "
            "choose trainer.learning_rate_schedule=linear or cosine, or set it to null"
        )
    if trainer["selection_window"] > 1 and trainer["final_weights"] == "last":
        problems.append("trainer.selection_window has no meaning with trainer.final_weights=last, which selects nothing; set it to 1")
    if trainer["evaluate_start"] and trainer["final_weights"] == "last":
        problems.append("trainer.evaluate_start has no meaning with trainer.final_weights=last, which selects nothing; set it to null")
    return problems


def _check_auxiliary(composed: Composed) -> list[str]:
    """What the auxiliary prediction predicts, which the environment must give."""
    values, chosen = composed.values, composed.components
    settings, environment = values["auxiliary"], chosen.get("environment")
    if not settings["weight"] or environment is None:
        return []
    if LOGGED in values["stages"] and (agent := chosen.get("agent")) is not None and "experience:replay" not in agent.requires:
        called = composed.called("agent")
        return [f"auxiliary.weight: {called} does not learn from transitions, to which the prediction belongs; set it to 0"]
    if settings["predicts"] == "responses":
        return _of_item_alone(settings)
    given = environment.given(values["environment"])
    signals = sorted(tag.removeprefix("signal:") for tag in given if tag.startswith("signal:"))
    if settings["signal"] in signals:
        return []
    return [f"auxiliary.signal: {composed.called('environment')} gives no signal {settings['signal']!r}; it gives: {', '.join(signals)}"]


def _of_item_alone(settings: Mapping[str, Any]) -> list[str]:
    """Settings of the prediction of an item that are not at their defaults where responses are predicted: they would do nothing."""
    usual = AuxiliaryConfig()
    changed = [name for name in ("signal", "negatives") if settings[name] != getattr(usual, name)]
    return [f"auxiliary.{name} is of auxiliary.predicts=item, and here responses are predicted; leave it out" for name in changed]


def _check_tuning(values: Mapping[str, Any], chosen: Mapping[str, Component]) -> list[str]:
    """Only the language model of the run's own encoder can be tuned, on the texts as they are. An encoder without one lacks the setting."""
    methods = {key: section_at(values, key).get("tuning", "frozen") for key, component in chosen.items() if component.kind is Kind.ENCODER}
    tuned = {key: method for key, method in methods.items() if method != "frozen"}
    problems = [
        f"{key}.tuning={tuned[key]}: only the run's own encoder can be tuned; set it to frozen" for key in tuned if key != "encoder"
    ]
    if "encoder" in tuned and values["embeddings"]["shuffle"]:
        problems.append(f"encoder.tuning={tuned['encoder']} does not go with embeddings.shuffle=true: other texts would be tuned; drop one")
    if "encoder" in tuned and values["trainer"]["weight_average"] is not None:
        problems.append(
            f"encoder.tuning={tuned['encoder']} does not go with trainer.weight_average: the averaged networks would read the vectors of a "
            "language model that is not averaged; set weight_average to null"
        )
    return problems


def _check_written_texts(composed: Composed) -> Iterator[str]:
    """What a state tracker cannot write texts for: vectors that no encoder gives, or others than those of the data."""
    values, chosen = composed.values, composed.components
    tracker, encoder = chosen.get("state_tracker"), chosen.get("encoder")
    if tracker is None or "asks_model" not in tracker.provides:
        return
    called = composed.called("state_tracker")
    if _unread_kinds(chosen):
        yield f"{called} writes texts about items, and {composed.called('environment')} brings its own, without titles; use another tracker"
    elif encoder is not None and "no_texts" in encoder.provides:
        yield f"{called} writes texts, and {composed.called('encoder')} reads none; use another encoder"
    if (agent := chosen.get("agent")) is not None and "own_item_numbers" in agent.provides:
        own = composed.called("agent")
        yield f"{called} reads the titles of a history, whose items {own} gives numbers of their own; use another tracker"
    if section_at(values, "encoder").get("tuning", "frozen") != "frozen":
        yield f"{called} reads its texts with the encoder as it is, which encoder.tuning changes; set it to frozen"
    if values["embeddings"]["shuffle"]:
        yield f"{called} writes texts with a meaning, of which embeddings.shuffle=true deprives those of the data; set it to false"


def _check_labels(composed: Composed) -> list[str]:
    """The problems of the `labels` section: in its settings, or because the run has no texts."""
    values, chosen = composed.values, composed.components
    problems = []
    for name, settings in values["labels"].items():
        key, prototypes = f"labels.{name}", settings["prototypes"]
        problems += check_fields(f"{key}.", settings, LabelConfig)
        if len(prototypes) < 2:
            problems.append(f"{key}.prototypes: two labels or more are needed, each with sentences; it has {len(prototypes)}")
        for label, sentences in prototypes.items():
            if not sentences or not all(sentence.strip() for sentence in sentences):
                problems.append(f"{key}.prototypes.{label}: a sentence or more is needed, none of them empty, such as ['I loved it.']")
    if values["labels"] and _unread_kinds(chosen):
        problems.append(f"labels: {composed.called('environment')} brings its own items, so that no texts are read; use labels=[]")
    return problems
