"""One round: train on, export, judge by fresh feedback, and serve or put aside."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from omegaconf import DictConfig

from recframe import runner
from recframe.errors import Stop, UserError
from recframe.feedback.store import FeedbackStore
from recframe.rounds.fresh import UnlikeQuestions, fresh_slates
from recframe.rounds.gate import GateVerdict, judge_policies
from recframe.rounds.old_rounds import remove_old_rounds
from recframe.rounds.round_folder import made_folders, made_here, make_round_folder, remove_round_folder, round_folder
from recframe.rounds.rounds_file import ASIDE, FAILED, SWAPPED, RoundsFile
from recframe.rounds.served_folder import ServedFolder
from recframe.rounds.settings import LearnSettings
from recframe.rounds.training import described, has_long_sessions, round_config
from recframe.serving.artefact.manifest import read_manifest
from recframe.serving.artefact.write import export
from recframe.serving.load import load_policy

log = logging.getLogger(__name__)

DECISIVE = ("not worse", "worse")
ERROR = "error.log"

Train = Callable[[DictConfig, Path, LearnSettings], None]


def train_run(cfg: DictConfig, folder: Path, settings: LearnSettings) -> None:
    """Train by the config of a round in this process."""
    runner.run(cfg, folder, overrides=list(settings.overrides))


@dataclass(frozen=True)
class RoundMoments:
    """The moments of a round, in unix seconds: what is learned from is until `learned`, what is judged by after it until `judged`."""

    learned: float
    judged: float


class Rounds:
    """The rounds beside a server, one after the other.

    Parameters
    ----------
    settings: of the command.   store: the server's.   served: the folder that it watches.   train: makes the run of a round.
    """

    def __init__(self, settings: LearnSettings, store: FeedbackStore, served: ServedFolder, train: Train = train_run) -> None:
        self.settings = settings
        self.store = store
        self.served = served
        self.file = RoundsFile(settings.place)
        self._train = train

    def finish_what_was_begun(self) -> None:
        """Finish an exchange that a killed process announced, and remove what is left of its round."""
        if (found := self.served.pending()) is not None:
            self.served.swap_in(found["version"])
            self.file.append(found["record"])
            self.served.finish()
            log.info("%s (finished after an interruption)", described(found["record"]))
        over = {round_folder(self.settings.place, one["round"]) for one in self.file.read()}
        for folder in [*made_folders(self.settings.place)]:
            if folder not in over:
                remove_round_folder(folder)

    @property
    def waits_since(self) -> float:
        """The moment, in unix seconds, from which on feedback is new."""
        records = self.file.read()
        return float(records[-1]["judged_until"]) if records else 0.0

    def require_possible(self) -> None:
        """Check, before anything is waited for, that a round can be made with the settings of the command.

        Raises
        ------
        ConfigError: with every mistake in the overrides and in the store's address.   UserError: the store does not have the signal.
        """
        folder, signals = self.served.current(), self.store.signals()
        round_config(self.settings, read_manifest(folder), folder, time.time(), number=len(self.file.read()) + 1)
        if signals and self.settings.signal not in signals:
            raise UserError(f"--signal {self.settings.signal}: the store has no such signal; it has: {', '.join(signals)}")

    def run(self) -> Mapping[str, Any]:
        """Make the next round, and return its record. Whatever fails in it is a failed round, and not the end of the rounds.

        The traceback of what nobody expected is in the round's folder, in `error.log`.

        Raises
        ------
        Stop: the process is asked to stop; nothing is left of the round.
        OSError: the record cannot be written, or an exchange of the served policy, which has begun, cannot be finished.
        """
        records = self.file.read()
        number, began = len(records) + 1, time.time()
        place = round_folder(self.settings.place, number)
        judged_until = began - self.settings.settle
        record: dict[str, Any] = {
            "round": number,
            "began": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
            "old": None,
            "new": None,
            "judged_until": judged_until,
        }
        try:
            folder = self.served.current()
            record["old"] = read_manifest(folder).version
            make_round_folder(place)
            moments = self._moments(self._fresh_since(records), judged_until)
            record["learned_until"] = moments.learned
            self._train_and_judge(folder, place, number, moments, record)
        except Stop as stop:
            remove_round_folder(place)
            raise Stop(f"stopped in round {number}, which is done again next time", stop.exit_code) from None
        except Exception as error:
            if self.served.pending() is not None:
                # the exchange is finished when the command is called again
                raise
            record |= {"outcome": FAILED, "reason": _reason(error, place), **_lasted(began)}
            self.file.append(record)
        log.info("%s", described(record))
        return record

    def remove_old(self) -> None:
        """Remove the runs and the artefacts of rounds that are no longer to be kept."""
        try:
            served = read_manifest(self.served.current()).version
        except UserError:
            # what is served cannot be told, so nothing is removed
            return
        remove_old_rounds(self.settings.place, self.file.read(), served, self.settings.keep)

    def _train_and_judge(self, folder: Path, place: Path, number: int, moments: RoundMoments, record: dict[str, Any]) -> None:
        began, manifest = time.time(), read_manifest(folder)
        learned_from = self.store.log_frame(until=moments.learned)
        log.info("round %d: version %s learns on from %d shown items", number, manifest.version, len(learned_from))
        rows, sessions = len(learned_from), has_long_sessions(learned_from)
        cfg = round_config(self.settings, manifest, folder, moments.learned, number, rows=rows, sessions=sessions)
        self._train(cfg, place / "run", self.settings)
        new = export(place / "run", place / "policy", **self._consent)
        record["new"] = new.version
        verdict = self._judged(folder, place / "policy", moments)
        record |= {"reason": verdict.reason, "verdict": verdict.as_record(), "run": str(place / "run")}
        if verdict.lets_in:
            self.served.keep(place / "policy", new.version)
            record |= {"outcome": SWAPPED, **_lasted(began)}
            # from here on the exchange is finished also after a kill
            self.served.announce(new.version, record)
            self.served.swap_in(new.version)
            self.file.append(record)
            self.served.finish()
        else:
            kept = self.served.put_aside(place / "policy", new.version, f"{verdict.decision}: {verdict.reason}")
            record |= {"outcome": ASIDE, "aside": str(kept), **_lasted(began)}
            self.file.append(record)

    @property
    def _consent(self) -> dict[str, Any]:
        """What the command allows the policies."""
        return {"trust_remote_code": self.settings.trust_remote_code, "send_variable": self.settings.allowed}

    def _judged(self, old: Path, new: Path, moments: RoundMoments) -> GateVerdict:
        served, candidate = (load_policy(folder, **self._consent) for folder in (old, new))
        try:
            fresh = fresh_slates(self.store, served, candidate, moments.learned, moments.judged, self.settings.signal)
        except UnlikeQuestions as error:
            return GateVerdict("cannot tell", str(error))
        if fresh is None:
            return GateVerdict("cannot tell", "there is no fresh recommendation")
        return judge_policies(fresh.log, fresh.old, fresh.new, self.settings.gate, fresh.items)

    def _fresh_since(self, records: list[dict[str, Any]]) -> float:
        """The moment until which recommendations have judged a policy with an answer; later ones were not enough, and judge again."""
        decisive = [one for one in records if (one.get("verdict") or {}).get("decision") in DECISIVE]
        return float(decisive[-1]["judged_until"]) if decisive else 0.0

    def _moments(self, fresh_since: float, judged_until: float) -> RoundMoments:
        times = self.store.asked_frame(since=fresh_since, until=judged_until)["timestamp"]
        times = times.filter(times > fresh_since)
        if times.is_empty():
            raise UserError(f"no recommendation is older than {self.settings.settle:g} seconds (--settle); nothing can be judged")
        cut = pl.Series(times).quantile(1 - self.settings.hold_out, "lower")
        assert cut is not None
        return RoundMoments(float(cut), judged_until)


def _reason(error: Exception, place: Path) -> str:
    """Why a round failed, in one line. The traceback of what is nobody's mistake goes to the round's folder."""
    if isinstance(error, UserError):
        return str(error).replace("\n", "; ")
    said = f"{type(error).__name__}: {error}".partition("\n")[0]
    if not made_here(place):
        return said
    (place / ERROR).write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    return f"{said} (the traceback is in {place / ERROR})"


def _lasted(began: float) -> dict[str, float]:
    return {"seconds": round(time.time() - began, 1)}
