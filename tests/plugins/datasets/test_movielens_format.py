import logging
from pathlib import Path

import polars as pl
import pytest
import torch

from recframe.interfaces import Data, DataError
from recframe_plugins.datasets.files import text_lines
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.movielens_format import MovieLensFormat

MOVIES = [("10", "Alien (1979)", "Horror|Sci-Fi"), ("20", "American President, The (1995)", "Comedy"), ("30", "Untitled", "")]
RATINGS = [("7", "20", "3.5", "300"), ("5", "10", "4", "200"), ("7", "10", "5", "100")]


def write_dat(folder: Path, movies=MOVIES, ratings=RATINGS, encoding: str = "utf-8", newline: str = "\n") -> Path:
    for name, rows in (("movies.dat", movies), ("ratings.dat", ratings)):
        text = "".join((row if isinstance(row, str) else "::".join(row)) + newline for row in rows)
        (folder / name).write_bytes(text.encode(encoding))
    return folder


def write_csv(folder: Path, movies=MOVIES, ratings=RATINGS) -> Path:
    def field(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if "," in value or '"' in value else value

    for name, header, rows in (("movies.csv", "movieId,title,genres", movies), ("ratings.csv", "userId,movieId,rating,timestamp", ratings)):
        lines = [header, *(row if isinstance(row, str) else ",".join(map(field, row)) for row in rows)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def load(folder: Path, **options) -> Data:
    return MovieLensFormat(MovieLensFormatConfig(path=str(folder), **options)).load()


def same(a: Data, b: Data) -> bool:
    return (
        (a.catalog.ids, a.catalog.texts, a.users.ids) == (b.catalog.ids, b.catalog.texts, b.users.ids)
        and a.catalog.attributes.equals(b.catalog.attributes)
        and torch.equal(a.catalog.popularity, b.catalog.popularity)
        and a.interactions.frame.equals(b.interactions.frame)
    )


def test_items_users_and_ratings_are_read(tmp_path):
    data = load(write_dat(tmp_path))
    assert data.catalog.ids == ["10", "20", "30"]
    assert data.catalog.attributes.to_dict(as_series=False) == {
        "title": ["Alien", "American President, The", "Untitled"],
        "year": [1979, 1995, None],
        "genres": [["Horror", "Sci-Fi"], ["Comedy"], []],
    }
    assert data.catalog.popularity.tolist() == [2, 1, 0]
    assert data.users.ids == ["7", "5"]
    assert data.users.profiles is None
    assert data.interactions.feedback == ("rating",)
    assert data.interactions.frame.equals(
        pl.DataFrame({"user": [0, 1, 0], "item": [0, 0, 1], "timestamp": [100, 200, 300], "rating": [5.0, 4.0, 3.5]})
    )


def test_both_layouts_give_equal_data_for_equal_content(tmp_path):
    movies = [*MOVIES, ("40", 'The "Real" Thing: Part 1, 2 (2001)', "Drama"), ("50", "Amélie (2001)", "Comedy|Romance")]
    (tmp_path / "dat").mkdir()
    (tmp_path / "csv").mkdir()
    assert same(load(write_dat(tmp_path / "dat", movies)), load(write_csv(tmp_path / "csv", movies)))


def test_csv_columns_are_found_by_name(tmp_path):
    plain, wider = tmp_path / "plain", tmp_path / "wider"
    plain.mkdir()
    wider.mkdir()
    write_csv(plain)
    (wider / "movies.csv").write_text(
        'title,movieId,imdb,genres\nAlien (1979),10,x,Horror|Sci-Fi\n"American President, The (1995)",20,,Comedy\nUntitled,30,,\n'
    )
    (wider / "ratings.csv").write_text('timestamp,userId,movieId,rating\n300,7,20,3.5\n200,"5","10",4\n100,7,10,5\n')
    assert same(load(plain), load(wider))


@pytest.mark.parametrize("encoding", ["auto", "latin-1"])
def test_latin1_files_are_decoded(tmp_path, encoding):
    movies = [("1", "Amélie (2001)", "Comedy"), ("2", "Y tu mamá también (2001)", "Drama")]
    data = load(write_dat(tmp_path, movies, [("1", "1", "5", "1")], encoding="latin-1"), encoding=encoding)
    assert data.catalog.titles == ["Amélie", "Y tu mamá también"]


def test_line_ends_blank_lines_and_byte_order_mark_do_not_matter(tmp_path):
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    plain.mkdir()
    odd.mkdir()
    write_dat(plain)
    write_dat(odd, newline="\r\n")
    movies, ratings = odd / "movies.dat", odd / "ratings.dat"
    movies.write_bytes(b"\xef\xbb\xbf" + movies.read_bytes() + b"\r\n  \n")
    ratings.write_bytes(b"\n" + ratings.read_bytes().rstrip())
    assert same(load(plain), load(odd))


def test_title_can_contain_the_separator_or_quotes(tmp_path):
    movies = [("1", 'Mission::Kashmir "Redux" (2000)', "Action"), ("2", "Kung Fu: (1972-1975)", "Drama"), ("3", "(1999)", "Drama")]
    data = load(write_dat(tmp_path, movies, [("1", "1", "5", "1")]))
    assert data.catalog.titles == ['Mission::Kashmir "Redux"', "Kung Fu:", "(1999)"]
    assert data.catalog.attributes["year"].to_list() == [2000, 1972, 1999]


def test_no_genres_listed_gives_an_empty_list(tmp_path):
    data = load(write_csv(tmp_path, [("1", "Green (2005)", "(no genres listed)")], [("1", "1", "5", "1")]))
    assert data.catalog.attributes["genres"].to_list() == [[]]
    assert data.catalog.texts == ["Green (2005)."]


def test_last_of_repeated_ratings_counts_by_timestamp_and_then_row(tmp_path):
    ratings = [("1", "10", "1", "50"), ("1", "10", "2", "90"), ("1", "10", "3", "90"), ("1", "10", "4", "70"), ("2", "10", "9", "60")]
    data = load(write_dat(tmp_path, ratings=ratings))
    assert data.interactions.frame.select("user", "rating", "timestamp").rows() == [(1, 9.0, 60), (0, 3.0, 90)]
    assert data.catalog.popularity.tolist() == [2, 0, 0]


def test_interactions_are_sorted_by_timestamp_then_user_then_row(tmp_path):
    ratings = [("a", "10", "1", "9"), ("b", "20", "1", "5"), ("b", "10", "1", "5"), ("a", "20", "1", "5"), ("c", "10", "1", "1")]
    frame = load(write_dat(tmp_path, ratings=ratings)).interactions.frame
    assert frame.select("timestamp", "user", "item").rows() == [(1, 2, 0), (5, 0, 1), (5, 1, 1), (5, 1, 0), (9, 0, 0)]


BAD_RATINGS = [
    ("1::10::4", "wrong number of fields", "'1::10::4' is not 4 fields, expected userId::movieId::rating::timestamp"),
    ("1::10::4::5::6", "wrong number of fields", "'1::10::4::5::6' is not 4 fields"),
    ("1::10::good::5", "bad rating", "rating 'good' is not a finite number"),
    ("1::10::nan::5", "bad rating", "rating 'nan' is not a finite number"),
    ("1::10::inf::5", "bad rating", "rating 'inf' is not a finite number"),
    ("1::10::::5", "bad rating", "rating '' is not a finite number"),
    ("1::10::4::soon", "bad timestamp", "timestamp 'soon' is not in unix seconds"),
    ("1::10::4::1.5", "bad timestamp", "timestamp '1.5' is not in unix seconds"),
    ("1::10::4::-3", "bad timestamp", "timestamp '-3' is not in unix seconds"),
    ("1::99::4::5", "unknown item", "item '99' is not in movies.dat, expected an id from there"),
    ("::10::4::5", "empty id", "empty user id"),
    ("1::::4::5", "empty id", "empty item id"),
]
BAD_MOVIES = [
    ("11::Aliens (1986)", "wrong number of fields", "'11::Aliens (1986)' is not 3 fields, expected movieId::title::genres"),
    ("::Aliens (1986)::Action", "empty id", "empty item id"),
    ("11::::Action", "empty title", "empty title, expected one such as 'Alien (1979)'"),
    ("10::Aliens (1986)::Action", "duplicate item id", "item '10' is already on line 1, expected each id once"),
]


@pytest.mark.parametrize(("row", "reason", "problem"), BAD_RATINGS)
def test_malformed_rating_is_an_error_or_skipped(tmp_path, caplog, row, reason, problem):
    check_malformed(tmp_path, caplog, {"ratings": [RATINGS[0], row, *RATINGS[1:]]}, "ratings.dat", reason, problem)


@pytest.mark.parametrize(("row", "reason", "problem"), BAD_MOVIES)
def test_malformed_movie_is_an_error_or_skipped(tmp_path, caplog, row, reason, problem):
    check_malformed(tmp_path, caplog, {"movies": [MOVIES[0], row, *MOVIES[1:]]}, "movies.dat", reason, problem)


def check_malformed(tmp_path, caplog, rows, file, reason, problem):
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    clean.mkdir()
    dirty.mkdir()
    write_dat(clean)
    write_dat(dirty, **rows)
    with pytest.raises(DataError) as caught:
        load(dirty)
    message = str(caught.value)
    assert f"{dirty / file}:2: {problem}" in message
    assert f"1 malformed row(s) (1 {reason})" in message
    assert "dataset.malformed=skip" in message
    with caplog.at_level(logging.WARNING):
        assert same(load(dirty, malformed="skip"), load(clean))
    assert len(caplog.records) == 1
    assert f"1 malformed row(s) (1 {reason}); the first is {dirty / file}:2: {problem}" in caplog.text


def test_undecodable_bytes_in_a_utf8_file_are_malformed(tmp_path):
    write_dat(tmp_path, [("1", "Amélie (2001)", "Comedy"), ("2", "Zoë (2018)", "Drama")], [("1", "1", "5", "1")])
    with (tmp_path / "movies.dat").open("ab") as file:
        file.write("3::Alién (1979)::Horror\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"movies\.dat:3: bytes that are not UTF-8"):
        load(tmp_path)
    assert load(tmp_path, malformed="skip").catalog.ids == ["1", "2"]


def test_explicit_utf8_encoding_is_enforced(tmp_path):
    write_dat(tmp_path, [("1", "Amélie (2001)", "Comedy")], [("1", "1", "5", "1")], encoding="latin-1")
    with pytest.raises(DataError, match=r"movies\.dat:1: bytes that are not UTF-8.*dataset\.encoding=latin-1"):
        load(tmp_path, encoding="utf-8")


def test_malformed_csv_rows_are_named_by_their_line(tmp_path):
    write_csv(tmp_path, ratings=[RATINGS[0], "7,20,x,1", "", "7,20,1"], movies=[*MOVIES, '40,"Unclosed, The (2000),Drama'])
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert "movies.csv:5: '40,\"Unclosed, The (2000),Drama' is not 3 fields, expected movieId,title,genres" in message
    assert "ratings.csv:3: rating 'x'" in message
    assert "ratings.csv:5: '7,20,1' is not 4 fields, expected userId,movieId,rating,timestamp" in message


def test_five_malformed_rows_are_shown_and_all_are_counted(tmp_path, caplog):
    ratings = [*RATINGS, *[("1", "99", "4", "5")] * 6, ("1", "10", "x", "5")]
    write_dat(tmp_path, ratings=ratings, movies=[*MOVIES, "40"])
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    heading, *rows = str(caught.value).splitlines()
    assert heading.startswith("8 malformed row(s) (6 unknown item, 1 bad rating, 1 wrong number of fields)")
    assert [row.split(": ")[0].rsplit("/")[-1] for row in rows[:5]] == ["movies.dat:4", *(f"ratings.dat:{line}" for line in (4, 5, 6, 7))]
    assert rows[5:] == ["  and 3 more"]
    with caplog.at_level(logging.WARNING):
        load(tmp_path, malformed="skip")
    assert "left out 8 malformed row(s)" in caplog.text
    assert len(caplog.text.splitlines()) == 1


def test_reading_in_blocks_changes_neither_data_nor_line_numbers(tmp_path, monkeypatch):
    write_dat(tmp_path, ratings=[*RATINGS, "", ("5", "99", "4", "5"), ("5", "30", "4", "6")])
    whole = load(tmp_path, malformed="skip")
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 8)
    assert same(load(tmp_path, malformed="skip"), whole)
    with pytest.raises(DataError, match=r"ratings\.dat:5: item '99'"):
        load(tmp_path)


def test_users_and_items_are_renumbered_after_filtering(tmp_path):
    ratings = [("x", "30", "1", "1"), ("y", "20", "2", "2"), ("y", "30", "3", "3"), ("z", "20", "4", "4"), ("z", "30", "5", "5")]
    data = load(write_dat(tmp_path, ratings=ratings), min_user_ratings=2, min_item_ratings=1)
    assert data.catalog.ids == ["20", "30"]
    assert data.users.ids == ["y", "z"]
    assert data.interactions.frame.select("user", "item", "rating").rows() == [(0, 0, 2.0), (0, 1, 3.0), (1, 0, 4.0), (1, 1, 5.0)]
    assert data.catalog.popularity.tolist() == [2, 2]


def test_minima_that_leave_no_rating_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no interaction is left with dataset\.min_user_ratings=9 and dataset\.min_item_ratings=0"):
        load(write_dat(tmp_path), min_user_ratings=9)


def test_missing_files_of_a_folder_are_named(tmp_path):
    with pytest.raises(DataError) as caught:
        load(tmp_path / "nowhere")
    assert str(caught.value).startswith(f"dataset.path={tmp_path / 'nowhere'}: there is no such folder; expected a folder with movies.dat")
    write_dat(tmp_path)
    (tmp_path / "ratings.dat").rename(tmp_path / "ratings.csv")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert "it lacks ratings.dat, movies.csv; expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_column_of_a_header_is_named(tmp_path):
    write_csv(tmp_path)
    (tmp_path / "ratings.csv").write_text("7,20,3.5,300\n")
    with pytest.raises(DataError, match=r"ratings\.csv:1: the header '7,20,3\.5,300' lacks userId, movieId, rating; expected"):
        load(tmp_path)


@pytest.mark.parametrize("empty", ["movies.dat", "ratings.dat"])
def test_empty_files_are_refused(tmp_path, empty):
    write_dat(tmp_path)
    (tmp_path / empty).write_bytes(b"")
    with pytest.raises(DataError, match=r"ratings\.dat: holds no usable rating"):
        load(tmp_path, malformed="skip")


def test_item_texts_follow_the_template(tmp_path):
    assert load(write_dat(tmp_path)).catalog.texts == [
        "Alien (1979). Horror, Sci-Fi",
        "American President, The (1995). Comedy",
        "Untitled.",
    ]
    assert load(tmp_path, text_template="{genres}: {title}").catalog.texts[0] == "Horror, Sci-Fi: Alien"
    with pytest.raises(DataError, match=r"unknown placeholder \{plot\}; expected \{title\}, \{year\}, \{genres\}"):
        load(tmp_path, text_template="{title} {plot}")


class TestMovieTweetings:
    def test_all_of_it_loads(self, movietweetings):
        data = load(movietweetings)
        assert (len(data.catalog), len(data.users), len(data.interactions)) == (10_506, 16_554, 100_000)
        assert data.catalog.popularity.sum() == 100_000
        assert data.catalog.texts[0] == "Fantômas - À l'ombre de la guillotine (1913). Crime, Drama"
        assert same(data, load(movietweetings))

    def test_its_5_core_has_the_known_size(self, movietweetings):
        data = load(movietweetings, min_user_ratings=5, min_item_ratings=5)
        assert (len(data.users), len(data.catalog), len(data.interactions)) == (4_333, 2_414, 68_055)
        assert data.catalog.popularity.min() >= 5
        assert data.interactions.frame["timestamp"].is_sorted()
