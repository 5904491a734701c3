"""check_state_tracker accepts correct trackers and reports what is wrong with broken ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recframe.interfaces import PAD, StateTracker
from recframe.testing import ConformanceError, ToyTracker, check_state_tracker, toy_data, toy_spec

DATA = toy_data()
SPEC = toy_spec(DATA)


def test_a_correct_tracker_passes():
    check_state_tracker(ToyTracker(SPEC, DATA), SPEC, DATA)


def changing_states(change):
    class Broken(ToyTracker):
        def forward(self, observation, items):
            return change(super().forward(observation, items))

    return Broken


class NoStateDim(StateTracker):
    def __init__(self, spec, data):
        super().__init__(spec, data, item_dim=4)

    def forward(self, observation, items):
        return items[observation.user]


class WrongItems(ToyTracker):
    def project_items(self):
        return super().project_items()[:5]


class ReadsPadding(ToyTracker):
    def forward(self, observation, items):
        return super().forward(observation, items) + items[observation.history_items].mean(dim=1)


class BatchNormalizing(ToyTracker):
    def forward(self, observation, items):
        state = super().forward(observation, items)
        return state - state.mean(dim=0) + observation.user.unsqueeze(1)


class Random(ToyTracker):
    def forward(self, observation, items):
        return super().forward(observation, items) + torch.rand(1)


class OwnRandom(ToyTracker):
    def __init__(self, spec, data):
        super().__init__(spec, data)
        self.generator = torch.Generator()

    def forward(self, observation, items):
        return super().forward(observation, items) + torch.rand(1, generator=self.generator)


class InPlace(ToyTracker):
    def forward(self, observation, items):
        observation.history_feedback.add_(1)
        return super().forward(observation, items)


class Idle(ToyTracker):
    def __init__(self, spec, data):
        super().__init__(spec, data)
        self.unused = nn.Linear(2, 2)


class Exploding(ToyTracker):
    def forward(self, observation, items):
        zero = (self.feedback.weight - self.feedback.weight).abs().sum()
        return super().forward(observation, items) + zero.sqrt()


class SavesTexts(ToyTracker):
    def __init__(self, spec, data):
        super().__init__(spec, data)
        self.register_buffer("texts", data.catalog.text_vectors)


class SavesProfiles(ToyTracker):
    def __init__(self, spec, data):
        super().__init__(spec, data)
        self.register_buffer("profiles", data.users.profiles.vectors)


class SharesWeights(ToyTracker):
    def __deepcopy__(self, memo):
        return self


class HidesWeights(ToyTracker):
    def __init__(self, spec, data):
        super().__init__(spec, data)
        self.hidden = [nn.Parameter(torch.ones(8))]

    def forward(self, observation, items):
        return super().forward(observation, items) + self.hidden[0]

    def __deepcopy__(self, memo):
        other = type(self)(SPEC, DATA)
        other.hidden = [self.hidden[0] + 1]
        return other


@pytest.mark.parametrize(
    ("tracker", "message"),
    [
        (lambda *_: object(), "must subclass"),
        (NoStateDim, "must set self.state_dim"),
        (WrongItems, r"project_items\(\) must have the shape \[40, 8\]"),
        (changing_states(lambda state: state[:, :3]), r"the state must have the shape \[12, 8\], not \[12, 3\]"),
        (changing_states(lambda state: state.double()), "must be torch.float32"),
        (changing_states(lambda state: state / 0), "NaN or infinity"),
        (changing_states(lambda state: state * 0), "all users get the same state"),
        (changing_states(lambda state: state.detach()), "gets no gradient"),
        (ReadsPadding, "prepending PAD to the histories changed the state"),
        (BatchNormalizing, "depends on the other users in the batch"),
        (Random, "torch's global random state"),
        (OwnRandom, "eval mode must not be random"),
        (InPlace, "changed history_feedback of its observation in place"),
        (Idle, "'unused.weight' gets no gradient"),
        (Exploding, "the gradient of 'feedback.weight' contains NaN or infinity"),
        (SavesTexts, "saves the text vectors of the items as 'texts'"),
        (SavesProfiles, "saves the text vectors of the profiles as 'profiles'"),
        (SharesWeights, "a deep copy shares weights"),
        (HidesWeights, "loaded the tracker's state_dict gives other states"),
    ],
)
def test_a_broken_tracker_is_reported(tracker, message):
    with pytest.raises(ConformanceError, match=message):
        check_state_tracker(tracker(SPEC, DATA), SPEC, DATA)


class DropsOut(ToyTracker):
    """Leaves out parts of the state in training mode."""

    def forward(self, observation, items):
        return F.dropout(super().forward(observation, items), 0.5, self.training)


class DropsOutDeclared(DropsOut):
    dropout_in_updates = 0.5


def test_dropout_that_is_not_declared_is_reported():
    check_state_tracker(DropsOutDeclared(SPEC, DATA), SPEC, DATA)
    with pytest.raises(
        ConformanceError, match=r"another state in training mode, but dropout_in_updates is 0: set self\.dropout_in_updates"
    ):
        check_state_tracker(DropsOut(SPEC, DATA), SPEC, DATA)


def test_a_tracker_without_any_gradient_is_reported():
    class Frozen(ToyTracker):
        def project_items(self, rows=None):
            return super().project_items(rows).detach()

        def forward(self, observation, items):
            return super().forward(observation, items).detach()

    with pytest.raises(ConformanceError, match="states have no gradient"):
        check_state_tracker(Frozen(SPEC, DATA), SPEC, DATA)


def test_the_check_restores_the_trackers_mode():
    tracker = ToyTracker(SPEC, DATA)
    check_state_tracker(tracker, SPEC, DATA)
    assert tracker.training


def test_a_tracker_that_projects_only_the_whole_catalogue_is_reported():
    class Whole(ToyTracker):
        def project_items(self):
            return self.item_projection()

    with pytest.raises(ConformanceError, match=r"project_items\(\) must take rows=None"):
        check_state_tracker(Whole(SPEC, DATA), SPEC, DATA)


def test_a_tracker_whose_item_vectors_depend_on_the_other_projected_items_is_reported():
    class Centred(ToyTracker):
        def project_items(self, rows=None):
            vectors = self.item_projection(rows)
            return vectors - vectors.mean(dim=0)

    with pytest.raises(ConformanceError, match=r"project_items\(rows\) must be project_items\(\)\[rows\]"):
        check_state_tracker(Centred(SPEC, DATA), SPEC, DATA)


def test_a_tracker_that_indexes_the_catalogue_with_an_observations_numbers_is_reported():
    class Popularity(ToyTracker):
        def forward(self, observation, items):
            present = observation.history_items != PAD
            popularity = self.data.catalog.popularity[observation.history_items] * present
            return super().forward(observation, items) + popularity.sum(dim=1, keepdim=True)

    with pytest.raises(ConformanceError, match="item numbers are rows of the `items` passed to forward"):
        check_state_tracker(Popularity(SPEC, DATA), SPEC, DATA)


def test_candidates_and_exclusions_are_renumbered_with_the_history():
    class Offered(ToyTracker):
        def forward(self, observation, items):
            excluded = items[observation.excluded] * (observation.excluded != PAD).unsqueeze(2)
            return super().forward(observation, items) + items[observation.candidates[:, 0]] + excluded.sum(dim=1)

    spec = toy_spec(DATA, num_candidates=7, num_excluded=3)
    check_state_tracker(Offered(spec, DATA), spec, DATA)
