"""Files as other programs write them: encodings, line ends, separators, quotes, headers, archives, and files without timestamps."""

import gzip
import logging
import zipfile
from pathlib import Path

import pytest

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.interfaces import Data, DataError
from recframe_plugins.datasets.files import text_lines
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.movielens_format import MovieLensFormat

MOVIES = "movieId,title,genres\n1,Alien (1979),Horror\n2,Bambi (1942),\n"
RATINGS = "userId,movieId,rating,timestamp\n7,1,5,100\n8,2,4,200\n"


def load(folder: Path, **options) -> Data:
    return MovieLensFormat(MovieLensFormatConfig(path=str(folder), **options)).load()


@pytest.fixture
def files(tmp_path):
    """`files(movies=..., ratings=...)`: a folder with movies.csv and ratings.csv of this content; `kind=".dat"` for the other layout."""

    def files(movies: str | bytes = MOVIES, ratings: str | bytes = RATINGS, kind: str = ".csv") -> Path:
        for name, content in (("movies", movies), ("ratings", ratings)):
            (tmp_path / f"{name}{kind}").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return files


def refused(folder: Path, **options) -> str:
    """The one-line error message, or those of malformed rows, without the folder."""
    with pytest.raises(DataError) as caught:
        load(folder, **options)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("encoding", ["auto", "latin-1"])
def test_curly_quotes_and_dashes_of_cp1252_are_read(files, encoding, caplog):
    movies = MOVIES + "3,\u201cReal\u201d Thing \u2013 Caf\u00e9 \u20ac (2001),Drama\n"
    with caplog.at_level(logging.INFO):
        data = load(files(movies.encode("cp1252")), encoding=encoding)
    assert data.catalog.titles[2] == "\u201cReal\u201d Thing \u2013 Caf\u00e9 \u20ac"
    assert "movies.csv: read as cp1252" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("option", ["auto", "utf-8", "latin-1"])
def test_byte_order_mark_decides_the_encoding(files, encoding, option):
    movies = MOVIES + "3,Am\u00e9lie \u2013 \u0926\u093f\u0928 (2001),Comedy\n"
    data = load(files(movies.encode(encoding), RATINGS.encode(encoding)), encoding=option)
    assert data.catalog.titles == ["Alien", "Bambi", "Am\u00e9lie \u2013 \u0926\u093f\u0928"]


def test_utf16_that_is_broken_or_unmarked_is_refused_in_one_line(files):
    broken = MOVIES.encode("utf-16")[:-1]
    assert refused(files(broken)).startswith(f"movies.csv: begins like UTF-16, but byte {len(broken)} is not")
    assert refused(files(MOVIES.encode("utf-16-le"))).startswith("movies.csv: holds zero bytes, expected text in UTF-8")


@pytest.mark.parametrize("kind", [".csv", ".dat"])
def test_lines_may_end_with_cr_alone(files, kind):
    movies, ratings = MOVIES, RATINGS
    if kind == ".dat":
        movies, ratings = (text.split("\n", 1)[1].replace(",", "::") for text in (movies, ratings))
    data = load(files(movies.replace("\n", "\r"), ratings.replace("\n", "\r"), kind))
    assert data.catalog.titles == ["Alien", "Bambi"]
    assert data.users.ids == ["7", "8"]


@pytest.mark.parametrize(("separator", "name"), [(";", "';'"), ("\t", "tabs")])
def test_semicolons_and_tabs_between_fields_are_recognised_and_logged(files, separator, name, caplog):
    movies = MOVIES.replace(",", separator) + f'3{separator}"A{separator} B, C (1990)"{separator}Drama\n'
    with caplog.at_level(logging.INFO):
        data = load(files(movies, RATINGS.replace(",", separator)))
    assert data.catalog.titles == ["Alien", "Bambi", f"A{separator} B, C"]
    assert f"movies.csv: {name} are between the fields" in caplog.text
    assert f"ratings.csv: {name} are between the fields" in caplog.text


def test_quoted_titles_may_have_line_ends_and_quotes(files):
    movies = MOVIES + '3,"Two\nlines, and\n\nfour (1990)",Drama\n4,"He said ""no"" (1991)",\n5,"She said \\"yes\\", once (1992)",Drama\n'
    data = load(files(movies + "6,Last (1993),Drama\n"))
    assert data.catalog.ids == ["1", "2", "3", "4", "5", "6"]
    assert data.catalog.titles[2:] == ["Two lines, and four", 'He said "no"', 'She said "yes", once', "Last"]


def test_quoted_titles_may_have_line_ends_of_windows_and_span_blocks(files, monkeypatch):
    movies = (MOVIES + '3,"Two\nlines (1990)",Drama\n4,"Three\nmore\nlines (1990)",Drama\n5,Plain,\n').replace("\n", "\r\n")
    monkeypatch.setattr(text_lines, "BLOCK_BYTES", 8)
    assert load(files(movies)).catalog.titles[2:] == ["Two lines", "Three more lines", "Plain"]


