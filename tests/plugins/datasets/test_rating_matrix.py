"""The rating matrix dataset: ids, titles, texts and popularity; the table of items; the command line."""

import polars as pl
import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.building.parts import assemble
from recframe.cli.error_messages import user_errors_as_messages
from recframe.components import Component
from recframe.config import compose_config, find_mistakes
from recframe.interfaces import Data, DataError
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.rating_matrix.config import RatingMatrixDatasetConfig
from recframe_plugins.datasets.rating_matrix.rating_matrix import RatingMatrixDataset, drawn_users, share_of_fans

NAMED = "user,Alien,Bambi,Charade\nann,5,1,3\nbob,4,2,2\n"
PLAIN = "5,1,3\n4,2,2\n"


@pytest.fixture
def load(tmp_path):
    """`load(PLAIN, items=("items.csv", "title\\n..."), text_template=...)`: the data loaded from files with this content."""

    def load(ratings: str, items: tuple[str, str | bytes | pl.DataFrame] | None = None, **options) -> Data:
        path = tmp_path / "ratings.csv"
        path.write_text(ratings)
        if items is not None:
            name, content = items
            options["items"] = str(tmp_path / name)
            if isinstance(content, pl.DataFrame):
                content.write_parquet(tmp_path / name)
            else:
                (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return RatingMatrixDataset(RatingMatrixDatasetConfig(path=str(path), **options)).load()

    return load


def test_names_in_the_file_are_ids_and_titles(load):
    data = load(NAMED)
    assert data.catalog.ids == data.catalog.titles == data.catalog.texts == ["Alien", "Bambi", "Charade"]
    assert data.users.ids == ["ann", "bob"]
    assert data.users.profiles is None
    assert data.interactions is None
    assert data.ratings.dtype == torch.float32
    assert data.ratings.tolist() == [[5, 1, 3], [4, 2, 2]]


def test_unnamed_users_and_items_are_numbered(load):
    data = load(PLAIN)
    assert data.catalog.ids == data.catalog.titles == data.catalog.texts == ["item-0", "item-1", "item-2"]
    assert data.users.ids == ["user-0", "user-1"]


def test_popularity_is_the_share_of_training_users_who_rate_an_item_at_or_above_their_mean():
    # the mean is 2.5
    assert share_of_fans(torch.tensor([[1, 4, 2.5], [2, 3, 2]])).tolist() == [0, 1, 0.5]


def test_popularity_ignores_held_out_users(load):
    data = load("1,4\n1,4\n1,4\n1,4\n1,4\n")
    kept = int(data.held_out.nonzero())
    assert data.held_out.sum() == 1
    lines = ["1,4"] * 5
    lines[kept] = "900,-900"
    other = load("\n".join(lines) + "\n")
    assert torch.equal(other.held_out, data.held_out)
    assert torch.equal(other.catalog.popularity, data.catalog.popularity)
    assert other.ratings[kept].tolist() == [900, -900]


@given(users=st.integers(2, 300), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**31))
def test_both_splits_have_users(users, share, seed):
    held_out = drawn_users(users, share, seed)
    assert 0 < held_out.sum() < users
    assert abs(int(held_out.sum()) - share * users) <= 1
    assert torch.equal(held_out, drawn_users(users, share, seed))


@settings(max_examples=50, deadline=None)
@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False), users=st.integers(1, 40), items=st.integers(1, 5))
def test_popularity_is_one_if_all_ratings_are_equal(value, users, items):
    assert share_of_fans(torch.full((users, items), value)).tolist() == [1.0] * items


def test_dataset_conforms(tmp_path):
    components: list[Component] = []
    registration.recframe_register_components(components.append)
    (component,) = (component for component in components if component.name == "rating_matrix")
    (tmp_path / "ratings.csv").write_text(NAMED)
    (tmp_path / "items.csv").write_text("title,year,plot\nAlien,1979,\nBambi,1942,A fawn.\nCharade,1963,\n")
    check_component(component, RatingMatrixDatasetConfig(path=str(tmp_path / "ratings.csv")))
    options = RatingMatrixDatasetConfig(path=str(tmp_path / "ratings.csv"), items=str(tmp_path / "items.csv"), text_template="{plot}")
    check_component(component, options)


