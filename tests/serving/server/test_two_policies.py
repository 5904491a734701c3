"""Two policies side by side: shares of users, and what is recorded of them."""

from __future__ import annotations

import pytest

from recframe.server.served import ServedPolicies


def test_a_user_is_always_answered_by_the_same_policy(serve, policy):
    server = serve("share.b=0.4", b=policy)
    first = {user: server.recommend(user=user, k=1)["policy"] for user in (f"u{number}" for number in range(40))}
    again = {user: server.recommend(user=user, k=1, session="another")["policy"] for user in first}
    assert first == again
    assert 8 <= sum(name == "b" for name in first.values()) <= 24
    session = server.recommend(k=1)
    assert {server.recommend(session=session["session"], k=1)["policy"] for _ in range(5)} == {session["policy"]}
    log = server.service.store.log_frame()
    assert dict(log.select("user", "policy").rows())["u3"] == first["u3"]
    described = server.client.get("/policy").json()["policies"]
    assert [(one["name"], one["share"]) for one in described] == [("main", 0.6), ("b", 0.4)]


def test_shares_are_those_of_the_settings(policy):
    from recframe.server.served import ServedPolicy

    policies = ServedPolicies([ServedPolicy(name, policy) for name in ("main", "b", "c")], {"b": 0.1, "c": 0.3})
    names = [policies.name_for(f"user {number}") for number in range(20_000)]
    assert [names.count(name) / len(names) for name in ("main", "b", "c")] == pytest.approx([0.6, 0.1, 0.3], abs=0.012)


def test_a_policy_is_chosen_by_its_name(serve, policy):
    server = serve(b=policy)
    assert server.recommend(policy="b", k=1)["policy"] == "b"
    assert {server.recommend(k=1)["policy"] for _ in range(5)} == {"main"}
