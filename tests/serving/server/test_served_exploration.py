"""A server that explores: what is shown differs, and the probability of it is answered and stored."""

from __future__ import annotations

import pytest


def test_the_propensities_of_exploration_are_answered_and_stored(serve, policy):
    server = serve("exploration.kind=epsilon", "exploration.epsilon=0.5", "seed=7")
    best = policy.recommend(k=3).ids
    explored = []
    for _ in range(30):
        answer = server.recommend(k=3)
        shown = [item["id"] for item in answer["items"]]
        assert answer["explored"] == (shown != best)
        left = 20
        for place, item in enumerate(answer["items"]):
            expected_best = next(one for one in policy.recommend(k=20).ids if one not in shown[:place])
            assert item["propensity"] == pytest.approx(0.5 / left + 0.5 * (item["id"] == expected_best))
            left -= 1
        explored.append(answer)
    assert 10 <= sum(answer["explored"] for answer in explored) <= 30
    log = server.service.store.log_frame()
    for answer in explored:
        rows = log.filter(log["recommendation"] == answer["recommendation"])
        assert rows["propensity"].to_list() == [item["propensity"] for item in answer["items"]]
        assert rows["explored"].unique().to_list() == [answer["explored"]]
    described = server.client.get("/policy").json()["policies"][0]["exploration"]
    assert (described["kind"], described["epsilon"]) == ("epsilon", 0.5)


def test_the_rules_of_a_slate_are_kept(server):
    answer = server.recommend(k=4, must_include=["13"], at_most={"year": 2})
    assert "error" not in answer
    ids = [item["id"] for item in answer["items"]]
    assert "13" in ids
    assert len(ids) == 2  # all are of 1999
    refused = server.client.post("/recommend", json={"at_most": {"colour": 1}})
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("at_most: ")
