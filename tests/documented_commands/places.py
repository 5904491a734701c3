"""Folders in which what the documented commands name is there, and the rule that puts the documents' names onto it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recframe.tracking import RunFolder, write_people, write_result
from recframe.tracking.failure import write_failure
from tests.test_docs import PROJECT

PEOPLE = 12
MEANS = {"trained": 5.0, "random": 2.0, "popular": 3.0, "item_knn": 4.0}
METRICS = ("return", "length", "ndcg@10", "hit_rate@10")


def made_up_run(folder: Path, settings: dict[str, str], seed: int = 0) -> None:
    """A finished run of an experiment on a log, with references, what reports read of it, and a checkpoint."""
    with RunFolder.create(folder) as run:
        config: dict = {"seed": seed}
        for key, value in settings.items():
            group, _, option = key.partition(".")
            if option:
                config[group] = {option: float(value)}
            else:
                config[group] = {"name": value}
        run.write_config(config, [f"seed={seed}", *(f"{key}={value}" for key, value in settings.items())])
        run.write_choices({key: value for key, value in settings.items() if "." not in key})
    draws = np.random.default_rng([seed, *map(ord, "".join(settings.values()))])
    ones = np.ones((PEOPLE, len(METRICS)))
    tables = {policy: (METRICS, draws.gamma(4.0, mean / 4, (PEOPLE, len(METRICS))), ones) for policy, mean in MEANS.items()}
    write_people(folder, np.arange(PEOPLE), {"policies": tables})
    policies = {
        policy: {
            metric: {"mean": sums[:, place].mean(), "low": sums[:, place].min(), "high": sums[:, place].max(), "n": PEOPLE}
            for place, metric in enumerate(METRICS)
        }
        for policy, (_, sums, _) in tables.items()
    }
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").write_bytes(b"weights")
    trained = policies["trained"]["return"]["mean"]
    about = {"split": "held_out", "people": PEOPLE, "sessions": PEOPLE}
    write_result(folder, objective=trained, seed=seed, env_steps=1000, seconds=2.0, policies=policies, evaluation=about)


def made_up_sweep(folder: Path, key: str, value: str, other: str) -> None:
    """Four finished runs: two values of a setting, two seeds each."""
    for number, (chosen, seed) in enumerate([(value, 0), (other, 0), (value, 1), (other, 1)]):
        made_up_run(folder / str(number), {key: chosen}, seed)


def failed_run(folder: Path) -> None:
    """A run that ended with an error."""
    with RunFolder.create(folder) as run:
        run.write_config({"seed": 9, "agent": {"name": "ppo"}}, ["seed=9", "agent=ppo"])
    write_failure(folder, "the disk is full", {})


def offline_record(run: Path) -> None:
    """An offline run of W&B in the folder of a run, whose content does not matter to who sends it."""
    place = run / "wandb" / f"offline-run-2026-{run.name}"
    place.mkdir(parents=True)
    (place / f"run-{run.name}.wandb").write_bytes(b"")


# --- data


def write_data(folder: Path) -> None:
    """Files of each kind that the documents' commands read, in a folder."""
    people, items, steps = 24, 16, 8
    pairs = [(person, step) for person in range(people) for step in range(steps)]
    triples = [(person, (person + 3 * step) % items, 5 if (person + step) % 3 else 1 + step % 5) for person, step in pairs]
    named = [f"item-{item}" for item in range(items)]
    films = [(item, f"Film {item} ({1990 + item})", "Drama|War" if item % 2 else "Comedy") for item in range(items)]
    when = [100 * person + place for place, (person, _, _) in enumerate(triples)]
    logged = list(zip(triples, when, strict=True))
    _table(folder / "ratings.csv", "userId,movieId,rating,timestamp", [(*triple[:2], 2 * triple[2], at) for triple, at in logged])
    _table(folder / "movies.csv", "movieId,title,genres", films)
    _table(folder / "log.csv", "user,item,timestamp,rating", [(f"p{one[0]}", named[one[1]], at, one[2]) for one, at in logged])
    _table(folder / "films.csv", "item,title,text", [(named[item], title, f"A film about {genres}") for item, title, genres in films])
    products = [json.dumps({"item": name, "title": f"Thing {name}", "text": "A useful thing"}) for name in named]
    (folder / "products.jsonl.gz").write_bytes(gzip.compress("\n".join(products).encode()))
    matrix = np.random.default_rng(0).integers(1, 6, (people, items))
    np.save(folder / "matrix.npy", matrix.astype(np.float32))
    _table(folder / "senate.csv", ",".join(named), [tuple(row) for row in matrix])
    _table(folder / "senate_texts.csv", "item,title,text", [(name, f"Motion {name}", f"A motion about {name}") for name in named])
    shown = [(f"p{person}", named[item], at, 0, 0.5, rating % 2) for (person, item, rating), at in logged]
    _table(folder / "shown.csv", "user,item,timestamp,position,propensity,click", shown)
    atomic = folder / folder.name
    atomic.mkdir()
    heading = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    _table(atomic / f"{atomic.name}.inter", heading, [(*triple, at) for triple, at in logged], "\t")
    things = [(item, f"Film {item}", 1990 + item, "Drama War") for item in range(items)]
    _table(atomic / f"{atomic.name}.item", "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", things, "\t")


def _table(path: Path, header: str, rows: Iterable[Sequence[object]], separator: str = ",") -> None:
    path.write_text("\n".join([header, *(separator.join(map(str, row)) for row in rows)]) + "\n")


def with_data(words: Sequence[str], data: Path) -> list[str]:
    """The words with the files of `write_data` in place of FOLDER, FILE and the reader's tables."""
    text = " ".join(words)
    folder = data / data.name if "recbole_atomic" in text else data
    file = data / ("shown.csv" if "bandit_log" in text else "log.csv" if "dataset.interactions=FILE" in text else "matrix.npy")
    rules = {
        r"^dataset\.(items)=(FILE|films\.csv)$": rf"dataset.\1={data}/films.csv",
        r"^dataset\.items=products.jsonl.gz$": f"dataset.items={data}/products.jsonl.gz",
        r"^dataset\.interactions=(ratings|reviews)\.csv$": f"dataset.interactions={data}/log.csv",
        r"^dataset\.(path|items)=FOLDER/": rf"dataset.\1={data}/",
        r"^(dataset\.path)=FOLDER$": rf"\1={folder}",
        r"^(dataset\.\w+)=FILE$": rf"\1={file}",
    }
    return [_replaced(word, rules) for word in words]


def _replaced(word: str, rules: dict[str, str]) -> str:
    for pattern, written in rules.items():
        word = re.sub(pattern, written, word)
    return word


# --- settings of the reader's


def write_own_settings(folder: Path) -> None:
    """The files of settings that the documents tell their reader to write, in conf/ of a folder."""
    pages = {
        "README.md": ["experiment/mine"],
        "docs/recipes/preset.md": ["agent/patient_dqn"],
        "docs/guide/optuna.md": ["study/mine", "study/two_agents"],
    }
    for page, names in pages.items():
        texts = re.findall(r"```yaml\n(.*?)```", (PROJECT / page).read_text(), re.DOTALL)
        for name, text in zip(names, texts, strict=True):
            assert f"`conf/{name}.yaml`" in (PROJECT / page).read_text()
            file = folder / "conf" / f"{name}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
