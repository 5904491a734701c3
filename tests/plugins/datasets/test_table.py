"""The dataset table: formats, roles of columns, tables of items and users, times, feedback, order."""

import gzip
import io
import logging
import zipfile
from pathlib import Path

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.config import ConfigError, compose_config
from recframe.config.checks.validate import find_problems
from recframe.interfaces import Data, DataError
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.table.config import TableConfig
from recframe_plugins.datasets.table.table import Table

COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
ROWS = [("u1", "b", 4.0, 978300860), ("u2", "a", 3.5, 978300760), ("u1", "a", 5.0, 978300960)]
FRAME = pl.DataFrame(ROWS, COLUMNS, orient="row")
# in the order of time; users are numbered by their first row in the file, and so are items
EXPECTED = pl.DataFrame({"user": [1, 0, 0], "item": [1, 0, 1], "timestamp": [978300760, 978300860, 978300960], "rating": [3.5, 4.0, 5.0]})


def load(path: Path, **options) -> Data:
    return Table(TableConfig(interactions=str(path), **options)).load()


@pytest.fixture
def log(tmp_path):
    """`log(content, name)`: the path of a file with this content."""

    def log(content: str | bytes = FRAME.write_csv(), name: str = "log.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return log


@pytest.fixture
def said(caplog):
    """What was logged, as one text."""
    caplog.set_level(logging.INFO)
    return lambda: "\n".join(record.getMessage() for record in caplog.records)


def parquet(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_parquet(content)
    return content.getvalue()


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("folder/", "")
        archive.writestr("folder/log.csv", content)
        archive.writestr("__MACOSX/log.csv", "x")
    return packed.getvalue()


CSV = FRAME.write_csv().encode()
FORMATS = {
    "log.csv": CSV,
    "log.tsv": FRAME.write_csv(separator="\t"),
    "semicolons.csv": FRAME.write_csv(separator=";"),
    "pipes.csv": FRAME.write_csv(separator="|"),
    "colons.dat": FRAME.write_csv().replace(",", "::"),
    "blanks.txt": FRAME.write_csv(separator=" "),
    "quoted.csv": FRAME.write_csv(quote_style="always"),
    "log.parquet": parquet(FRAME),
    "log.jsonl": FRAME.write_ndjson(),
    "blank_lines.json": FRAME.write_ndjson().replace("\n", "\n\n"),
    "log.csv.gz": gzip.compress(CSV),
    "log.jsonl.gz": gzip.compress(FRAME.write_ndjson().encode()),
    "log.parquet.gz": gzip.compress(parquet(FRAME)),
    "log.zip": zipped(CSV),
    "crlf.csv": CSV.replace(b"\n", b"\r\n"),
    "bom.csv": b"\xef\xbb\xbf" + CSV,
    "utf16.csv": FRAME.write_csv().encode("utf-16"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_interactions(log, name):
    data = load(log(FORMATS[name], name))
    assert data.interactions.frame.equals(EXPECTED)
    assert data.interactions.feedback == ("rating",)
    assert data.users.ids == ["u1", "u2"]
    assert data.catalog.ids == data.catalog.titles == data.catalog.texts == ["b", "a"]
    assert data.catalog.popularity.tolist() == [1, 2]


def test_what_was_found_is_said_in_one_line(log, said):
    load(log("uid;Movie_ID;stars;ts;age\nu;a;4;978300860;9\nv;b;5;978300960;9\n"))
    assert "log.csv: user = uid, item = Movie_ID, time = ts, rating = stars; ';' between the fields; not used: age" in said()


def test_columns_that_are_named_go_before_found_ones(log):
    content = "user_id,item_id,who,what,stars,likes,timestamp\nu,a,x,p,4,7,978300860\nu,a,y,q,5,8,978300960\n"
    data = load(log(content), columns={"user": "who", "item": "what"}, feedback={"rating": "likes"})
    assert (data.users.ids, data.catalog.ids) == (["x", "y"], ["p", "q"])
    assert data.interactions.frame["rating"].to_list() == [7, 8]


def test_columns_of_a_file_without_header_are_numbered(log):
    data = load(
        log("u\t7\t3\t881250949\nv\t8\t4\t881250950\n", "u.data"), columns={"user": "1", "item": "2", "time": "4"}, feedback={"rating": "3"}
    )
    assert data.users.ids == ["u", "v"]
    assert data.interactions.frame.rows() == [(0, 0, 881250949, 3.0), (1, 1, 881250950, 4.0)]


def test_names_of_events_become_signals(log):
    content = "timestamp,visitorid,event,itemid\n1433221332117,1,view,5\n1433224214164,1,transaction,5\n1433221999827,2,view,6\n"
    data = load(log(content), feedback={"click": "event:view", "purchase": "event:transaction"})
    assert data.interactions.frame.select("timestamp", "click", "purchase").rows() == [
        (1433221332, 1.0, 0.0),
        (1433221999, 1.0, 0.0),
        (1433224214, 0.0, 1.0),
    ]


def test_columns_named_like_feedback_become_signals_of_the_framework(log):
    content = "user,item,stars,is_click,dwell_time,purchased,watch_ratio,price\nu,a,4,true,2.5,0,1.5,9\nv,b,5,false,3.5,1,0.5,9\n"
    data = load(log(content))
    assert data.interactions.feedback == ("rating", "click", "dwell", "purchase", "watch_ratio")
    assert data.interactions.frame["click"].to_list() == [1.0, 0.0]


def test_a_log_without_feedback_is_implicit(log):
    data = load(log("user,item\nu,a\nv,b\n"))
    assert data.interactions.feedback == ()
    assert data.interactions.frame["timestamp"].to_list() == [2, 3]


def test_missing_feedback_is_nan(log):
    frame = load(log("user,item,rating,timestamp\nu,a,,978300860\nv,b,5,978300861\n")).interactions.frame
    assert frame["rating"].is_nan().to_list() == [True, False]


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("1700000000", "s"),
        ("1700000000.9", "s"),
        ("1.7e9", "s"),
        ("1700000000123", "ms"),
        ("1700000000123456", "us"),
        ("1700000000123456789", "ns"),
        ("2023-11-14T22:13:20Z", "iso"),
        ("2023-11-14 22:13:20", "iso"),
        ("2023-11-14 22:13:20.123", "iso"),
        ("2023-11-14 23:13:20+01:00", "iso"),
        ("Tue Nov 14 14:13:20 -0800 2023", "iso"),
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_times_are_read_in_the_unit_they_are_in(log, value, unit, given):
    options = {"time_unit": unit} if given else {}
    frame = load(log(f"user,item,time\nu,a,{value}\nv,b,{value}\n"), **options).interactions.frame
    assert frame["timestamp"].to_list() == [1_700_000_000] * 2


def test_dates_of_a_day_are_its_first_second_and_types_of_parquet_are_used(log):
    assert load(log("user,item,date\nu,a,2023-11-14\nv,b,1970-01-02\n")).interactions.frame["timestamp"].to_list() == [86400, 1699920000]
    times = pl.Series([1_700_000_000_123, 1_700_000_001_000]).cast(pl.Datetime("ms", "UTC"))
    frame = pl.DataFrame({"user": [1, 2], "item": [3, 4], "time": times})
    assert load(log(parquet(frame), "a.parquet")).interactions.frame["timestamp"].to_list() == [1_700_000_000, 1_700_000_001]
    dates = frame.with_columns(pl.col("time").cast(pl.Date))
    assert load(log(parquet(dates), "b.parquet")).interactions.frame["timestamp"].to_list() == [1699920000] * 2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(10**8, 4_000_000_000), min_size=1, max_size=8),
    st.sampled_from([(1, "s"), (10**3, "ms"), (10**6, "us"), (10**9, "ns")]),
)
def test_whole_times_are_exact_in_every_unit(tmp_path_factory, seconds, unit):
    path = tmp_path_factory.getbasetemp() / "times.csv"
    path.write_text("user,item,time\n" + "".join(f"u,a,{second * unit[0] + unit[0] - 1}\n" for second in seconds))
    assert load(path).interactions.frame["timestamp"].to_list() == sorted(seconds)


def test_rows_of_one_time_stay_in_the_order_of_the_file(log):
    data = load(log("user,item,time\nu,b,978300860\nu,a,978300860\nu,c,978300860\nu,d,978300760\n"))
    assert [data.catalog.ids[item] for item in data.interactions.frame["item"]] == ["d", "b", "a", "c"]


FRACTIONS = {
    "seconds": ["978300860.9", "978300860.25", "978300860.5", "978300859"],
    "milliseconds": ["978300860900", "978300860250", "978300860500", "978300859000"],
    "nanoseconds": ["978300860900000003", "978300860900000001", "978300860900000002", "978300859000000000"],
    "dates": ["2000-12-31 22:14:20.9", "2000-12-31 22:14:20.25", "2000-12-31 22:14:20.5", "2000-12-31 22:14:19"],
}


@pytest.mark.parametrize("times", FRACTIONS.values(), ids=list(FRACTIONS))
def test_rows_of_one_second_are_in_the_order_of_its_fractions(log, times):
    rows = zip("abcd", times, strict=True)
    data = load(log("user,item,time\n" + "".join(f"u,{item},{time}\n" for item, time in rows)))
    assert [data.catalog.ids[item] for item in data.interactions.frame["item"]] == ["d", "b", "c", "a"]
    assert data.interactions.frame["timestamp"].to_list() == [978300859, *[978300860] * 3]
    assert data.interactions.frame.columns == ["user", "item", "timestamp"]


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_times_of_parquet_order_rows_within_a_second_too(log, unit):
    times = pl.Series([1_700_000_000_900, 1_700_000_000_100]).cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime(unit, "UTC"))
    dates = load(log(parquet(pl.DataFrame({"user": [1, 1], "item": ["a", "b"], "time": times})), "a.parquet"))
    assert dates.interactions.frame["item"].to_list() == [1, 0]
    seconds = load(log(parquet(pl.DataFrame({"user": [1, 1], "item": ["a", "b"], "time": [1.7e9 + 0.9, 1.7e9 + 0.1]})), "b.parquet"))
    assert seconds.interactions.frame["item"].to_list() == [1, 0]


def test_repeats_are_kept_or_only_the_last_in_time(log):
    content = "user,item,rating,time\nu,a,1,978300860\nu,a,2,978300960\nu,a,3,978300760\nv,a,4,978300760\n"
    assert load(log(content)).interactions.frame["rating"].to_list() == [3, 4, 1, 2]
    assert load(log(content), repeats="last").interactions.frame["rating"].to_list() == [4, 2]


def test_decisions_with_propensities_are_not_left_out_as_repeats_and_nothing_advises_it(log, caplog):
    caplog.set_level("INFO")
    path = log("user,item,click,propensity\nu,a,1,0.5\nu,a,0,0.5\nu,a,0,0.5\n")
    assert len(load(path).interactions) == 3
    assert "dataset.repeats" not in caplog.text
    with pytest.raises(DataError, match=r"^dataset.repeats=last: .*has propensities.* use dataset.repeats=keep$"):
        load(path, repeats="last")


def test_sessions_positions_propensities_and_texts_are_read(log):
    content = (
        "user,item,time,session_id,position,propensity,review\nu,a,978300860,s1,1,0.5,good\nu,b,978300861,s2,2,1,\n"
        'v,a,978300862,s1,1,0.25,"so, so"\nu,a,978300863,s1,2,0.5,bad\n'
    )
    data = load(log(content))
    assert data.interactions.frame.select("session", "position", "propensity", "text").rows() == [
        (0, 0, 0.5, "good"),
        (1, 1, 1.0, ""),
        (2, 0, 0.25, "so, so"),
        (0, 1, 0.5, "bad"),
    ]


def test_a_log_of_sessions_without_users_has_a_user_for_each_session(log, said):
    data = load(log("session_id,item_id,timestamp\n5,a,978300860\n6,a,978300861\n5,b,978300862\n"))
    assert data.users.ids == ["5", "6"]
    assert data.interactions.frame["session"].to_list() == [0, 1, 0]
    assert "no column holds users; each session in session_id is one" in said()


ITEMS = "movieId,title,genres,year,code,site\nb,Bambi,Drama|Family,1942,007,\nc,Casablanca,Drama|Romance,1942,010,x\na,Alien,,1979,100,y\n"


def test_a_table_of_items_gives_titles_attributes_with_types_and_texts(log):
    data = load(log(), items=str(log(ITEMS, "items.csv")), text_template="{title} ({year}). {genres}")
    assert data.catalog.ids == ["b", "c", "a"]
    assert data.catalog.attributes.to_dict(as_series=False) == {
        "title": ["Bambi", "Casablanca", "Alien"],
        "genres": [["Drama", "Family"], ["Drama", "Romance"], None],
        "year": [1942, 1942, 1979],
        "code": ["007", "010", "100"],
        "site": [None, "x", "y"],
    }
    assert data.catalog.texts == ["Bambi (1942). Drama, Family", "Casablanca (1942). Drama, Romance", "Alien (1979)."]
    assert data.catalog.popularity.tolist() == [1, 0, 2]


def test_items_that_only_the_log_has_come_after_those_of_the_table(log):
    data = load(log(), items=str(log("item_id,name,price\na,Alien,3\n", "items.csv")), text_template="{title}, {price}")
    assert data.catalog.ids == ["a", "b"]
    assert data.catalog.attributes.to_dict(as_series=False) == {"title": ["Alien", "b"], "price": [3, None]}
    assert data.catalog.texts == ["Alien, 3", "b"]


def test_named_columns_of_items_are_used(log):
    items = log("key,item_id,title,headline\na,9,T,Alien\nb,8,U,Bambi\n", "items.csv")
    data = load(log(), items=str(items), item_columns={"id": "key", "title": "headline"})
    assert data.catalog.titles == ["Alien", "Bambi"]
    assert data.catalog.attributes.columns == ["title", "item_id"]


def test_items_of_json_lines_keep_lists_and_numbers_match_text(log):
    interactions = log('{"user": 1, "item": 7, "rating": 4}\n{"user": 2, "item": 8, "rating": null}\n', "log.jsonl")
    items = log('{"id": "7", "title": "A", "tags": ["x", "y"]}\n{"id": "8", "title": "B", "tags": []}\n', "items.jsonl")
    data = load(interactions, items=str(items), text_template="{title}: {tags}")
    assert data.catalog.texts == ["A: x, y", "B"]
    assert data.interactions.frame["rating"].is_nan().to_list() == [False, True]


def test_a_table_of_users_gives_attributes_and_profiles(log):
    users = log("user_id,age,city\nu2,30,Graz\nu9,50,Linz\n", "users.csv")
    data = load(log(), users=str(users), profile_template="{age} years old, from {city}.")
    assert data.users.attributes.to_dict(as_series=False) == {"age": [None, 30], "city": [None, "Graz"]}
    assert data.users.profiles.texts == ["", "30 years old, from Graz."]
    assert load(log(), users=str(users)).users.profiles is None


def test_a_template_that_does_not_fit_is_refused_with_its_key(log):
    users = str(log("user_id,age\nu2,30\n", "users.csv"))
    with pytest.raises(DataError, match=r"dataset.profile_template='\{name\}': unknown placeholder \{name\}; expected \{age\}"):
        load(log(), users=users, profile_template="{name}")
    with pytest.raises(DataError, match=r"dataset\.text_template=.\{genres\}."):
        load(log(), text_template="{genres}")


def test_a_column_called_text_or_line_is_a_column_like_others(log):
    items = log("item_id,title,text,line\na,Alien,long,1\nb,Bambi,short,2\n", "items.csv")
    data = load(log(), items=str(items), text_template="{title}: {text}")
    assert data.catalog.texts == ["Alien: long", "Bambi: short"]
    with pytest.raises(DataError, match=r"log.csv:3: 'v,b' is not 3 fields"):
        load(log("user,item,text\nu,a,hello\nv,b\n"))


def test_large_files_are_read_in_blocks_like_small_ones(log, monkeypatch):
    from recframe_plugins.datasets.files import frames, text_lines

    rows = "".join(f'u{number % 7},"i{number % 5}",{number % 3},{978300760 + number}\n' for number in range(500))
    path, header = log("user,item,rating,time\n" + rows), "user,item,rating,time\n"
    binary = log(parquet(pl.read_csv(io.StringIO(header + rows))), "log.parquet")
    whole = load(path)
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 100)
    monkeypatch.setattr(frames, "BLOCK_ROWS", 30)
    for again in (load(path), load(binary)):
        assert again.interactions.frame.equals(whole.interactions.frame)
        assert again.catalog.ids == whole.catalog.ids


