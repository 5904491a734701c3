"""The batched tensors that pass between environment, agent, reward and replay memory."""

from __future__ import annotations

from tensordict import TensorClass, TensorDict
from torch import Tensor

PAD = -1
"""The item number that stands for "no item" in histories and candidate lists."""


class Observation(TensorClass):
    """What an agent may know of N users at one moment, without their hidden state. Batch size `[N]`.

    user: `[N]` int64, row in `Data.users` (and so of its profile text vectors); 0 for all without `EnvironmentSpec.has_users`.
    history_items: `[N, H]` int64, the last H items shown, oldest first, padded with `PAD` in front.
    history_feedback: `[N, H, F]` float32, what the user did with each, in the order of `EnvironmentSpec.signals`; 0 at `PAD`.
    candidates: `[N, C]` int64, the items that may be shown now, filled up with `PAD`, or None: the whole catalogue.
    excluded: `[N, E]` int64, items that may not be shown now even if they are candidates, filled up with `PAD`, or None: no such items.
    context: `[N]` int64, row in `Data.contexts` of the text that came with this visit, or None.
    features: `[N, X]` float32, raw numbers, or None.
    prior: `[N, C]` float32, the log-probabilities of the candidates by a model that the agent does not train, less their mean over the
        candidates that may be shown, and 0 for all others; or None. An agent adds it (`Agent.completed`), no environment does.

    Texts are row numbers, not vectors: a replay memory of a million transitions then stores only integers,
    and a state tracker looks the vectors up.
    """

    user: Tensor
    history_items: Tensor
    history_feedback: Tensor
    candidates: Tensor | None = None
    excluded: Tensor | None = None
    context: Tensor | None = None
    features: Tensor | None = None
    prior: Tensor | None = None


class Response(TensorClass):
    """What N users did with their slates. Batch size `[N]`.

    signals: one float32 tensor `[N, K]` per name, such as click (0 or 1), rating (the data's scale), dwell (seconds).
    leave: `[N]` bool, the user ended the session.
    """

    signals: TensorDict
    leave: Tensor


class Transition(TensorClass):
    """One step of N users, as agents learn from it and rewards rate it. Batch size `[N]`, or `[T, N]` for a rollout.

    observation: what the slate was chosen on.   response: what the users did with it.
    slate: `[N, K]` int64, or `[N, A]` float32 with continuous actions. What a reward is given has `PAD` where no item is shown (`Reward`).
    log_prob: `[N]` float32, of the slate under the policy that chose it (0 if it has none).
    reward: `[N]` float32, the weighted sum of the reward terms.      item_reward: `[N, K]` float32, the same before summing over the slate.
    terminated: `[N]` bool, the session ended by itself, or no slate is left to show.
    truncated: `[N]` bool, it was cut: a value target still bootstraps.
    next_observation: what the action led to, before a finished user was replaced.
    discount: `[N]` float32, the factor of `next_observation`'s value in the return (gamma^n after n steps), or None: one step, the
        agent's gamma. Only replayed transitions of several steps have one (`Replay.n_step`): their `reward` is then the discounted sum, and
        `next_observation`, `terminated` and `truncated` are those of the last step.
    weight: `[N]` float32, the weight of the transition's loss, or None: all equal. Prioritized replay sets it
        (`Replay.priority_exponent`).
    """

    observation: Observation
    slate: Tensor
    log_prob: Tensor
    response: Response
    reward: Tensor
    item_reward: Tensor
    next_observation: Observation
    terminated: Tensor
    truncated: Tensor
    discount: Tensor | None = None
    weight: Tensor | None = None
