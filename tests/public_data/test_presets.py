"""Each public set from files of its published layout, through its conversion and its preset, to the data of its dataset.

The layouts are those of the publishers' descriptions; the values are made up.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from recframe.building.component import build, component_of
from recframe.components import Kind
from recframe.config import DESCRIBE, compose_config
from recframe.interfaces import Data
from recframe.public_data import FetchError, fetch, find_set, public_sets


def zipped(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, str], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def lines_of(*records: dict) -> bytes:
    return gzip.compress("".join(f"{json.dumps(record)}\n" for record in records).encode())


class Example(NamedTuple):
    """A set's files as they are published, and what its preset makes of them: signals, the first interaction, and the texts of items.

    first: user, item, time, and the values of the signals, of the interaction that is first in time.
    """

    files: dict[str, bytes]
    signals: tuple[str, ...]
    rows: int
    first: tuple
    texts: dict[str, str]
    part: str | None = None


def movielens(name: str) -> Example:
    movies = 'movieId,title,genres\n1,Toy Story (1995),Adventure|Animation\n2,"American President, The (1995)",(no genres listed)\n'
    ratings = "userId,movieId,rating,timestamp\n1,1,4.5,1000000000\n2,2,0.5,1000000500\n"
    texts = {"1": "Toy Story (1995). Adventure, Animation", "2": "American President, The (1995)."}
    archive = zipped({f"{name}/movies.csv": movies, f"{name}/ratings.csv": ratings, f"{name}/README.txt": "", f"{name}/tags.csv": ""})
    return Example({f"{name}.zip": archive}, ("rating",), 2, ("1", "1", 1_000_000_000, 4.5), texts)


def kuairand(suffix: str, folder: str) -> Example:
    log = (
        "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,play_time_ms,duration_ms,"
        "profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab\n"
        "0,3784,20220408,1800,1649412000123,1,0,0,1,0,0,1,6000,17200,0,0,0,0,1\n"
        "0,441,20220408,1801,1649412060000,0,0,0,0,0,0,0,100,9000,0,0,0,0,1\n"
    )
    videos = (
        "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,server_width,server_height,music_id,music_type,tag\n"
        '3784,441,NORMAL,2020-07-08,ShortImport,1.0,17200.0,720,1280,989206467,4.0,"12,65"\n'
        "441,7,AD,2020-07-09,LongImport,1.0,,720,1280,1,9.0,\n"
    )
    names = ("log_standard_4_22_to_5_08", "log_random_4_22_to_5_08", "user_features")
    files = {f"{folder}/data/{name}_{suffix}.csv": "user_id\n" for name in names}
    files |= {f"{folder}/data/log_standard_4_08_to_4_21_{suffix}.csv": log, f"{folder}/data/video_features_basic_{suffix}.csv": videos}
    files[f"{folder}/load_data_{suffix}.py"] = "raise SystemExit('nothing of a set is run')"
    return Example(
        {f"{folder}.tar.gz": tarred(files)},
        ("click", "like", "follow", "comment", "forward", "hate", "long_view"),
        2,
        ("0", "3784", 1_649_412_000, 1, 0, 0, 1, 0, 0, 1),
        {"3784": "NORMAL ShortImport, tags 12,65", "441": "AD LongImport"},
    )


def mind(name: str) -> Example:
    behaviors = (
        "1\tU13740\t11/11/2019 9:05:58 AM\tN55189 N42782\tN55689-1 N35729-0\n"
        "2\tU91836\t11/12/2019 6:11:30 PM\t\tN20678-0 N55689-0 N35729-1\n"
    )
    news = (
        'N55689\tsports\tfootball_nfl\tCharles Rogers, former star, "dead" at 38\tA short abstract\thttps://a\t[{"Label": "x"}]\t[]\n'
        "N35729\tnews\tnewsus\tPorsche launches into second story\t\thttps://b\t[]\t[]\n"
    )
    archive = zipped({"behaviors.tsv": behaviors, "news.tsv": news, "entity_embedding.vec": "", "relation_embedding.vec": ""})
    texts = {
        "N55689": 'Charles Rogers, former star, "dead" at 38. sports, football_nfl. A short abstract',
        "N35729": "Porsche launches into second story. news, newsus.",
    }
    return Example({f"{name}_train.zip": archive}, ("click",), 5, ("U13740", "N55689", 1_573_463_158, 1), texts)


EXAMPLES: dict[str, Callable[[], Example]] = {
    "ml-100k": lambda: Example(
        {
            "ml-100k.zip": zipped(
                {
                    "ml-100k/u.item": (
                        "1|Toy Story (1995)|01-Jan-1995||http://us.imdb.com/M/title-exact?Toy%20Story%20(1995)|0|0|1|1\n"
                        "2|Am\u00e9lie (2001)|||http://b|0|0|0|0\n"
                    ).encode("latin-1"),
                    "ml-100k/u.data": "196\t1\t3\t881250949\n186\t2\t5\t891717742\n",
                    "ml-100k/u.genre": "unknown|0\nAction|1\nAnimation|2\nChildren's|3\n\n",
                    "ml-100k/u.user": "1|24|M|technician|85711\n",
                    "ml-100k/README": "",
                    "ml-100k/mku.sh": "",
                }
            )
        },
        ("rating",),
        2,
        ("196", "1", 881_250_949, 3),
        {"1": "Toy Story (1995). Animation, Children's", "2": "Am\u00e9lie (2001)."},
    ),
    "ml-1m": lambda: Example(
        {
            "ml-1m.zip": zipped(
                {
                    "ml-1m/movies.dat": "1::Toy Story (1995)::Animation|Comedy\n2::Am\u00e9lie (2001)::Comedy\n".encode("latin-1"),
                    "ml-1m/ratings.dat": "1::2::5::978300760\n1::1::3::978302109\n",
                    "ml-1m/users.dat": "1::F::1::10::48067\n",
                    "ml-1m/README": "",
                }
            )
        },
        ("rating",),
        2,
        ("1", "2", 978_300_760, 5),
        {"1": "Toy Story (1995). Animation, Comedy", "2": "Am\u00e9lie (2001). Comedy"},
    ),
    **{name: (lambda name=name: movielens(name)) for name in ("ml-20m", "ml-25m", "ml-32m", "ml-latest-small")},
    "movietweetings-100k": lambda: Example(
        {"movies.dat": b"0110912::Pulp Fiction (1994)::Crime|Thriller\n", "ratings.dat": b"14927::0110912::9::1375657563\n"},
        ("rating",),
        1,
        ("14927", "0110912", 1_375_657_563, 9),
        {"0110912": "Pulp Fiction (1994). Crime, Thriller"},
    ),
    "kuairec": lambda: Example(
        {
            "KuaiRec.zip": zipped(
                {
                    "KuaiRec 2.0/data/big_matrix.csv": (
                        "user_id,video_id,play_duration,video_duration,time,date,timestamp,watch_ratio\n"
                        "0,3649,13838,10867,2020-07-05 00:08:23.438,20200705,1593878903.438,1.273397\n"
                        "0,9598,13665,10984,2020-07-05 00:13:41.297,20200705,1593879221.297,1.2440823\n"
                    ),
                    "KuaiRec 2.0/data/small_matrix.csv": "",
                    "KuaiRec 2.0/loaddata.py": "raise SystemExit",
                    "KuaiRec 2.0/data/item_categories.csv": "",
                }
            ),
            "kuairec_caption_category.csv": (
                b"video_id,manual_cover_text,caption,topic_tag,first_level_category_id,first_level_category_name,second_level_category_id,"
                b"second_level_category_name,third_level_category_id,third_level_category_name\n"
                b'3649,UNKNOWN,"two lines\n#fun","[fun,day]",8,Sports,673,Ball,-124,UNKNOWN\n'
                b"broken line\n"
                b"9598,a cover,,[],27,Food,-124,UNKNOWN,-124,UNKNOWN\n"
            ),
        },
        ("watch_ratio",),
        2,
        ("0", "3649", 1_593_878_903, 1.273397),
        {"3649": "two lines #fun. Sports, Ball. fun,day", "9598": "a cover. Food."},
    ),
    "kuairand-pure": lambda: kuairand("pure", "KuaiRand-Pure"),
    "kuairand-1k": lambda: kuairand("1k", "KuaiRand-1K"),
    "mind-small": lambda: mind("MINDsmall"),
    "mind-large": lambda: mind("MINDlarge"),
    "amazon-reviews-2023": lambda: Example(
        {
            "Books.csv.gz": gzip.compress(
                b"user_id,parent_asin,rating,timestamp\nAFKZ,0123456789,5.0,1609459200123\nAGBF,B01,1.0,1640995200000\n"
            ),
            "meta_Books.jsonl.gz": lines_of(
                {
                    "main_category": "Books",
                    "title": "A Book,\nwith two lines",
                    "average_rating": 4.8,
                    "features": [],
                    "description": ["First.", "Second."],
                    "price": 8.98,
                    "images": [{"thumb": "x", "large": None}],
                    "store": "Ann Author",
                    "categories": ["Books", "Poetry"],
                    "details": {"Publisher": "P", "Pages": "3"},
                    "parent_asin": "0123456789",
                },
                {"title": "Nobody rated it", "parent_asin": "B99", "details": {"Other": 1}, "description": [], "categories": None},
            ),
        },
        ("rating",),
        2,
        ("AFKZ", "0123456789", 1_609_459_200, 5),
        {"0123456789": "A Book, with two lines (Ann Author). Books, Poetry. First., Second.", "B01": "B01."},
        part="Books",
    ),
    "steam": lambda: Example(
        {
            "steam_reviews.json.gz": gzip.compress(
                b"{u'username': u'Chaos \"Syren\"', u'hours': 0.1, u'products': 41, u'product_id': u'725280', u'page_order': 0, "
                b"u'date': u'2017-12-17', u'text': u'It\\'s fun \\u2665', u'early_access': False, u'page': 1}\n"
                b"{u'username': u'\\u041a', u'product_id': u'761140', u'date': u'2018-01-05', u'text': u'', u'page': 1}\n"
            ),
            "steam_games.json.gz": gzip.compress(
                b"{u'publisher': u'Kotoshiro', u'genres': [u'Action', u'Casual'], u'app_name': u'Lost Summoner Kitty', "
                b"u'title': u'Lost Summoner Kitty', u'tags': [u'Strategy', u'Indie'], u'price': 4.99, u'id': u'761140', "
                b"u'developer': u'Kotoshiro'}\n{u'app_name': u'No id'}\n"
            ),
        },
        ("review", "hours"),
        2,
        ('Chaos "Syren"', "725280", 1_513_468_800, 1, 0.1),
        {"761140": "Lost Summoner Kitty (Kotoshiro). Action, Casual. Strategy, Indie", "725280": "725280."},
    ),
    "goodreads": lambda: Example(
        {
            "goodreads_interactions_poetry.json.gz": lines_of(
                {
                    "user_id": "8842281e1d1347389f2ab93d60773d4d",
                    "book_id": "1384",
                    "review_id": "1bad",
                    "is_read": True,
                    "rating": 4,
                    "review_text_incomplete": "",
                    "date_added": "Wed May 09 09:33:44 -0700 2007",
                    "date_updated": "Wed May 09 09:33:44 -0700 2007",
                    "read_at": "",
                    "started_at": "",
                },
                {
                    "user_id": "d986",
                    "book_id": "1376",
                    "review_id": "eb70",
                    "is_read": False,
                    "rating": 0,
                    "review_text_incomplete": "",
                    "date_added": "Fri Sep 08 10:44:24 -0700 2017",
                    "date_updated": "",
                    "read_at": "",
                    "started_at": "",
                },
            ),
            "goodreads_books_poetry.json.gz": lines_of(
                {
                    "book_id": "1384",
                    "title": "The Odyssey",
                    "description": "Sing to me\nof the man.",
                    "publication_year": "1996",
                    "authors": [],
                },
                {"book_id": "7", "title": "On no shelf", "description": "", "publication_year": ""},
            ),
        },
        ("read", "rating"),
        2,
        ("8842281e1d1347389f2ab93d60773d4d", "1384", 1_178_728_424, 1, 4),
        {"1384": "The Odyssey (1996). Sing to me of the man.", "1376": "1376."},
    ),
    "yelp": lambda: Example(
        {
            "Yelp-JSON.zip": zipped(
                {
                    "Yelp JSON/yelp_dataset.tar": tarred(
                        {
                            "yelp_academic_dataset_review.json": json.dumps(
                                {
                                    "review_id": "K",
                                    "user_id": "m-h",
                                    "business_id": "XQf",
                                    "stars": 3.0,
                                    "text": "ok",
                                    "date": "2018-07-07 22:09:11",
                                }
                            )
                            + "\n",
                            "yelp_academic_dataset_business.json": json.dumps(
                                {
                                    "business_id": "XQf",
                                    "name": "Turning Point",
                                    "city": "North Wales",
                                    "state": "PA",
                                    "categories": "Cafes, Food",
                                }
                            )
                            + "\n",
                            "yelp_academic_dataset_user.json": "",
                        },
                        mode="w",
                    ),
                    "__MACOSX/Yelp JSON/._yelp_dataset.tar": b"",
                    "Yelp JSON/Dataset_User_Agreement.pdf": b"",
                }
            )
        },
        ("stars",),
        1,
        ("m-h", "XQf", 1_531_001_351, 3),
        {"XQf": "Turning Point. Cafes, Food. North Wales, PA"},
    ),
    "retailrocket": lambda: Example(
        {
            "archive.zip": zipped(
                {
                    "events.csv": (
                        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n1433224214164,992329,addtocart,248676,\n"
                        "1433222276276,599528,transaction,356475,4000\n"
                    ),
                    "category_tree.csv": "",
                    "item_properties_part1.csv": "",
                }
            )
        },
        ("view", "addtocart", "transaction"),
        3,
        ("257597", "355908", 1_433_221_332, 1, 0, 0),
        {"355908": "355908"},
    ),
    "open-bandit": lambda: Example(
        {
            "open_bandit_dataset.zip": zipped(
                {
                    "open_bandit_dataset/bts/men/men.csv": (
                        ",timestamp,item_id,position,click,propensity_score,user_feature_0,user_feature_1,user_feature_2,user_feature_3,"
                        "user-item_affinity_0,user-item_affinity_1\n"
                        "0,2019-11-24 00:00:03.800821+00:00,1,2,0,0.029411764705882,cef3,03a5,c1da,4ae3,0.0,0.0\n"
                        "1,2019-11-24 00:00:04.800821+00:00,0,1,1,0.029411764705882,81ce,03a5,ae28,4ae3,0.0,1.0\n"
                    ),
                    "open_bandit_dataset/bts/men/item_context.csv": (
                        ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n0,0,-0.49,a1,b1,c1\n1,1,0.73,a2,b1,c2\n"
                    ),
                    "open_bandit_dataset/random/all/all.csv": "",
                    "open_bandit_dataset/README.md": "",
                }
            )
        },
        ("click",),
        2,
        (None, "1", 1_574_553_603, 0),
        {"0": "a1 b1 c1", "1": "a2 b1 c2"},
        part="bts/men",
    ),
    "coat": lambda: Example(
        {
            "coat.zip": zipped(
                {
                    "coat/train.ascii": "0 5 0\n3 0 1\n",
                    "coat/test.ascii": "1 0 0\n0 4 0\n",
                    "coat/propensities.ascii": "0.1 0.2 0.1\n0.1 0.1 0.1\n",
                    "coat/README.txt": "",
                }
            )
        },
        (),
        0,
        (),
        {"item-0": "item-0"},
    ),
}


def load(name: str, folder: Path, example: Example) -> Data:
    """The data of a set whose files lie in `folder`, fetched and read by its preset."""
    folder.mkdir(exist_ok=True)
    for file, content in example.files.items():
        (folder / file).write_bytes(content)
    described = find_set(name, example.part)
    # files that are made up have neither the size nor the checksums of the published ones
    described = replace(described, files=tuple(replace(file, size=None, checksums=()) for file in described.files))
    fetched = fetch(described, folder, accept=lambda: True, report=print, progress_of=lambda _: nullcontext(lambda *_: None))
    settings = [f'dataset.{key}="{path}"' for key, path in fetched.settings.items()]
    cfg = compose_config([f"dataset={described.preset}", *settings], app=DESCRIBE)
    return build(component_of(Kind.DATASET, cfg.dataset), cfg.dataset).load()


def test_every_set_has_an_example():
    assert list(EXAMPLES) == list(public_sets())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_set_is_read_by_its_preset(name, tmp_path):
    example = EXAMPLES[name]()
    data = load(name, tmp_path / "a folder", example)
    texts = dict(zip(data.catalog.ids, data.catalog.texts, strict=True))
    assert {item: texts[item] for item in example.texts} == example.texts
    if name == "coat":
        assert data.ratings.nan_to_num(0).tolist() == [[0, 5, 0], [3, 0, 1], [1, 0, 0], [0, 4, 0]]
        assert data.held_out.tolist() == [False, False, True, True]
        return
    assert data.interactions.feedback == example.signals
    assert len(data.interactions) == example.rows
    first = data.interactions.frame.sort("timestamp", maintain_order=True).row(0, named=True)
    user, item, time, *signals = example.first
    assert user in (None, data.users.ids[first["user"]])
    assert (data.catalog.ids[first["item"]], first["timestamp"]) == (item, time)
    assert [first[signal] for signal in example.signals] == pytest.approx(signals)


def test_a_rating_of_goodreads_that_is_none_is_not_known(tmp_path):
    frame = load("goodreads", tmp_path / "goodreads", EXAMPLES["goodreads"]()).interactions.frame
    rating = frame["rating"].to_list()
    assert rating[0] == 4
    assert rating[1] is None or rating[1] != rating[1]


def test_a_sequence_of_mind_is_a_user_as_the_news_of_an_impression_have_no_order(tmp_path):
    frame = load("mind-small", tmp_path / "mind", EXAMPLES["mind-small"]()).interactions.frame
    assert "session" not in frame.columns
    # one impression has one time
    assert sorted(frame.group_by("timestamp").len()["len"]) == [2, 3]


def test_the_decisions_of_open_bandit_have_propensities_and_places(tmp_path):
    frame = load("open-bandit", tmp_path / "bandit", EXAMPLES["open-bandit"]()).interactions.frame
    assert frame["propensity"].to_list() == pytest.approx([0.029411764705882] * 2)
    assert sorted(frame["position"].to_list()) == [0, 1]


# --- files of another layout


@pytest.mark.parametrize(
    ("name", "file", "content", "words"),
    [
        ("steam", "steam_reviews.json.gz", gzip.compress(b"__import__('os').system('true')\n"), r"steam_reviews.json.gz:1: cannot be read"),
        ("steam", "steam_reviews.json.gz", gzip.compress(b"(" * 100_000 + b"\n"), r"steam_reviews.json.gz:1: cannot be read"),
        ("steam", "steam_reviews.json.gz", gzip.compress(b"[1]\n"), r":1: cannot be read \(not a record\)"),
        (
            "steam",
            "steam_reviews.json.gz",
            gzip.compress(b"{'product_id': '1', 'date': 'Friday', 'username': 'u'}\n"),
            "'Friday' is not a time",
        ),
        ("goodreads", "goodreads_interactions_poetry.json.gz", lines_of({"book_id": "1"}), r":1: has no field 'date_added'"),
        ("goodreads", "goodreads_interactions_poetry.json.gz", lines_of({"a": 1})[:-12], "cannot be read"),
        ("goodreads", "goodreads_books_poetry.json.gz", b"plain text", "cannot be read"),
        ("mind-small", "MINDsmall_train.zip", zipped({"behaviors.tsv": "1\t2\n", "news.tsv": ""}), "behaviors.tsv:1: has 2 fields"),
        (
            "mind-small",
            "MINDsmall_train.zip",
            zipped({"behaviors.tsv": "1\tU\t11/11/2019 9:05:58 AM\t\tN1-2\n", "news.tsv": ""}),
            "'N1-2' is not a news with its click",
        ),
        ("mind-small", "MINDsmall_train.zip", zipped({"behaviors.tsv": b"\xff", "news.tsv": b"\xff"}), "a file cannot be converted"),
        ("amazon-reviews-2023", "Books.csv.gz", gzip.compress(b"user,item\n1,2\n"), "Books.csv.gz: cannot be read"),
        ("kuairec", "kuairec_caption_category.csv", b"video,words\n1,2\n", "has no column video_id, caption"),
        (
            "ml-100k",
            "ml-100k.zip",
            zipped({f"ml-100k/{name}": "1|a|b\n" for name in ("u.item", "u.data", "u.genre", "u.user", "README")}),
            "u.item:1",
        ),
        ("yelp", "Yelp-JSON.zip", zipped({"Yelp JSON/other.tar": b""}), "lacks yelp_dataset.tar"),
    ],
    # the contents of compressed files differ from process to process
    ids=itertools.count(),
)
def test_a_file_of_another_layout_is_refused_in_a_line(name, file, content, words, tmp_path):
    example = EXAMPLES[name]()
    example.files[file] = content
    with pytest.raises(FetchError, match=words) as caught:
        load(name, tmp_path / "set", example)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "set").rglob("*.new"))
