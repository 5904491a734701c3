"""recframe recommend --why: in the terminal, as JSON, and for a file of questions."""

from __future__ import annotations

import json

import pytest

import recframe


@pytest.fixture(scope="module")
def artefact(run_in_world, tmp_path_factory):
    path = tmp_path_factory.mktemp("artefact") / "policy"
    recframe.export(run_in_world("encoder=tfidf", "agent.learning_starts=32"), path)
    return str(path)


def test_reasons_follow_the_items(warm_recframe, artefact):
    done = warm_recframe("recommend", artefact, "--history", "item-3", "--profile", "A reader of long books.", "-k", "2", "--why")
    assert done.returncode == 0, done.stderr
    policy = recframe.load_policy(artefact)
    for item in policy.recommend(["item-3"], profile="A reader of long books.", k=2):
        about = recframe.explain(policy, item=item.id, history=["item-3"], profile="A reader of long books.", k=2)
        assert f"{about.title}  [{about.id}]" in done.stdout
        assert about.sentence in " ".join(done.stdout.split())


def test_reasons_in_json_and_in_lines_of_json(warm_recframe, artefact, tmp_path):
    alone = warm_recframe("recommend", artefact, "--history", "item-3", "-k", "2", "--why", "--json", "--explore", "epsilon=0.5")
    answer = json.loads(alone.stdout)
    for place, item in enumerate(answer["items"], 1):
        assert item["why"]["id"] == item["id"]
        assert item["why"]["decision"] == {"place": place, "explored": answer["explored"], "propensity": item["propensity"]}
    (tmp_path / "asked.jsonl").write_text('{"history": ["item-3"], "k": 1, "id": 1}\n{"history": ["nope"]}\n')
    many = warm_recframe("recommend", artefact, "--questions", "asked.jsonl", "--why")
    first, second = [json.loads(line) for line in many.stdout.splitlines()]
    assert first["items"][0]["why"]["history"][0]["id"] == "item-3"
    assert "no item of the run's data has the id 'nope'" in second["error"]
