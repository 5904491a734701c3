import hashlib
import re

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from recframe.interfaces import Data, DataError
from recframe_plugins.datasets.synthetic.config import SyntheticConfig
from recframe_plugins.datasets.synthetic.synthetic import Synthetic
from recframe_plugins.datasets.synthetic.vocabulary import TOPICS

ITEM_BANKS = ("people", "things", "adjectives", "places", "activities", "tags")


def load(**options: int | str) -> Data:
    return Synthetic(SyntheticConfig(**options)).load()


@pytest.fixture(scope="module")
def data() -> Data:
    return load()


def dominant(attributes: pl.DataFrame) -> list[str]:
    return [topics[0] for topics in attributes["topics"]]


def test_two_loads_of_one_config_are_equal(data):
    again = load()
    assert again.catalog.texts == data.catalog.texts
    assert again.catalog.attributes.equals(data.catalog.attributes)
    assert torch.equal(again.catalog.popularity, data.catalog.popularity)
    assert again.users.profiles.texts == data.users.profiles.texts
    assert again.users.attributes.equals(data.users.attributes)


def test_item_texts_follow_the_template(data):
    attributes = data.catalog.attributes
    rows = zip(attributes["title"], attributes["description"], attributes["tags"].to_list(), strict=True)
    assert data.catalog.texts == [f"{title}. {description} {', '.join(tags)}" for title, description, tags in rows]
    # the data of the published figures
    assert hashlib.sha256("\n".join(data.catalog.texts).encode()).hexdigest()[:16] == "387b424387ccb7f4"
    other = load(text_template="{title} ({topics})").catalog
    first = attributes.row(0, named=True)
    assert other.texts[0] == f"{first['title']} ({', '.join(first['topics'])})"
    assert other.attributes.equals(attributes)


def test_template_with_an_unknown_placeholder_is_refused():
    with pytest.raises(DataError, match=r"unknown placeholder \{plot\}; expected \{title\}, \{description\}, \{tags\}, \{topics\}"):
        load(num_items=2, text_template="{plot}")


def test_loading_does_not_use_the_global_generator(data):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert load().catalog.texts == data.catalog.texts
    assert torch.equal(torch.get_rng_state(), before)


def test_another_seed_gives_other_data(data):
    other = load(seed=1)
    assert other.catalog.texts != data.catalog.texts
    assert other.users.profiles.texts != data.users.profiles.texts


def test_items_do_not_depend_on_the_number_of_users_nor_users_on_that_of_items(data):
    assert load(num_users=3).catalog.texts == data.catalog.texts
    assert load(num_items=3).users.profiles.texts == data.users.profiles.texts


@settings(max_examples=25, deadline=None)
@given(num_items=st.integers(1, 300), num_users=st.integers(1, 300), num_topics=st.integers(2, len(TOPICS)), seed=st.integers(0, 2**62))
def test_sizes_mixtures_and_shares_hold_for_any_config(num_items, num_users, num_topics, seed):
    data = load(num_items=num_items, num_users=num_users, num_topics=num_topics, seed=seed)
    catalog, users = data.catalog, data.users
    assert {name for name, part in data._asdict().items() if part is not None} == {"catalog", "users"}
    assert len(catalog) == len(set(catalog.ids)) == len(set(catalog.titles)) == num_items
    assert len(users) == len(set(users.ids)) == len(users.profiles.texts) == num_users
    assert catalog.attributes.columns == ["title", "description", "tags", "topics", "topic_weights"]
    assert catalog.popularity.dtype == torch.float32
    assert catalog.popularity.min() > 0
    assert catalog.popularity.double().sum().item() == pytest.approx(1, abs=1e-5)
    names = {topic.name for topic in TOPICS[:num_topics]}
    for attributes in (catalog.attributes, users.attributes):
        assert attributes.schema["topics"] == pl.List(pl.String)
        assert attributes.schema["topic_weights"] == pl.List(pl.Float32)
        for topics, weights in attributes.select("topics", "topic_weights").iter_rows():
            assert 1 <= len(topics) == len(weights) <= 3
            assert len(set(topics)) == len(topics)
            assert names.issuperset(topics)
            assert sum(weights) == pytest.approx(1, abs=1e-5)
            assert weights == sorted(weights, reverse=True)
            assert min(weights) > 0.1


def test_item_texts_contain_title_description_and_tags(data):
    for text, (title, description, tags) in zip(
        data.catalog.texts, data.catalog.attributes.select("title", "description", "tags").iter_rows(), strict=True
    ):
        assert text == f"{title}. {description} {', '.join(tags)}"


def test_texts_have_no_unfilled_slots_or_double_spaces(data):
    for text in data.catalog.texts + data.users.profiles.texts:
        assert not re.search(r"[{}]|  |\ba [aeiou]", text), text


