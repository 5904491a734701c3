"""Datasets outside the repository: found in one place, and skipped where they are absent."""

import pytest


def test_a_test_whose_dataset_is_absent_is_skipped_with_the_place_where_it_was_looked_for(shared_data):
    with pytest.raises(pytest.skip.Exception, match=r"the dataset 'absent' was not found at .*/shared/data/absent$"):
        shared_data("absent")
