"""What the page calls a policy under some settings: by the values that were chosen, as in `ppo, tfidf` and `dqn, gamma=0.9`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from recframe.reports.runs import FoundRun, Settings

TRAINED = "trained"
LONGEST = 60


def short_keys(keys: Collection[str]) -> dict[str, str]:
    """The last part of each dotted key that no other key ends with; the whole key otherwise: `agent.gamma` is `gamma`."""
    last = {key: key.rpartition(".")[2] for key in keys}
    return {key: short if list(last.values()).count(short) == 1 else key for key, short in last.items()}


def chosen_groups(runs: Sequence[FoundRun], keys: Collection[str]) -> set[str]:
    """Those of the settings that are config groups, whose value says what it is: `agent=ppo` is called `ppo`."""
    return {key for key in keys if any(key in run.choices or f"{key}.name" in run.config for run in runs) or key == "name"}


def setting_name(settings: Mapping[str, str | None], short: Mapping[str, str], groups: Collection[str]) -> str:
    """The settings of a policy in words; empty without any."""
    parts = [str(value) if key in groups else f"{short[key]}={value}" for key, value in settings.items() if value is not None]
    return ", ".join(part if len(part) <= LONGEST else f"{part[: LONGEST - 1]}…" for part in parts)


def policy_name(policy: str, settings: str) -> str:
    """A trained policy is called after its settings; any other has its own name, and the settings where there are any."""
    if policy == TRAINED:
        return settings or TRAINED
    return f"{policy} ({settings})" if settings else policy


def own_settings(run: FoundRun, keys: Sequence[str]) -> Settings:
    """The settings of a run at these keys, in their order."""
    return {key: run.settings[key] for key in keys if key in run.settings}
