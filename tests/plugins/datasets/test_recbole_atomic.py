"""The dataset recbole_atomic: typed columns, users, items, the knowledge graph."""

import logging
import os
from pathlib import Path

import pytest

from recframe.interfaces import Data, DataError
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.recbole_atomic.config import RecboleAtomicConfig
from recframe_plugins.datasets.recbole_atomic.recbole_atomic import RecboleAtomic

FILES = {
    "tiny.inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    "7\t20\t3\t300000000.5\n5\t10\t4\t200000000\n7\t10\t5\t100000000\n",
    "tiny.item": (
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\tprice:float\tvector:float_seq\n"
        "10\tAlien 3\t1992\tHorror Sci-Fi\t1.5\t0.5 1\n20\tBambi\t1942\t\t\t2 3\n"
    ),
    "tiny.user": "user_id:token\tage:token\tzip:token\n5\t30\t01234\n7\t40\t98765\n",
    "tiny.link": "item_id:token\tentity_id:token\n10\tm.1\n99\tm.9\n",
    "tiny.kg": "head_id:token\trelation_id:token\ttail_id:token\nm.1\tactor\tm.3\nm.2\tpart_of\tm.1\nm.1\twriter\tm.3\n",
}


@pytest.fixture
def atomic(tmp_path):
    """`atomic(tiny_user=None)`: a folder with the files, without those that are None and with others changed."""

    def atomic(**changed: str | None) -> Path:
        for name, content in FILES.items():
            text = changed.get(name.replace(".", "_"), content)
            (tmp_path / name).unlink(missing_ok=True)
            if text is not None:
                (tmp_path / name).write_text(text)
        return tmp_path

    return atomic


def load(path: Path, **options) -> Data:
    return RecboleAtomic(RecboleAtomicConfig(path=str(path), **options)).load()


def test_interactions_items_and_users_are_read_by_their_types(atomic):
    data = load(atomic(), text_template="{title} ({release_year}). {class}", profile_template="{age} in {zip}")
    assert data.interactions.frame.rows(named=True) == [
        {"user": 0, "item": 0, "timestamp": 100000000, "rating": 5.0},
        {"user": 1, "item": 0, "timestamp": 200000000, "rating": 4.0},
        {"user": 0, "item": 1, "timestamp": 300000000, "rating": 3.0},
    ]
    assert data.catalog.attributes.drop("entity", "neighbours").to_dict(as_series=False) == {
        "title": ["Alien 3", "Bambi"],
        "release_year": [1992, 1942],
        "class": [["Horror", "Sci-Fi"], None],
        "price": [1.5, None],
        "vector": [[0.5, 1.0], [2.0, 3.0]],
    }
    assert data.catalog.texts == ["Alien 3 (1992). Horror, Sci-Fi", "Bambi (1942)."]
    assert data.users.ids == ["7", "5"]
    assert data.users.profiles.texts == ["40 in 98765", "30 in 01234"]


def test_the_knowledge_graph_becomes_attributes(atomic, caplog):
    caplog.set_level(logging.INFO)
    attributes = load(atomic()).catalog.attributes
    assert attributes["entity"].to_list() == ["m.1", None]
    assert attributes["neighbours"].to_list() == [["m.2", "m.3"], None]
    assert "tiny.link: 1 link(s) are of items that no other file has" in caplog.text
    assert "tiny.link: 1 linked entity(ies) are in no triple of tiny.kg" in caplog.text
    assert "tiny.kg: 3 triples, which link 1 of 2 items" in caplog.text


def test_only_interactions_are_needed_and_the_file_can_be_named(atomic):
    folder = atomic(tiny_item=None, tiny_user=None, tiny_link=None, tiny_kg=None)
    (folder / "other.inter").write_text(FILES["tiny.inter"])
    data = load(folder / "tiny.inter")
    assert data.catalog.titles == ["20", "10"]
    with pytest.raises(DataError, match=r"holds other.inter, tiny.inter; give one of these files"):
        load(folder)
    with pytest.raises(DataError, match="profile_template is given, but there is no"):
        load(folder / "tiny.inter", profile_template="{age}")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tiny_inter": FILES["tiny.inter"] + "7\t10\tmany\t5\n"}, r"tiny.inter:5: column 'rating': 'many' is not a finite number"),
        ({"tiny_item": FILES["tiny.item"] + "30\tC\t1\tx\n"}, r"tiny.item:4: '30.C.1.x' is not 6 fields"),
        ({"tiny_item": "item_id\ttitle:token_seq\n1\tA\n"}, r"tiny.item:1: column 1 is called 'item_id', expected a name and a type"),
        ({"tiny_item": "item_id:text\n1\n"}, r"types are token, token_seq, float, float_seq"),
        ({"tiny_link": FILES["tiny.link"] + "10\tm.2\n"}, r"tiny.link:4: item_id '10' is already on line 2"),
        ({"tiny_link": "item:token\tentity_id:token\n1\te\n"}, r"tiny.link:1: lacks the column item_id:token"),
        ({"tiny_kg": FILES["tiny.kg"] + "m.1\t\tm.2\n"}, r"tiny.kg:5: column 'relation_id': empty id"),
    ],
)
def test_mistakes_are_reported_with_their_place(atomic, changed, message):
    with pytest.raises(DataError, match=message):
        load(atomic(**changed))


def test_a_graph_without_links_is_not_used(atomic, caplog):
    attributes = load(atomic(tiny_link=None)).catalog.attributes
    assert "entity" not in attributes.columns
    assert "tiny.kg: is not used, as there is no tiny.link that links items to it" in caplog.text


def test_the_component_conforms(atomic):
    registered = []
    registration.recframe_register_components(registered.append)
    component = next(one for one in registered if one.name == "recbole_atomic")
    check_component(component, RecboleAtomicConfig(path=str(atomic()), profile_template="{age}"))


ML_100K = "RECFRAME_RECBOLE_ML_100K"


@pytest.mark.evidence
@pytest.mark.skipif(ML_100K not in os.environ, reason=f"{ML_100K} does not name the folder ml-100k of RecBole's examples")
def test_recboles_ml_100k_is_read(caplog):
    caplog.set_level(logging.WARNING)
    folder = Path(os.environ[ML_100K])
    data = load(folder, text_template="{title} ({release_year}). {class}", profile_template="{age}, {gender}, {occupation}")
    lines = (folder / "ml-100k.inter").read_text().splitlines()[1:]
    rows = sorted(tuple(line.split("\t")) for line in lines)
    frame = data.interactions.frame
    columns = (frame[name].to_list() for name in ("user", "item", "rating", "timestamp"))
    read = [(data.users.ids[u], data.catalog.ids[i], f"{rating:g}", str(time)) for u, i, rating, time in zip(*columns, strict=True)]
    assert sorted(read) == rows
    assert (len(frame), len(data.users), len(data.catalog)) == (100_000, 943, 1_682)
    assert data.catalog.texts[0] == "Toy Story (1995). Animation, Children's, Comedy"
    assert data.catalog.attributes["entity"].count() == 1_598
    assert data.users.profiles.texts[data.users.ids.index("1")] == "24, M, technician"


def test_a_folder_above_the_files_names_the_folder_that_has_them(tmp_path):
    for name in ("ml-100k", "tiny"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.inter").write_text(FILES["tiny.inter"])
        with pytest.raises(DataError, match=rf"no .inter file, but there are such in its folders? .*{name}; give dataset.path=.*ml-100k$"):
            RecboleAtomic(RecboleAtomicConfig(path=str(tmp_path))).load()
