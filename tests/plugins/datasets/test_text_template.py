import polars as pl
import pytest

from recframe.interfaces import DataError
from recframe_plugins.datasets.text_template import check_template, fill_template

ALLOWED = ("title", "year", "genres")


@pytest.mark.parametrize(
    ("template", "texts"),
    [
        ("{title} ({year}). {genres}", ["Alien (1979). Horror, Sci-Fi", "Bambi. Drama", "Charade (1963).", "Dumbo."]),
        ("{title}, {year}, {genres}.", ["Alien, 1979, Horror, Sci-Fi.", "Bambi, Drama.", "Charade, 1963", "Dumbo"]),
        ("Genres: {genres}. {title} [{year}]", ["Genres: Horror, Sci-Fi. Alien [1979]", "Genres: Drama. Bambi", "Charade [1963]", "Dumbo"]),
        (
            "{title}\nYear: {year}\nAbout: {genres}",
            ["Alien\nYear: 1979\nAbout: Horror, Sci-Fi", "Bambi\nAbout: Drama", "Charade\nYear: 1963", "Dumbo"],
        ),
        ("{title}", ["Alien", "Bambi", "Charade", "Dumbo"]),
    ],
)
def test_missing_attributes_are_left_out_with_the_words_around_them(template, texts):
    items = pl.DataFrame(
        {
            "title": ["Alien", "Bambi", "Charade", "Dumbo"],
            "year": ["1979", None, "1963", None],
            "genres": ["Horror, Sci-Fi", "Drama", None, None],
        }
    )
    check_template(template, ALLOWED)
    assert fill_template(template, items) == texts


def test_attributes_are_inserted_unchanged():
    items = pl.DataFrame({"title": ["{year} (), , "], "year": pl.Series([None], dtype=pl.String)})
    assert fill_template("{title} ({year})", items) == ["{year} (), , "]


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{title} {plot}", r"unknown placeholder \{plot\}; expected \{title\}, \{year\}, \{genres\}"),
        ("{title", r"expected '}'.*\{title\}, \{year\}, \{genres\}"),
        ("film", "every item would get the same text"),
        ("{title:>9}", "without format options"),
        ("{{title}} {year}", "braces"),
    ],
)
def test_invalid_template_is_refused(template, problem):
    with pytest.raises(DataError, match=problem):
        check_template(template, ALLOWED)