def test_item_never_repeats_an_entry_of_its_banks(data):
    for tags in data.catalog.attributes["tags"]:
        assert len(set(tags)) == len(tags)
    for topics, description in data.catalog.attributes.select("topics", "description").iter_rows():
        if len(topics) == 1:
            own = next(topic for topic in TOPICS if topic.name == topics[0])
            for entry in (*own.people, *own.adjectives, *own.activities):
                assert len(re.findall(rf"\b{re.escape(entry)}\b", description, re.IGNORECASE)) <= 1, description


def test_titles_rarely_name_a_topic(data):
    literal = sum(any(topic.name in title.lower() for topic in TOPICS) for title in data.catalog.titles)
    assert literal / len(data.catalog) < 0.01


def test_titles_stay_unique_without_numbers_in_a_large_catalogue():
    titles = load(num_items=20_000, num_users=1).catalog.titles
    assert len(set(titles)) == 20_000
    assert not any(re.search(r"\d", title) for title in titles)


def test_nearest_neighbours_in_the_texts_share_topics_far_above_chance(data):
    vectors = TfidfVectorizer(stop_words="english").fit_transform(data.catalog.texts)
    similarity = (vectors @ vectors.T).toarray()
    similarity[range(len(data.catalog)), range(len(data.catalog))] = -1
    nearest = similarity.argmax(axis=1)
    main = dominant(data.catalog.attributes)
    shared = sum(main[item] == main[neighbour] for item, neighbour in enumerate(nearest)) / len(main)
    # chance is 1 / 16
    assert shared > 0.7


def test_every_topic_of_an_item_appears_in_its_description_and_tags(data):
    banks = {topic.name: [entry.lower() for bank in ITEM_BANKS for entry in getattr(topic, bank)] for topic in TOPICS}
    for topics, description, tags in data.catalog.attributes.select("topics", "description", "tags").iter_rows():
        for topic in topics:
            assert any(entry in description.lower() for entry in banks[topic]), (topic, description)
            assert any(tag.lower() in banks[topic] for tag in tags), (topic, tags)


def test_heavier_topics_get_more_of_the_words(data):
    banks = {topic.name: [entry.lower() for bank in ITEM_BANKS[:-1] for entry in getattr(topic, bank)] for topic in TOPICS}
    more = fewer = 0
    for topics, weights, description in data.catalog.attributes.select("topics", "topic_weights", "description").iter_rows():
        if len(topics) > 1 and weights[0] > weights[-1] + 0.3:
            first, last = (sum(entry in description.lower() for entry in banks[topic]) for topic in (topics[0], topics[-1]))
            more, fewer = more + (first > last), fewer + (first < last)
    assert more > 100
    assert fewer < 0.03 * more


def test_profiles_use_other_words_than_items(data):
    words = re.compile(r"[a-z]{4,}")
    common = {"with", "from", "that", "their", "after", "until"}
    for topic in TOPICS:
        of_items = {word.rstrip("s") for bank in ITEM_BANKS for entry in getattr(topic, bank) for word in words.findall(entry.lower())}
        of_users = {word.rstrip("s") for entry in topic.tastes for word in words.findall(entry.lower())}
        assert (of_items & of_users) <= common, topic.name


def test_profile_mentions_every_taste_and_one_disliked_topic(data):
    of_taste = {phrase: topic.name for topic in TOPICS for phrase in topic.tastes}
    for profile, topics in zip(data.users.profiles.texts, data.users.attributes["topics"], strict=True):
        liked, disliked = profile.split(". ", 1)
        assert {name for phrase, name in of_taste.items() if phrase in liked} == set(topics)
        named = {name for phrase, name in of_taste.items() if phrase in disliked}
        assert len(named) == 1
        assert not named & set(topics)


def test_popularity_has_a_long_tail_independent_of_topics(data):
    shares = data.catalog.popularity.sort(descending=True).values
    assert shares[:100].sum() > 0.4
    assert shares[-500:].sum() < 0.25
    by_topic = data.catalog.attributes.select(topic=pl.col("topics").list.first()).with_columns(
        share=pl.Series(data.catalog.popularity.numpy())
    )
    assert by_topic.group_by("topic").agg(pl.col("share").sum())["share"].max() < 0.2


def test_banks_are_large_distinct_and_of_prime_size():
    assert 16 <= len(TOPICS) <= 24
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert sum(len(set(getattr(topic, bank))) for bank in ITEM_BANKS) >= 25
        for bank in (*ITEM_BANKS, "tastes"):
            entries = getattr(topic, bank)
            assert len(set(entries)) == len(entries)
            assert len(entries) in (5, 7), f"{topic.name}.{bank}: a prime number of entries keeps an item from repeating one"