def test_other_columns_of_the_ratings_may_hold_text_with_line_ends(files):
    ratings = 'userId,movieId,rating,timestamp,text\n7,1,5,100,"Good.\nVery, very good."\n8,2,4,200,\n'
    assert load(files(ratings=ratings)).interactions.frame["rating"].to_list() == [5.0, 4.0]


def test_a_quote_that_is_not_closed_spoils_its_own_line_only(files, caplog):
    movies = MOVIES + '3,"Unclosed, The (2000),Drama\n4,"Fine, The (2001)",Drama\n5,"Two\nlines (1990)",Drama\n'
    assert "movies.csv:4: '3,\"Unclosed, The (2000),Drama' is not 3 fields" in refused(files(movies))
    assert load(files(movies), malformed="skip").catalog.ids == ["1", "2", "4", "5"]
    assert "left out 1 malformed row(s)" in caplog.text


def test_malformed_rows_below_a_title_of_several_lines_are_named_by_their_line(files):
    assert "movies.csv:6: '4,x' is not 3 fields" in refused(files(MOVIES + '3,"Two\nlines",Drama\n4,x\n'))


@pytest.mark.parametrize("header", ["movieId::title::genres", "MovieID::Title::Genres", "movie_id::title::genre"])
def test_header_of_a_dat_file_is_left_out_and_logged(files, header, caplog):
    data = load(files(f"{header}\n1::Alien (1979)::Horror\n", "UserID::MovieID::Rating::Timestamp\n7::1::5::100\n", ".dat"))
    assert data.catalog.titles == ["Alien"]
    assert len(data.interactions) == 1
    assert f"movies.dat:1: left out as a header: {header}" in caplog.text
    assert "ratings.dat:1: left out as a header" in caplog.text


def test_a_film_called_title_is_a_film(files):
    assert load(files("1::Title::Genres\n", "7::1::5::100\n", ".dat")).catalog.titles == ["Title"]


@pytest.mark.parametrize(
    ("kind", "movies", "ratings"),
    [
        (".csv", MOVIES, "userId,movieId,rating\n8,2,4\n7,1,5\n8,2,3\n"),
        (".dat", "1::Alien (1979)::Horror\n2::Bambi (1942)::\n", "8::2::4\n7::1::5\n8::2::3\n"),
        (".dat", "1::Alien (1979)::Horror\n2::Bambi (1942)::\n", "userId::movieId::rating\n8::2::4\n7::1::5\n8::2::3\n"),
    ],
)
def test_without_timestamps_the_order_of_the_rows_counts(files, kind, movies, ratings, caplog):
    data = load(files(movies, ratings, kind))
    # the later one of two ratings of an item counts
    assert data.interactions.frame.select("user", "item", "rating").rows() == [(1, 0, 5.0), (0, 1, 3.0)]
    assert data.interactions.frame["timestamp"].is_sorted()
    assert "has no timestamps; the order of its rows stands for the order in time" in caplog.text


def test_single_rows_without_timestamp_are_malformed(files):
    assert "ratings.csv:4: '7,1,5' is not 4 fields" in refused(files(ratings=RATINGS + "7,1,5\n"))


def test_archive_is_named_as_one(files, tmp_path):
    folder = files()
    packed = tmp_path / "ml.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(folder / "movies.csv", "movies.csv")
    assert refused(packed) == f"dataset.path={packed}: is a zip archive; unpack it and give the folder with its files"
    (folder / "ratings.csv.gz").write_bytes(gzip.compress((folder / "ratings.csv").read_bytes()))
    (folder / "ratings.csv").unlink()
    assert "it lacks movies.dat, ratings.dat, ratings.csv; unpack ratings.csv.gz; expected" in refused(folder)
    (folder / "ratings.csv.gz").rename(folder / "ratings.csv")
    assert refused(folder) == "ratings.csv: is compressed by gzip; unpack it and give the text file in it"


def test_files_in_a_folder_below_are_found_for_the_message(files, tmp_path):
    files()
    inner = tmp_path / "ml-1m"
    inner.mkdir()
    for name in ("movies.csv", "ratings.csv"):
        (tmp_path / name).rename(inner / name)
    assert refused(tmp_path) == f"dataset.path={tmp_path}: the files are in its folder ml-1m; give dataset.path=ml-1m"


def test_file_in_place_of_the_folder_is_named_as_one(files):
    path = files() / "ratings.csv"
    assert refused(path).startswith(f"dataset.path={path}: is a file; expected a folder with movies.dat")


def test_run_names_an_archive(tmp_path):
    packed = tmp_path / "ml.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("movies.csv", MOVIES)
    with pytest.raises(DataError, match=r"ml\.zip: is a zip archive; unpack it"):
        assemble(compose_config(["experiment=movietweetings", f"dataset.path={packed}"]))