FIELD = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12).map(str.strip)


@settings(max_examples=80, deadline=None)
@given(st.lists(FIELD, min_size=2, max_size=6), st.sampled_from([",", ";", "\t", "|"]))
def test_titles_with_any_characters_survive_a_csv_file(tmp_path_factory, titles, separator):
    folder = tmp_path_factory.getbasetemp()
    ids = [f"i{number}" for number in range(len(titles))]
    (folder / "log.csv").write_text("user,item\n" + "".join(f"u,{one}\n" for one in ids))
    frame = pl.DataFrame({"item_id": ids, "title": titles, "note": ["x"] * len(ids)})
    frame.write_csv(folder / "items.csv", separator=separator)
    data = load(folder / "log.csv", items=str(folder / "items.csv"))
    assert data.catalog.titles == [title or one for title, one in zip(titles, ids, strict=True)]


def test_the_component_conforms(log):
    registered = []
    registration.recframe_register_components(registered.append)
    component = next(one for one in registered if one.name == "table")
    users = str(log("user_id,age\nu1,20\nu2,30\n", "users.csv"))
    config = TableConfig(interactions=str(log()), items=str(log(ITEMS, "items.csv")), users=users, profile_template="{age}")
    check_component(component, config)
    assert component.given({"profile_template": "{age}"}) == component.given({}) | {"users"}


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["+dataset.columns.usr=a"], "dataset.columns.usr: unknown role; expected user, item, time"),
        (["+dataset.feedback.user=a"], "dataset.feedback.user: cannot be the name of a signal"),
        (["+dataset.item_columns.id=a"], "dataset.item_columns is given, but dataset.items is null"),
        (["+dataset.user_columns.id=a"], "dataset.user_columns is given, but dataset.users is null"),
        (["dataset.profile_template='{age}'"], "dataset.profile_template is given, but dataset.users is null"),
        (["dataset.separator=''"], "dataset.separator='' cannot be between fields"),
        (["dataset.time_unit=minutes"], "dataset.time_unit: 'minutes' is not allowed"),
        (["dataset.pseudonymise=true"], "neither is given"),
        (["dataset.interactions=/no/such/file.csv"], "dataset.interactions: '/no/such/file.csv' does not exist"),
    ],
)
def test_mistakes_in_settings_are_reported_before_anything_is_read(log, overrides, problem):
    given = ["dataset=table", f"dataset.interactions={log()}", "environment=preference_model"]
    try:
        problems = find_problems(compose_config([*given, *overrides]))
    except ConfigError as error:
        problems = [str(error)]
    assert any(problem in line for line in problems), problems