class TestItems:
    def test_csv_columns_become_attributes(self, load):
        data = load(
            NAMED, ("items.csv", 'year,title,score,plot\n1979,"Alien, the film",8.5,\n1942,1984,7,A fawn.\n\n,Charade,,7 suspects\n')
        )
        assert data.catalog.ids == ["Alien", "Bambi", "Charade"]
        assert data.catalog.attributes.to_dict(as_series=False) == {
            "year": [1979, 1942, None],
            "title": ["Alien, the film", "1984", "Charade"],
            "score": [8.5, 7.0, None],
            "plot": [None, "A fawn.", "7 suspects"],
        }

    def test_parquet_columns_become_attributes_unchanged(self, load):
        table = pl.DataFrame({"title": ["A", "B", "C"], "genres": [["x", "y"], [], None], "vector": [[1.0], [2.0], [3.0]]})
        data = load(PLAIN, ("items.parquet", table), text_template="{title}: {genres}")
        assert data.catalog.attributes.equals(table)
        assert data.catalog.texts == ["A: x, y", "B", "C"]

    @pytest.mark.parametrize("content", ["Alien\nBambi\nCharade", " Alien\r\nBambi \r\nCharade\r\n\r\n", "\ufeffAlien\nBambi\nCharade\n"])
    def test_txt_file_has_one_title_per_line(self, load, content):
        data = load(PLAIN, ("items.txt", content))
        assert data.catalog.titles == ["Alien", "Bambi", "Charade"]
        assert data.catalog.ids == ["item-0", "item-1", "item-2"]

    @pytest.mark.parametrize("name", ["items.csv", "items.txt"])
    def test_latin1_is_decoded(self, load, name):
        lines = ["Amélie", "Zoë", "Málaga"]
        content = "\n".join(["title", *lines] if name == "items.csv" else lines).encode("latin-1")
        assert load(PLAIN, (name, content)).catalog.titles == lines

    @pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8"])
    @pytest.mark.parametrize("name", ["items.csv", "items.txt"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_quotes_and_ellipses_are_decoded_and_end_no_line(self, load, name, encoding, line_end):
        lines = ["\u201cAmélie\u201d", "Zoë\u2026 again", "Málaga \u2013 1"]
        content = (line_end.join(["title", *lines] if name == "items.csv" else lines) + line_end).encode(encoding)
        assert load(PLAIN, (name, content)).catalog.titles == lines

    def test_line_separators_of_unicode_are_part_of_a_title(self, load):
        assert load(PLAIN, ("items.txt", "Alien\u2028II\nBambi\nCharade\n")).catalog.titles == ["Alien\u2028II", "Bambi", "Charade"]

    @pytest.mark.parametrize("content", ["title;year\nA, B;1979\nC;1942\nD;1\n", 'title\tyear\n"A, B"\t1979\nC\t1942\nD\t1\n'])
    def test_semicolons_and_tabs_are_recognised(self, load, content):
        data = load(PLAIN, ("items.csv", content))
        assert data.catalog.titles == ["A, B", "C", "D"]
        assert data.catalog.attributes["year"].to_list() == [1979, 1942, 1]

    @pytest.mark.parametrize("quote", ['""', '\\"'])
    def test_quotes_in_titles_are_doubled_or_follow_a_backslash(self, load, quote):
        content = f'title,year\n"The {quote}Real{quote} Thing, 2",1979\n"C\nII",1942\nD,1\n'
        assert load(PLAIN, ("items.csv", content)).catalog.titles == ['The "Real" Thing, 2', "C II", "D"]

    def test_archive_of_items_is_named_as_one(self, load):
        with pytest.raises(DataError, match=r"items\.csv: is a zip archive; unpack it"):
            load(PLAIN, ("items.csv", b"PK\x03\x04"))

    def test_item_texts_follow_the_template_or_are_the_title(self, load):
        items = ("items.csv", "title,year,plot\nAlien,1979,\nBambi,,A fawn.\nCharade,,\n")
        assert load(PLAIN, items, text_template="{title} ({year}). {plot}").catalog.texts == ["Alien (1979).", "Bambi. A fawn.", "Charade."]
        assert load(PLAIN, items, text_template="{plot}").catalog.texts == ["Alien", "A fawn.", "Charade"]

    def test_template_can_use_only_columns_of_text_and_numbers(self, load):
        table = pl.DataFrame({"title": ["A", "B", "C"], "year": [1, 2, 3], "vector": [[1.0]] * 3, "of note": ["x"] * 3})
        with pytest.raises(DataError, match=r"unknown placeholder \{vector\}; expected \{title\}, \{year\}$"):
            load(PLAIN, ("items.parquet", table), text_template="{vector}")
        with pytest.raises(DataError, match=r"unknown placeholder \{year\}; expected \{title\}$"):
            load(PLAIN, text_template="{year}")

    @pytest.mark.parametrize(
        ("name", "content", "problem"),
        [
            ("items.csv", "title\nA\nB\n", "items.csv: holds 2 item(s), expected 3, one for each column of"),
            ("items.txt", "A\nB\nC\nD\n", "items.txt: holds 4 item(s), expected 3"),
            ("items.csv", "name,year\nA,1\nB,2\nC,3\n", "items.csv:1: lacks the column 'title'; the columns are name, year"),
            ("items.csv", "", "items.csv:1: lacks the column 'title'; the columns are none"),
            ("items.csv", "title,x,x\nA,1,2\n", "items.csv:1: columns 2 and 3 have one name, 'x'"),
            ("items.csv", "title,x\nA,1\nB\nC,3\n", "items.csv:3: 1 field(s), expected 2: title,x"),
            ("items.csv", "title,x\nA,1\n ,2\nC,3\n", "items.csv:3: the title is empty"),
            ("items.csv", 'title\nA\n"B" b\n', "items.csv:3: cannot be split at ','"),
            ("items.csv", "title\né\nè\n".encode() + b"\xe9\n", "items.csv:4: bytes that are not UTF-8"),
            ("items.txt", "A\n \nC\n", "items.txt:2: the line is empty, expected a title on every line"),
            ("items.parquet", pl.DataFrame({"name": ["A"]}), "items.parquet: lacks the column 'title'; the columns are name"),
            ("items.parquet", pl.DataFrame({"title": ["A", None, "C"]}), "items.parquet: row 2: the title is empty"),
            ("items.parquet", pl.DataFrame({"title": [["A"]]}), "items.parquet: column 'title' is of type List(String), expected text"),
            ("items.parquet", b"title\nA\n", "items.parquet: cannot be read as parquet"),
            ("items.json", "[]", "items.json: unknown kind of file, expected .csv, .parquet, .txt"),
        ],
    )
    def test_problems_are_named(self, load, name, content, problem):
        with pytest.raises(DataError) as caught:
            load(PLAIN, (name, content))
        assert problem in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_missing_items_file_is_named(self, tmp_path):
        (tmp_path / "ratings.csv").write_text(PLAIN)
        dataset = RatingMatrixDataset(RatingMatrixDatasetConfig(path=str(tmp_path / "ratings.csv"), items=str(tmp_path / "nowhere.csv")))
        with pytest.raises(DataError, match=r"^dataset\.items=.*nowhere\.csv: there is no such file"):
            dataset.load()


class TestCommandLine:
    def test_missing_path_is_refused_before_heavy_imports(self, recframe, tmp_path):
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(
            "import atexit, sys\natexit.register(lambda: print([name for name in ('torch', 'polars', 'numpy') if name in sys.modules]))\n"
        )
        refused = recframe("train", "dataset=rating_matrix", "environment=rating_matrix", "dataset.path=nope.csv", site=tmp_path / "site")
        assert refused.returncode == 2
        assert refused.stderr.startswith("recframe: dataset.path: 'nope.csv' does not exist")
        assert len(refused.stderr.splitlines()) == 1
        assert refused.stdout == "[]\n"

    def test_contradicting_settings_are_refused_before_a_run(self, tmp_path):
        (tmp_path / "ratings.csv").write_text(PLAIN)
        chosen = ["dataset=rating_matrix", f"dataset.path={tmp_path / 'ratings.csv'}", "environment=rating_matrix"]
        assert find_mistakes(chosen) == []
        (problem,) = find_mistakes([*chosen, "dataset.items=nope.csv"])
        assert problem.startswith("dataset.items: 'nope.csv' does not exist")
        (problem,) = find_mistakes([*chosen[:2], "environment=preference_model"])
        assert problem.startswith("environment=preference_model needs logged interactions")
        (problem,) = find_mistakes(chosen[:1] + chosen[2:])
        assert problem.startswith("dataset.path is required: file of ratings, one row per user")

    @pytest.mark.parametrize(
        ("ratings", "items", "problem"),
        [
            ("1,2,3\n4,x,6\n", "title\nA\nB\nC\n", "ratings.csv:2: column 2: 'x' is not a number, expected one such as 3.5"),
            ("1,2,3\n4,5,6\n", "title\nA\nB\n", "items.csv: holds 2 item(s), expected 3, one for each column of"),
        ],
    )
    def test_run_with_unusable_files_ends_with_a_one_line_error(self, tmp_path, capsys, ratings, items, problem):
        (tmp_path / "ratings.csv").write_text(ratings)
        (tmp_path / "items.csv").write_text(items)
        files = [f"dataset.path={tmp_path / 'ratings.csv'}", f"dataset.items={tmp_path / 'items.csv'}"]
        cfg = compose_config(["dataset=rating_matrix", "environment=rating_matrix", "encoder=tfidf", *files])
        with pytest.raises(typer.Exit) as ended, user_errors_as_messages():
            assemble(cfg)
        assert ended.value.exit_code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("recframe: ")
        assert problem in line
