"""Off-policy evaluation of a run: what the held-out decisions of another policy say about the trained one and the references.

It is made where the log says with what probability each item was shown. Where it says what could have been shown (`Log.choices`), policies
choose among that, as the logging policy did; decisions of which that is not known are left out.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recframe.building.parts import Parts
from recframe.evaluation.off_policy.decisions import LoggedDecisions
from recframe.evaluation.off_policy.evaluation import OffPolicyResult, evaluate_off_policy
from recframe.evaluation.off_policy.policies import ActionProbabilities, ranking_policy
from recframe.evaluation.off_policy.session_evaluation import evaluate_sessions_off_policy
from recframe.evaluation.off_policy.text_clusters import clusters_of
from recframe.evaluation.people import LOGGED
from recframe.evaluation.ranking.lists import top_lists
from recframe.experience import with_rewards
from recframe.interfaces import NO_LIST, PAD, DataError, EnvironmentSpec, Log, LoggedChoices, Ranker
from recframe.logs import HeldOut
from recframe.runner.decision_features import features_of_decisions, features_of_sessions
from recframe.runner.failures import attempt

log = logging.getLogger(__name__)

CLUSTERS = 32
TIME_HAS_NO_SESSIONS = (
    "No returns of sessions are estimated: split.by=time holds out the ends of what users did, which are no sessions; use "
    "split.by=sessions."
)


LEFT_OUT = (
    "{unknown:,} of {all:,} held-out decisions are left out: it is not known among what they chose, since they were asked for with rules "
    "(must_include, at_most), or their lists are gone."
)
NO_WHOLE_SESSION = "No returns of sessions are estimated: of each session, a decision is left out."


@dataclass(frozen=True)
class OffPolicyEvaluation:
    """The estimates, and the decisions that they are from.

    result: the values of one of the `decisions`.   sessions: the returns of a session; None if every session has one decision. If they
        cannot be estimated, it is None, and a caveat of `result` says so.   in_sessions: the decisions of these sessions.
    """

    result: OffPolicyResult
    decisions: LoggedDecisions
    sessions: OffPolicyResult | None
    in_sessions: LoggedDecisions

    def entry(self) -> dict[str, Any]:
        """The entry `off_policy` of result.json."""
        entry = {"evaluation": {**_about(self.decisions), "rewards": list(self.result.logged)}, **_tables(self.result)}
        if self.sessions is not None:
            assert self.in_sessions.sessions is not None
            number = len(np.unique(self.in_sessions.sessions))
            of_sessions = {**_about(self.in_sessions), "sessions": number, "returns": list(self.sessions.logged)}
            entry["sessions"] = {"evaluation": of_sessions, **_tables(self.sessions)}
        return entry


def _about(decisions: LoggedDecisions) -> dict[str, Any]:
    return {"split": LOGGED, "people": len(np.unique(decisions.people)), "decisions": len(decisions)}


def _tables(found: OffPolicyResult) -> dict[str, Any]:
    return {"policies": found.policies, "diagnostics": found.diagnostics, "chosen": found.chosen, "caveats": found.caveats}


def off_policy_evaluation(parts: Parts, rankers: Mapping[str, Ranker], spec: EnvironmentSpec) -> OffPolicyEvaluation | None:
    """The mean reward of a decision under each policy, from the decisions that the split holds out for the test.

    Policies show the first item of their ranking, as when deployed: of the items that could be shown, and not seen before, if
    `evaluation.exclude_seen` is true and there is one. None if the log has no propensities.

    Raises
    ------
    DataError: nothing can be estimated from these decisions.
    """
    assert parts.log is not None
    if parts.log.test_rows is None:
        return None
    held_out = with_rewards(parts.log.test.log, parts.rewards, spec.history_length, spec.signals)
    rows, unknown = _by_known_choices(parts.log.test_rows, held_out)
    log.info("estimating the values of %s from %d held-out decisions", ", ".join(rankers), len(rows))
    vectors, num_items = parts.data.catalog.text_vectors, held_out.num_items
    assert vectors is not None
    contexts = None if held_out.features is None else held_out.features[rows]
    features = features_of_decisions(contexts, vectors)
    decisions = replace(_decisions(held_out, rows), contexts=features.contexts)
    # how often a cluster was shown is estimated from contexts, which do not say among what was chosen
    choices = held_out.choices
    free = choices is None or not bool((choices.listed | (choices.above > 0))[rows].any())
    clusters = clusters_of(vectors.cpu().numpy(), CLUSTERS) if free and vectors.shape[1] and num_items > CLUSTERS else None
    exclude_seen, seed = parts.cfg.evaluation.exclude_seen, parts.cfg.evaluation.seed
    policies = {name: _greedy(name, ranker, held_out, rows, spec, exclude_seen) for name, ranker in rankers.items()}
    result = evaluate_off_policy(decisions, policies, items=features.items, clusters=clusters, seed=seed)
    if len(unknown):
        result.caveats.insert(0, LEFT_OUT.format(unknown=len(unknown), all=len(rows) + len(unknown)))
    # a session without one of its decisions is none
    whole = (~torch.isin(held_out.sequence[rows], held_out.sequence[unknown])).nonzero()[:, 0]
    in_sessions = decisions.rows(whole.cpu().numpy()) if len(whole) else decisions

    def of_sessions() -> OffPolicyResult:
        features = features_of_sessions(None if contexts is None else contexts[whole], vectors)
        described = replace(in_sessions, contexts=features.contexts)
        # policies read histories, which are not in the contexts
        of_whole = {name: _of_rows(policy, whole.cpu().numpy()) for name, policy in policies.items()}
        found = evaluate_sessions_off_policy(described, of_whole, items=features.items, markov=False, seed=seed)
        if broken := len(held_out.sequence[unknown].unique()):
            found.caveats.insert(0, f"{broken:,} sessions are left out, of which a decision is.")
        return found

    sessions = None
    assert decisions.sessions is not None
    if len(np.unique(decisions.sessions)) < len(rows):
        if parts.cfg.split.by == "time":
            result.caveats.append(TIME_HAS_NO_SESSIONS)
        elif not len(whole):
            result.caveats.append(NO_WHOLE_SESSION)
        else:
            sessions = attempt("The returns of sessions", of_sessions, result.caveats)
    return OffPolicyEvaluation(result, decisions, sessions, in_sessions)


def _by_known_choices(rows: Tensor, held_out: Log) -> tuple[Tensor, Tensor]:
    """Of some rows, those of which it is known what could have been shown, and the others.

    Raises
    ------
    DataError: it is known of none.
    """
    if held_out.choices is None:
        return rows, rows[:0]
    unknown = held_out.choices.unknown[rows]
    if bool(unknown.all()):
        raise DataError(f"it is known of none of the {len(rows):,} held-out decisions what could have been shown")
    return rows[~unknown], rows[unknown]


def _decisions(held_out: Log, rows: Tensor) -> LoggedDecisions:
    """The rows of a log as decisions, without contexts."""
    assert held_out.propensities is not None
    assert held_out.rewards is not None
    columns = (held_out.items, held_out.rewards, held_out.propensities, held_out.users, held_out.sequence)
    items, rewards, propensities, people, sessions = (column[rows].cpu().numpy() for column in columns)
    return LoggedDecisions(items, rewards.astype(np.float64), propensities.astype(np.float64), people, held_out.num_items, sessions)


def _of_rows(policy: ActionProbabilities, rows: np.ndarray) -> ActionProbabilities:
    """A policy as one of a log that has only these rows."""
    return lambda places: policy(rows[places])


def _greedy(name: str, ranker: Ranker, held_out: Log, rows: Tensor, spec: EnvironmentSpec, exclude_seen: bool) -> ActionProbabilities:
    """The policy that shows the first item of the ranking after the history before each of the `rows` `[n]`.

    The items are asked for once, for all rows: a ranking with a random draw is then one policy, whoever asks for its probabilities.
    """
    first = _first_items(name, ranker, held_out, rows, spec, exclude_seen)
    if exclude_seen and len(everything_seen := (first == PAD).nonzero()[:, 0]):
        # nothing is left to show, but something was shown: the policy then ranks all items
        first[everything_seen] = _first_items(name, ranker, held_out, rows[everything_seen], spec, exclude_seen=False)
    items = first.cpu().numpy()
    return ranking_policy(lambda places: items[places, None], held_out.num_items)


def _first_items(name: str, ranker: Ranker, held_out: Log, rows: Tensor, spec: EnvironmentSpec, exclude_seen: bool) -> Tensor:
    """The first item `[n]` of the ranking before each of the `rows` `[n]`, asked for as in the evaluation of rankings."""
    first = torch.full_like(rows, PAD)
    for some in _with_candidates_apart(rows, held_out.choices):
        own, offsets = rows[some], torch.arange(len(some) + 1, device=rows.device)
        users, items = held_out.users[own], held_out.items[own]
        queries = HeldOut(held_out, held_out.starts[own], own, users, items, offsets, held_out.choices)
        settings: dict[str, Any] = {"history_length": spec.history_length, "signals": spec.signals, "exclude_seen": exclude_seen}
        first[some] = torch.cat([found.items[:, 0] for found in top_lists(name, ranker, queries, held_out.num_items, 1, **settings)])
    return first


def _with_candidates_apart(rows: Tensor, choices: LoggedChoices | None) -> list[Tensor]:
    """The places in `rows` `[n]` of those without candidates, and of those with some; parts that are empty are left out."""
    chosen = torch.zeros_like(rows, dtype=torch.bool) if choices is None else choices.candidates[rows] != NO_LIST
    return [places for places in ((~chosen).nonzero()[:, 0], chosen.nonzero()[:, 0]) if len(places)]
