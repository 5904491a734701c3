"""A setting that is new, and null, does not tell a run from those of an earlier release, which lack it."""

from dataclasses import replace

from recframe.reports.comparable import contest_of, people_met
from recframe.reports.runs import FoundRun, _differing


def test_runs_that_lack_a_new_setting_are_compared_with_those_where_it_is_null(tmp_path):
    before = FoundRun("before", tmp_path, {}, {"evaluation.seed": "1", "environment.mode": "free"}, {}, None, ())
    after = replace(before, config=before.config | {"evaluation.new": "null", "environment.new": "null"})
    other = replace(before, config=before.config | {"evaluation.new": "3", "environment.new": "3"})
    for same in (contest_of, people_met):
        assert same(before) == same(after) != same(other)
    assert _differing([before.config, after.config]) == []
    assert _differing([before.config, other.config]) == ["evaluation.new", "environment.new"]
