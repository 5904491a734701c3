"""Options that the built-in simulators share. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option

CHOICE_MODELS = [
    "independent",
    "multinomial_logit",
    "multinomial_proportional",
    "cascade",
    "exponential_cascade",
    "proportional_cascade",
]


@dataclass
class SessionConfig:
    """Options of every built-in simulator; see `sessions.py`."""

    num_users: int = option(128, "users simulated at once in training (N)", ge=1)
    slate_size: int = option(1, "items shown at once (K)", ge=1)
    max_steps: int = option(50, "time limit of a session in steps (slates shown)", ge=1)
    num_candidates: int = option(0, "items that may be shown to a user in a step, drawn again in each step; 0: the whole catalogue", ge=0)
    group_size: int = option(
        1,
        "in training, so many sessions of neighbouring users are of one person, begin alike and meet the same random numbers, so that "
        "only what is shown makes them differ; 1: no groups. Evaluations have no groups",
        ge=1,
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse fewer candidates than a slate has items."""
        candidates, slate = self.num_candidates, self.slate_size
        if 0 < candidates < slate:
            yield f"environment.num_candidates is {candidates}, less than environment.slate_size {slate}; use {slate} or more"


@dataclass
class ChoiceConfig:
    """Options of how a user chooses from a slate; the equations are in `choice.py`."""

    choice_model: str = option("independent", "which items of a slate are clicked, and how many", choices=CHOICE_MODELS)
    no_click_mass: float = option(0.0, "score of clicking nothing, in the multinomial models")
    min_normalizer: float = option(-1.0, "lowest score, subtracted from all scores in the proportional models")
    attention_prob: float = option(0.9, "probability of looking at an item, in the cascade models", ge=0.0, le=1.0)
    score_scaling: float = option(0.05, "factor of the click probabilities in the exponential and proportional cascades", gt=0.0)

    def contradictions(self) -> Iterator[str]:
        """Refuse a weight of "no click" that is not positive."""
        no_click, lowest = self.no_click_mass, self.min_normalizer
        if self.choice_model == "multinomial_proportional" and no_click <= lowest:
            yield f"environment.no_click_mass ({no_click}) must be above environment.min_normalizer ({lowest})"


@dataclass
class ProtocolConfig:
    """Options of whether items may be repeated, and of when a user quits; see `sessions.py` and `quit_rule.py`."""

    protocol: str = option(
        "free",
        "free: items may be repeated; no_repetition: each item once per session; fixed_length: also, and no user leaves before max_steps",
        choices=["free", "no_repetition", "fixed_length"],
    )
    quit_count: int = option(0, "number of similar items among the last quit_window that makes a user quit; 0: users never quit", ge=0)
    quit_window: int = option(5, "number of last shown items that the quit rule looks at", ge=1)
    quit_similarity: float = option(0.8, "cosine from which on two items count as similar in the quit rule", ge=-1.0, le=1.0)
    quit_distance: float | None = option(
        None, "Euclidean distance of their vectors below which two items count as similar in the quit rule; null: quit_similarity", gt=0.0
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse a quit rule that no user could ever meet."""
        count, window = self.quit_count, self.quit_window
        if self.protocol != "fixed_length" and count > window:
            yield f"environment.quit_count is {count}, but environment.quit_window holds {window}: nobody would ever leave"


@dataclass
class ItemVectorsConfig:
    """The option of vectors for the similarity of items that come from a file; the class that inherits it has `similarity`."""

    item_vectors: str | None = option(
        None, "file of the items' vectors for similarity=vectors, .npy with one row per item, taken as they are; null: none", exists=True
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse similarity by vectors without a file, and a file that nothing reads."""
        given, similarity = self.item_vectors is not None, getattr(self, "similarity", "vectors")
        if given != (similarity == "vectors"):
            remedy = "use environment.similarity=vectors" if given else "use environment.item_vectors=FILE.npy"
            yield f"environment.similarity is {similarity!r}, and environment.item_vectors is {self.item_vectors}; {remedy}"


@dataclass
class QuestionConfig:
    """Options of the questions that an agent may ask in place of recommending; see `questions.py`."""

    questions: list[str] = option(
        [],
        "what may be asked in place of recommending; attributes: a question for each value, answered with yes or no; free: one question, "
        "answered in words. [attributes,free]: both; []: nothing",
        choices=["attributes", "free"],
    )

    def contradictions(self) -> Iterator[str]:
        """Refuse a kind of question that is named twice, and a question whose answer is said in any case."""
        if len(set(self.questions)) < len(self.questions):
            yield f"environment.questions=[{','.join(self.questions)}] names one twice; use each once"
        if "free" in self.questions and getattr(self, "says", False):
            yield (
                "environment.questions has the free question, but with environment.says=true people say what they want without being "
                "asked; set environment.says=false, or leave the question out"
            )


@dataclass
class BoredomConfig(ProtocolConfig, ChoiceConfig, SessionConfig):
    """Options of users who tire of repetition; the equations are in `boredom.py`."""

    evaluation_share: float = option(0.2, "share of the people who appear only in evaluation", gt=0.0, lt=1.0)
    taste_weight: float = option(5.0, "weight of the match between taste and item in the utility", gt=0.0)
    threshold: float = option(2.5, "utility at which the probability of a click is one half")
    boredom_weight: float = option(4.0, "utility that an item loses if only similar items were shown recently", ge=0.0)
    boredom_memory: float = option(0.8, "share of the memory of shown items that is left after one step", ge=0.0, lt=1.0)
    repeat_penalty: float = option(2.0, "utility that an item loses if it was itself shown recently", ge=0.0)
    repeat_window: int = option(20, "number of last shown items that count as recent", ge=1)
    patience_cost: float = option(0.05, "share of the full patience that a slate without a click costs", ge=0.0)
    patience_recovery: float = option(0.1, "share of the full patience that a fully clicked slate restores", ge=0.0)
    patience_boredom_cost: float = option(0.1, "share of the full patience that a fully boring slate costs", ge=0.0)
    leave_rate: float = option(0.3, "probability of leaving after a step when no patience is left", ge=0.0, le=1.0)