def test_a_table_of_items_may_have_any_attribute(log):
    given = ["dataset=table", f"dataset.interactions={log()}", "environment=preference_model", "reward=[fairness]"]
    given += ["reward.fairness.attribute=genres"]
    assert find_problems(compose_config([*given, f"dataset.items={log(ITEMS, 'items.csv')}"])) == []
    with pytest.raises(ConfigError, match=r"needs a catalogue attribute 'genres', which dataset=table does not give \(it gives: title\)"):
        compose_config(given)


def test_features_are_none_and_the_source_is_the_file(log):
    path = log()
    interactions = load(path).interactions
    assert interactions.features is None
    assert interactions.source == str(path)
    assert interactions.frame.schema == {"user": pl.Int64, "item": pl.Int64, "timestamp": pl.Int64, "rating": pl.Float64}
    assert load(path).catalog.popularity.dtype == torch.float32


@pytest.mark.parametrize("content", ["1 5 6 7\n2 8 9\n", "u1,a,b,c\nu2,d\n", "u1,a,a,b\nu2,d\n", "u1\ta,b,c\nu2\td,e\n"])
def test_a_file_of_one_line_a_user_is_one_for_another_dataset(log, content):
    with pytest.raises(DataError, match=r"log.csv:1: .*if each line is a user's id and then items, use dataset=sequences$"):
        load(log(content))
    with pytest.raises(DataError) as raised:
        load(log("user,thing\n1,2\n"))
    assert "sequences" not in str(raised.value)
