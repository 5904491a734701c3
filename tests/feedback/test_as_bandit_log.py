"""What a store exports is read by the dataset bandit_log, and the command that exports it."""

from __future__ import annotations

from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem
from recframe.feedback.store import FeedbackStore
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig

NOW = 1_760_000_000.75


def filled(url: str) -> None:
    with FeedbackStore.open(url) as store:
        store.record_signals(["click", "rating"])
        for visit in range(4):
            slate = [ShownItem(f"film-{(visit + place) % 3}", 0.5) for place in range(2)]
            person = f"p{visit % 2}"
            store.record_decision(RecordedDecision(f"r{visit}", NOW + visit, f"s-{person}", person, "main", "v1", slate))
        store.record_feedback(RecordedFeedback("r1", "film-2", {"click": 1.0}, NOW + 2))


def test_the_exported_file_is_read_by_bandit_log(warm_recframe, tmp_path):
    url = f"sqlite:///{tmp_path}/feedback.db"
    filled(url)
    for name in ("log.csv", "log.parquet"):
        done = warm_recframe("feedback", "export", url, str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        assert "8 shown items" in done.stdout
        data = BanditLog(BanditLogConfig(interactions=str(tmp_path / name))).load()
        frame = data.interactions.frame
        assert frame.columns[3:5] == ["click", "rating"]
        assert sorted(data.catalog.ids) == ["film-0", "film-1", "film-2"]
        assert frame["timestamp"].to_list() == [int(NOW) + visit for visit in range(4) for _ in range(2)]
        assert frame["position"].to_list() == [0, 1] * 4
        assert frame["propensity"].to_list() == [0.5] * 8
        assert frame["session"].n_unique() == 2
        assert frame["click"].to_list() == [0, 0, 0, 1, 0, 0, 0, 0]
        assert data.interactions.features is None


def test_a_wrong_name_of_a_store_or_a_file_is_one_line(warm_recframe, tmp_path):
    missing = warm_recframe("feedback", "export", "sqlite:///none.db", "log.csv")
    assert missing.returncode == 2
    assert missing.stderr.strip() == "recframe: sqlite:///none.db: there is no file none.db"
    url = f"sqlite:///{tmp_path}/feedback.db"
    filled(url)
    wrong = warm_recframe("feedback", "export", url, "log.json")
    assert wrong.returncode == 2
    assert "right is one that ends with .csv or .parquet" in wrong.stderr
