"""What a documented command needs is put into the current folder, and its words are made small."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from torch import Tensor

import recframe
from recframe.feedback.store import FeedbackStore
from recframe.item_codes import RqVaeConfig
from recframe.item_codes import make as making
from recframe.server.app import create_app
from recframe.server.config import MAIN
from recframe.server.settings import read_settings
from tests.documented_commands.places import failed_run, made_up_run, made_up_sweep, offline_record, with_data
from tests.serving.fake_hub import TOKEN, FakeHub
from tests.test_docs import PROJECT

Prepare = Callable[[list[str], Path, ExitStack], list[str]]
GUIDE = PROJECT / "docs" / "guide"


@contextmanager
def prepared(words: Sequence[str], places: Path) -> Iterator[list[str]]:
    """The words to type within the block. The dots of folders are named, and FOLDER, FILE and the reader's tables are put in."""
    named = [word.replace("runs/...", "runs/mine").replace("multirun/...", "multirun/a") for word in with_data(words, places / "data")]
    with ExitStack() as stack:
        yield PREPARE.get(words[0], _nothing)(named, places, stack)


def _nothing(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    return words


# --- runs and sweeps


def _made_up(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    """Sweeps over the setting that the command is about, of which a job has failed where that is asked for."""
    about = next((word for word in words if re.match(r"(agent|encoder)(\.\w+)?=", word)), "agent.gamma=0.0")
    key, _, value = about.partition("=")
    others = {"agent": "dqn", "encoder": "id"}
    for folder in dict.fromkeys(match[0] for word in words if (match := re.match(r"(multirun/\w+|sweep)(?=/|$)", word))) or ["multirun/a"]:
        made_up_sweep(Path(folder), key, value, others.get(key, "0.9"))
    if words[0] == "runs":
        failed_run(Path("multirun/a/4"))
    made_up_run(Path("runs/mine"), {key: value})
    return words


def _recorded_offline(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    """Runs with offline records of W&B, whose command is not called."""
    for run in ("runs/mine", "multirun/a/0", "multirun/a/1"):
        made_up_run(Path(run), {"agent": "dqn"})
        offline_record(Path(run))
    patch = stack.enter_context(pytest.MonkeyPatch.context())
    expected = 2 if "multirun/a" in words else 1

    def called(command: list[str], **_: object) -> subprocess.CompletedProcess:
        assert command[2:4] == ["wandb", "sync"]
        assert len([word for word in command if "offline-run" in word]) == expected
        return subprocess.CompletedProcess(command, 0)

    patch.setattr(subprocess, "run", called)
    return words


def _learned(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    shutil.copytree(places / "runs", "runs")
    return words


# --- artefacts


def _artefact(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    """An artefact, also where it was pulled to, and the files of the guide that a command reads."""
    shutil.copytree(places / "policy", words[1])
    guide = (GUIDE / "serving.md").read_text()
    (question,) = re.findall(r"^    (\{\"id\": .*\})$", guide, re.MULTILINE)
    (item,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    Path("people.jsonl").write_text(question + "\n")
    Path("items.jsonl").write_text(item)
    return words


def _hub(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    """A hub, which has the artefact where it is pulled."""
    hub, patch = stack.enter_context(FakeHub()), stack.enter_context(pytest.MonkeyPatch.context())
    patch.setenv("HF_ENDPOINT", hub.endpoint)
    patch.setenv("HF_TOKEN", TOKEN)
    for constant, value in {"HF_HUB_DISABLE_XET": True, "HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_PROGRESS_BARS": True}.items():
        patch.setattr(f"huggingface_hub.constants.{constant}", value)
    shutil.copytree(places / "policy", "policy")
    if words[0] == "pull":
        hub.commit("reader/films", {file.name: file.read_bytes() for file in Path("policy").iterdir()})
    return words


def _heard(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    """A store with what the guide's requests to a server left in it."""
    requests = re.findall(
        r"^    curl -X POST localhost:8000(/\w+) .*?-d '(.*?)'$", (GUIDE / "server.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert [path for path, _ in requests] == ["/recommend", "/feedback", "/items"]
    policy = recframe.load_policy(places / "policy")
    stack.enter_context(pytest.MonkeyPatch.context()).setenv("ADMIN", "a key")
    config = read_settings(["admin_key_variable=ADMIN"], places / "policy")
    with closing(FeedbackStore.open("sqlite:///feedback.db")) as store, TestClient(create_app({MAIN: policy}, store, config)) as client:
        shown: dict = {"recommendation": "NAME", "items": [{"id": "item-7"}]}
        for number, (path, body) in product(range(32), requests):
            told = json.loads(body.replace("NAME", shown["recommendation"]).replace("item-7", shown["items"][0]["id"]))
            told |= {"user": f"p{number % 8}", "history": [f"item-{number}"]} if path == "/recommend" else {}
            answer = client.post(path, json=told, headers={"X-API-Key": "a key"})
            assert answer.status_code == 200, answer.text
            shown = {**shown, **answer.json()}
        with store.engine.begin() as connection:  # a minute between two questions
            connection.exec_driver_sql("UPDATE recommendations SET time = time - 60 * (100 - rowid)")
    return words


def _fewer_codes(words: list[str], places: Path, stack: ExitStack) -> list[str]:
    """Few items, and few steps of an autoencoder. What is learned so must not be found by others: the cache is this module's own."""
    small = [] if any(word.startswith("dataset") for word in words) else ["dataset.num_items=60", "dataset.num_users=40"]
    small += [] if "encoder=tfidf" in words else ["encoder=tfidf"]
    patch, fit = stack.enter_context(pytest.MonkeyPatch.context()), making.fit_rq_vae

    def fit_a_little(vectors: Tensor, levels: int, size: int, settings: RqVaeConfig, *more: Any) -> dict[str, Tensor]:
        return fit(vectors, levels, size, replace(settings, steps=5), *more)

    patch.setattr(making, "fit_rq_vae", fit_a_little)
    return [*words, *small]


PREPARE: dict[str, Prepare] = {
    **dict.fromkeys(("report", "runs", "compare", "clean"), _made_up),
    **dict.fromkeys(("evaluate", "export"), _learned),
    **dict.fromkeys(("push", "pull"), _hub),
    "wandb-sync": _recorded_offline,
    "recommend": _artefact,
    "feedback": _heard,
    "codes": _fewer_codes,
}
