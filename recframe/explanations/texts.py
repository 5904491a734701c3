"""The words of all texts that a policy read for a question: the profile, what was said, and the texts of the items."""

from __future__ import annotations

from collections.abc import Sequence

from recframe.errors import UserError
from recframe.explanations.comparison import LeftOutParts
from recframe.explanations.explanation import WordEffects
from recframe.explanations.gauge import Gauge
from recframe.explanations.text_standings import standing_by_text_of_item, standing_by_text_of_person
from recframe.explanations.words import Of, explained_words, reproduces
from recframe.interfaces import Role, tables_of
from recframe.serving.policy import LoadedPolicy
from recframe.serving.question import Question

UNREAD = "the policy does not read it"
ONE_BY_ONE = "this policy must be asked again for each of them: words='leave_one_out' does"
OTHER_VECTOR = "the encoder reads this text now in another way than the policy was given it"


def words_of_texts(policy: LoadedPolicy, question: Question, comparison: LeftOutParts, method: str) -> list[list[WordEffects]]:
    """The words of the texts, for each of the items of the comparison."""
    found: list[list[WordEffects]] = [[] for _ in comparison.items]
    profile = question.profile if question.user is None else _profile_in_data(policy, comparison)
    for of, text in (("profile", profile), ("context", question.context)):
        if text is not None:
            for words, one in zip(found, _of_person(policy, comparison, of, text, method), strict=True):  # type: ignore[arg-type]
                words.append(one)
    for words, item in zip(found, comparison.items, strict=True):
        words.append(_of_item(policy, comparison, item, method))
    return found


def _profile_in_data(policy: LoadedPolicy, comparison: LeftOutParts) -> str | None:
    users = policy.data.users
    if users is None or users.profiles is None or users.profiles.vectors is None:
        return None
    return users.profiles.texts[comparison.query.rows["user"]]


def _of_person(policy: LoadedPolicy, comparison: LeftOutParts, of: Of, text: str, method: str) -> Sequence[WordEffects]:
    role: Role = "user" if of == "profile" else "context"
    columns = range(len(comparison.items))
    tables = tables_of(policy.agent, policy.data.texts[role].vectors) if role in policy.data.texts else []
    if not tables or not tables[0].values.shape[1]:
        return [WordEffects(of, text, note=UNREAD)] * len(columns)
    if not text:
        return [WordEffects(of, text, note="its text is not in the artefact, only its vector")] * len(columns)
    standing = standing_by_text_of_person(comparison.gauge, comparison.observation, role, tables)
    return explained_words(of, text, policy.new_texts, standing, columns, method)


def _of_item(policy: LoadedPolicy, comparison: LeftOutParts, item: int, method: str) -> WordEffects:
    catalog, texts = policy.data.catalog, policy.new_texts
    text, known = catalog.texts[item], catalog.text_vectors
    tables = tables_of(policy.agent, known)
    if known is None or not tables or not tables[0].values.shape[1]:
        return WordEffects("item", text, note=UNREAD)
    try:
        if not texts.refused and not reproduces(texts, text, "item", known[item]):
            return WordEffects("item", text, note=OTHER_VECTOR)
    except UserError as error:
        return WordEffects("item", text, note=str(error))
    gauge = Gauge(comparison.gauge.prepared, policy.ranks, [item], comparison.query.k)
    gauge.measure = comparison.gauge.measure
    standing = standing_by_text_of_item(gauge, comparison.observation, known, method == "leave_one_out")
    if standing is None:
        return WordEffects("item", text, note=ONE_BY_ONE)
    return explained_words("item", text, texts, standing, [0], method)[0]
