"""Files of rating matrices: all formats read the same, and problems are named with their place."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recframe.interfaces import DataError
from recframe_plugins.datasets.rating_matrix.rating_matrix import READERS, read_matrix

TEXT_KINDS = (".txt", ".ascii", ".dat")
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
matrices = arrays.arrays(np.float32, st.tuples(st.integers(2, 6), st.integers(1, 6)), elements=finite)


def written(folder: Path, kind: str, values: np.ndarray) -> Path:
    """A file of the given format with these values."""
    path = folder / f"matrix{kind}"
    if kind == ".npy":
        np.save(path, values)
    elif kind == ".parquet":
        pl.DataFrame(values, [f"column-{number}" for number in range(values.shape[1])]).write_parquet(path)
    else:
        separator = "," if kind == ".csv" else " "
        path.write_text("".join(separator.join(map(str, row)) + "\n" for row in values.tolist()))
    return path


def refused(path: Path) -> str:
    """The one-line error message for a file, without the folder."""
    with pytest.raises(DataError) as caught:
        read_matrix(path)
    message = str(caught.value).replace(f"{path.parent}/", "")
    assert "\n" not in message
    return message


@settings(max_examples=60, deadline=None)
@given(values=matrices)
def test_all_file_formats_read_back_exactly(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("matrices")
    for kind in READERS:
        read = read_matrix(written(folder, kind, values)).values
        assert read.dtype == np.float32
        assert read.flags.c_contiguous
        assert read.flags.writeable
        np.testing.assert_array_equal(read, values)


@settings(max_examples=60, deadline=None)
@given(
    values=matrices, bad=st.sampled_from(["x", "", "nan", "-inf", "1e39", "-1e999", "0x1", "1+2j", "1_0", "٣", "NA", "1d5"]), data=st.data()
)
def test_bad_value_is_named_by_line_and_column(tmp_path_factory, values, bad, data):
    row = data.draw(st.integers(0, len(values) - 1))
    column = data.draw(st.integers(0, values.shape[1] - 1))
    fields = [[str(value) for value in row] for row in values.tolist()]
    fields[row][column] = bad
    if values.shape[1] == 1:
        fields = [["user", "item"], *([f"u{number}", *row] for number, row in enumerate(fields))]
        row, column = row + 1, column + 1
    path = tmp_path_factory.mktemp("matrices") / "matrix.csv"
    path.write_text("".join(",".join(row) + "\n" for row in fields), encoding="utf-8")
    message = refused(path)
    assert message.startswith(
        f"matrix.csv:{row + 1}: column {column + 1}: {bad!r}" if bad else f"matrix.csv:{row + 1}: column {column + 1}: no value"
    )
    assert "more to fix" not in message


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "i1", "u8", "?", np.longdouble])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_file_can_hold_any_real_numbers_in_either_order(tmp_path, dtype, order):
    values = np.array([[0, 1, 1], [1, 0, 1]], dtype=dtype, order=order)
    np.testing.assert_array_equal(read_matrix(written(tmp_path, ".npy", values)).values, values.astype(np.float32))


@pytest.mark.parametrize(
    ("content", "users", "items"),
    [
        ("1,2\n3,4\n", None, None),
        ("a,b\n1,2\n3,4\n", None, ["a", "b"]),
        ('"a, b",c d\n1,2\n3,4\n', None, ["a, b", "c d"]),
        ("who,a,b\nu,1,2\nv,3,4\n", ["u", "v"], ["a", "b"]),
        ('who,a,b\n"u, u",1,2\nv,3,4\n', ["u, u", "v"], ["a", "b"]),
        (",a,b\n7,1,2\n8,3,4\n", ["7", "8"], ["a", "b"]),
        ("userId,101,102\n7,1,2\n8,3,4\n", ["7", "8"], ["101", "102"]),
        ("user,a,b\nu,1,2\nu1,3,4\n", ["u", "u1"], ["a", "b"]),
        ("\ufeff\r\na, b\r\n\r\n 1 ,2\r\n  \r\n3,+4.0e0", None, ["a", "b"]),
        ('"1","2"\n"3","4"\n', None, None),
    ],
)
def test_csv_file_can_name_items_and_users(tmp_path, content, users, items):
    path = tmp_path / "m.CSV"
    path.write_text(content, encoding="utf-8")
    matrix = read_matrix(path)
    assert (matrix.users, matrix.items) == (users, items)
    assert matrix.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_encodings_line_ends_and_separators_do_not_matter(tmp_path, encoding, line_end, separator):
    path = tmp_path / ("m.txt" if separator == " " else "m.csv")
    path.write_bytes(f"1{separator}2{line_end}3{separator}4{line_end}".encode(encoding))
    assert read_matrix(path).values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_text_file_accepts_any_blanks_between_numbers(tmp_path, kind):
    path = tmp_path / f"m{kind}"
    path.write_text("\n  1\t2 \r\n\n3   4")
    assert read_matrix(path).values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("columns", "users", "items"),
    [
        ({"a": [1, 3], "b": [2.0, 4.0]}, None, ["a", "b"]),
        ({"who": ["u", "v"], "a": [1, 3], "b": [2, 4]}, ["u", "v"], ["a", "b"]),
        ({"who": pl.Series(["u", "v"], dtype=pl.Categorical), "a": [1, 3], "b": [2, 4]}, ["u", "v"], ["a", "b"]),
        ({"User_ID": [7, 8], "a": [1, 3], "b": pl.Series([2, 4], dtype=pl.Decimal(9, 2))}, ["7", "8"], ["a", "b"]),
    ],
)
def test_parquet_file_names_items_and_optionally_users(tmp_path, columns, users, items):
    path = tmp_path / "m.parquet"
    pl.DataFrame(columns).write_parquet(path)
    matrix = read_matrix(path)
    assert (matrix.users, matrix.items) == (users, items)
    assert matrix.values.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("m.csv", "1,2\n3,4,5\n6\n", "m.csv:2: 3 value(s), expected 2, as on line 1 (and 1 more to fix)"),
        ("m.csv", "1,2\n\n3\n", "m.csv:3: 1 value(s), expected 2, as on line 1"),
        ("m.csv", "a,b\n1,2,3\n4,5,6\n", "m.csv:2: 3 value(s), expected 2, as on line 1 (and 1 more to fix)"),
        ("m.csv", "user,a,b\nu,1\nv,3\n", "m.csv:2: 2 value(s), expected 3, as on line 1 (and 1 more to fix)"),
        ("m.csv", "1,2\n3,x\n,nan\n", "m.csv:2: column 2: 'x' is not a number, expected one such as 3.5 (and 2 more to fix)"),
        ("m.csv", "1,2\n3,1e39\n", "m.csv:2: column 2: '1e39' is too large, expected at most 3.4e+38 (float32)"),
        ("m.csv", "user,a\nu,1\nv,\n", "m.csv:3: column 2: no value, expected a number"),
        ("m.csv", "user,a\nu,\nv,\n", "m.csv:2: column 2: no value, expected a number"),
        ("m.csv", "a,b\nx,2\n3,4\n", "m.csv:2: column 1: 'x' is not a number"),
        ("m.csv", "1,x\n3,4\n", "m.csv:1: column 2: 'x' is not a number"),
        ("m.csv", ",0,1\n0,1,2\n1,3,4\n", "column 1: no value"),
        ("m.csv", ",0,1\n0,1,2\n1,3,4\n", "(a header has no numbers in it, or starts with 'user')"),
        ("m.csv", '1,2\n3,"4\n', "m.csv:2: cannot be split at ',' (unexpected end of data), expected quotes around whole fields"),
        ("m.csv", '1,2\n3,"4"5\n', "m.csv:2: cannot be split at ','"),
        ("m.csv", "a,b,a\n1,2,3\n4,5,6\n", "m.csv:1: column 3: item 'a' is already at m.csv:1: column 1"),
        ("m.csv", "a,,c\n1,2,3\n4,5,6\n", "m.csv:1: column 2: the item's id is empty"),
        ("m.csv", "user,a\nu,1\n\nu,2\n", "m.csv:4: user 'u' is already at m.csv:2"),
        ("m.csv", "user,a\nu,1\n,2\n", "m.csv:3: the user's id is empty"),
        ("m.csv", "", "m.csv: is empty, expected a line of numbers for each user"),
        ("m.csv", "a,b\n", "m.csv: holds only a header"),
        ("m.csv", "1,2\n", "m.csv: holds 1 row(s), expected one for each of at least two users"),
        ("m.csv", "user\nu\nv\n", "m.csv: holds no column of ratings"),
        ("m.csv", b"1,2\n3,\xff\n", "m.csv:2: bytes that are not UTF-8"),
        ("m.csv", "1,2\n3,4\n".encode("utf-16")[:-1], "m.csv: begins like UTF-16, but is not ("),
        ("m.csv", "1,5;2,5\n3;x\n", "m.csv:1: column 1: '1,5' is not a number"),
        ("m.csv", "user,item,rating\n1,1,5\n1,2,3\n", "m.csv:1: the columns are user, item, rating: this is a table with a row for each"),
        ("m.txt", "user_id item_id rating time\n1 1 5 9\n1 2 3 9\n", "m.txt:1: the columns are user_id, item_id, rating, time: this is a"),
        ("m.zip", b"PK\x03\x04", "dataset.path=m.zip: is a zip archive; unpack it and give the file in it"),
        ("m.csv.gz", b"\x1f\x8b\x08", "dataset.path=m.csv.gz: is compressed by gzip; unpack it"),
        ("m.csv", b"PK\x03\x04", "dataset.path=m.csv: is a zip archive; unpack it"),
        ("m.xlsx", b"PK\x03\x04", "dataset.path=m.xlsx: is a spreadsheet; save it as .csv"),
        ("m.txt", "1 2\n3 4\n5\n", "m.txt:3: 1 value(s), expected 2, as on line 1"),
        ("m.txt", "1 2\n3 4,5\n", "m.txt:2: column 2: '4,5' is not a number"),
        ("m.txt", "a b\n1 2\n3 4\n", "m.txt:1: column 1: 'a' is not a number, expected one such as 3.5 (and 1 more to fix)"),
        ("m.dat", " \n\n", "m.dat: is empty"),
        ("m.xlsx", b"PK", "dataset.path=m.xlsx: unknown kind of file, expected .npy, .csv, .txt, .ascii, .dat, .parquet"),
        ("m", b"", "dataset.path=m: unknown kind of file"),
    ],
)
def test_problem_of_a_text_file_is_named_with_its_place(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert expected in refused(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[1, None], [2, 3]], dtype=object), "m.npy: holds Python objects, expected real numbers"),
        (np.zeros((2, 2), dtype=complex), "m.npy: holds complex numbers"),
        (np.array([["1", "2"], ["3", "4"]]), "m.npy: holds text"),
        (np.zeros((2, 2), dtype="datetime64[s]"), "m.npy: holds dates"),
        (np.zeros((2, 2), dtype=[("rating", "f4")]), "m.npy: holds values of type [('rating', '<f4')]"),
        (np.zeros(3), "m.npy: has 1 dimension(s), the shape (3,); expected two, users by items"),
        (np.zeros((2, 2, 2)), "m.npy: has 3 dimension(s), the shape (2, 2, 2)"),
        (np.zeros((0, 3)), "m.npy: holds 0 row(s), expected one for each of at least two users"),
        (np.zeros((1, 3)), "m.npy: holds 1 row(s)"),
        (np.zeros((3, 0)), "m.npy: holds no column of ratings"),
        (
            np.array([[1, 2], [np.nan, -np.inf]]),
            "m.npy: row 2, column 1: nan is not finite, expected a number such as 3.5 (and 1 more to fix)",
        ),
        (np.array([[1, 2], [3, -1e39]]), "m.npy: row 2, column 2: -1e+39 is too large, expected at most 3.4e+38 (float32)"),
    ],
)
def test_problem_of_an_array_is_named(tmp_path, values, expected):
    np.save(tmp_path / "m.npy", values)
    assert expected in refused(tmp_path / "m.npy")


def test_pickle_is_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.save(tmp_path / "array.npy", np.array([[Trap(), Trap()]] * 2, dtype=object))
    (tmp_path / "pickle.npy").write_bytes(np.array([Trap()], dtype=object).dumps())
    assert "holds Python objects" in refused(tmp_path / "array.npy")
    assert "is not an npy file" in refused(tmp_path / "pickle.npy")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"1,2\n3,4\n", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x09\x00v\x00{}"])
def test_invalid_npy_file_is_refused(tmp_path, content):
    (tmp_path / "m.npy").write_bytes(content)
    assert refused(tmp_path / "m.npy") == "m.npy: is not an npy file, expected a matrix of numbers that numpy.save wrote"


def test_truncated_npy_file_is_refused(tmp_path):
    path = written(tmp_path, ".npy", np.zeros((5, 5)))
    path.write_bytes(path.read_bytes()[:-1])
    assert refused(path) == "matrix.npy: is truncated: 327 bytes, expected 328 for the shape (5, 5) in its header"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"a": [1, 2], "b": ["x", "y"], "c": ["x", "y"]}, "m.parquet: column 'b' is of type String, expected numbers (and 1 more to fix)"),
        ({"a": [[1], [2]]}, "m.parquet: column 'a' is of type List(Int64), expected numbers"),
        ({"a": [None, None]}, "m.parquet: column 'a' is of type Null, expected numbers"),
        ({"a": [1, 2], "b": [None, 5]}, "m.parquet: row 1, column 'b': no value, expected a number: in a complete matrix"),
        ({"user": [1, 2], "b": [1.0, np.inf]}, "m.parquet: row 2, column 'b': inf is not finite"),
        ({"a": [1.0, 1e300]}, "m.parquet: row 2, column 'a': 1e+300 is too large"),
        ({"a": [1.0]}, "m.parquet: holds 1 row(s)"),
        ({"user": ["u", "v"]}, "m.parquet: holds no column of ratings"),
        ({"user": ["u", "u"], "a": [1, 2]}, "m.parquet: row 2: user 'u' is already at m.parquet: row 1"),
        ({"user": ["u", None], "a": [1, 2]}, "m.parquet: row 2: the user's id is empty"),
        ({"a": [1, 2], "": [1, 2]}, "m.parquet: column 2: the item's id is empty"),
    ],
)
def test_problem_of_a_parquet_table_is_named(tmp_path, columns, expected):
    pl.DataFrame(columns).write_parquet(tmp_path / "m.parquet")
    assert expected in refused(tmp_path / "m.parquet")


def test_invalid_parquet_file_is_refused(tmp_path):
    (tmp_path / "m.parquet").write_bytes(b"a,b\n1,2\n")
    assert refused(tmp_path / "m.parquet").startswith("m.parquet: cannot be read as parquet")


@pytest.mark.parametrize("kind", READERS)
def test_missing_file_is_named(tmp_path, kind):
    path = tmp_path / f"m{kind}"
    assert refused(path) == f"dataset.path=m{kind}: there is no such file"
    path.mkdir()
    assert refused(path) == f"dataset.path=m{kind}: there is no such file"
