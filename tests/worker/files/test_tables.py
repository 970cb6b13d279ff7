"""Which rows of a table a job means, and where the files of lists and tables are."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributed_something.protocol.tables.paths import TableFault, place_of_path
from distributed_something.protocol.tables.table import Table, choose_rows
from worker.files.tables import localise, localise_list, read_table, write_table

FLY = """FileName_DNA,PathName_DNA,Metadata_Position,Metadata_Note
a1.tif,/home/ubuntu/bucket/fly/images,002,0010
a2.tif,/home/ubuntu/bucket/fly/images,076,1e3
a3.tif,/home/ubuntu/bucket/fly/images,218,"two, words"
"""


def table(folder: Path, text: str = FLY) -> Table:
    (folder / "load.csv").write_text(text)
    return read_table(folder / "load.csv", "load.csv")


def here(place: str) -> Path:
    return Path("/in") / place


@pytest.mark.parametrize(
    ("value", "file"), [("2", "a1"), ("002", "a1"), ("76", "a2"), ("218", "a3")]
)
def test_a_number_finds_its_row_with_or_without_leading_zeros(
    tmp_path: Path, value: str, file: str
) -> None:
    rows = choose_rows(table(tmp_path), (("Metadata_Position", value),)).rows
    assert [row[0] for row in rows] == [f"{file}.tif"]


def test_where_a_column_has_the_very_text_only_that_is_meant(tmp_path: Path) -> None:
    both = table(tmp_path, "Metadata_Well,x\n2,a\n002,b\n02,c\n2,d\n")
    for value, wanted in [("2", "ad"), ("002", "b"), ("02", "c"), ("0002", "abcd")]:
        rows = choose_rows(both, (("Metadata_Well", value),)).rows
        assert "".join(row[1] for row in rows) == wanted


def test_text_is_never_taken_for_a_number(tmp_path: Path) -> None:
    with pytest.raises(TableFault, match="no row with Metadata_Note = '1000'"):
        choose_rows(table(tmp_path), (("Metadata_Note", "1000"),))


def test_every_condition_must_hold_and_what_does_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(TableFault, match=r"no row with .*Position = '2' and .*Note = '1e3'"):
        choose_rows(table(tmp_path), (("Metadata_Position", "2"), ("Metadata_Note", "1e3")))
    with pytest.raises(TableFault, match=r"no column 'Plate'; it has FileName_DNA, "):
        choose_rows(table(tmp_path), (("Plate", "P1"),))


def test_a_name_without_metadata_before_it_finds_the_column_that_has_it(tmp_path: Path) -> None:
    assert len(choose_rows(table(tmp_path), (("Position", "76"),)).rows) == 1


def test_what_is_written_has_the_files_here_and_every_other_cell_as_it_was(tmp_path: Path) -> None:
    asked: list[str] = []

    def bring(place: str) -> Path:
        asked.append(place)
        return here(place)

    chosen = choose_rows(table(tmp_path), ())
    write_table(localise(chosen, (), bring), tmp_path / "new.csv")
    assert (tmp_path / "new.csv").read_text() == FLY.replace("/home/ubuntu/bucket", "/in")
    assert asked == ["fly/images/a1.tif", "fly/images/a2.tif", "fly/images/a3.tif"]


def test_every_kind_of_column_that_names_a_file_is_understood(tmp_path: Path) -> None:
    columns = {
        "FileName": "a.tif",  # neither a suffix nor a path beside it
        "FileName_B": "sub/b.tif",
        "PathName_B": "images/",
        "Image_FileName_C": "c.tif",
        "Image_PathName_C": "s3://other/deep",
        "ObjectsFileName_D": "d.tif",
        "ObjectsPathName_D": "/home/ubuntu/bucket",
        "URL_E": "s3://other/e e.tif",
        "URL_F": "https://example.org/f.tif",
        "FileName_G": "",
        "PathName_G": "/nowhere",
        "PathName_H": "/nowhere",
    }
    text = f"{','.join(columns)}\n{','.join(columns.values())}\n"
    new = localise(table(tmp_path, text), (), lambda p: here(p.removeprefix("s3://")))
    assert dict(zip(new.columns, new.rows[0], strict=True)) == {
        **columns,
        "FileName": "/in/a.tif",
        "FileName_B": "b.tif",
        "PathName_B": "/in/images/sub",
        "Image_PathName_C": "/in/other/deep",
        "ObjectsPathName_D": "/in",
        "URL_E": "file:///in/other/e%20e.tif",
    }


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/home/ubuntu/bucket/a/b.tif", "a/b.tif"),
        ("/data/a.tif", "s3://pictures/raw/a.tif"),
        ("/data/old/a.tif", "s3://archive/a.tif"),
        ("/database/a.tif", None),
        ("file:///data/a%20b.tif", "s3://pictures/raw/a b.tif"),
        ("s3://pictures/a.tif", "s3://pictures/a.tif"),
        ("plain/a.tif", "plain/a.tif"),
        ("C:\\images\\a.tif", None),
        ("plain\\sub\\a.tif", "plain/sub/a.tif"),
        ("plain/odd\\name.tif", "plain/odd\\name.tif"),
        ("~/images/a.tif", None),
        ("HTTP://example.org/a.tif", None),
        ("/elsewhere/a.tif", None),
        ("/home/ubuntu/bucket/../secret", None),
        ("s3://../x", None),
        ("s3:///x", None),
        ("azure://x/y", None),
        ("plain/", None),
    ],
)
def test_a_paths_longest_known_beginning_says_what_it_means(path: str, place: str | None) -> None:
    paths = (("/data", "s3://pictures/raw/"), ("/data/old/", "s3://archive"))
    if place is None:
        with pytest.raises(TableFault, match="names '"):
            place_of_path(path, paths, "load.csv")
    else:
        assert place_of_path(path, paths, "load.csv") == place


@pytest.mark.parametrize(
    "start",
    [
        "D:\\screens",
        "D:\\screens\\",
        "D:/screens",
        "d:/Screens/",
        "/D:/screens",
        "file:///D:/screens",
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "D:\\screens\\P1\\a b.tif",
        "d:/screens/P1/a b.tif",
        "D:\\Screens/P1/a b.tif",
        "file:///D:/screens/P1/a%20b.tif",
        "file:///D:\\screens\\P1\\a b.tif",
        "file://D:/screens/P1/a b.tif",
        "\\\\?\\D:\\screens\\P1\\a b.tif",
    ],
)
def test_a_drive_of_windows_is_a_beginning_however_it_is_written(path: str, start: str) -> None:
    paths = ((start, "s3://lab/raw"),)
    assert place_of_path(path, paths, "load.csv") == "s3://lab/raw/P1/a b.tif"
    with pytest.raises(TableFault, match="in no bucket: say what the beginnings of its paths"):
        place_of_path(path, (("E:\\screens", "s3://lab"), ("D:\\scr", "s3://lab")), "load.csv")


@pytest.mark.parametrize("start", ["\\\\nas\\data", "//NAS/data/", "file://nas/data"])
@pytest.mark.parametrize(
    "path",
    [
        "\\\\nas\\data\\P1\\a.tif",
        "//nas/data/P1/a.tif",
        "file://nas/data/P1/a.tif",
        "file:////nas/data/P1/a.tif",
        "\\\\?\\UNC\\nas\\data\\P1\\a.tif",
    ],
)
def test_a_shared_folder_of_windows_is_a_beginning_too(path: str, start: str) -> None:
    assert place_of_path(path, ((start, ""),), "load.csv") == "P1/a.tif"
    with pytest.raises(TableFault, match="in no bucket"):
        place_of_path(path, (), "load.csv")


def test_folders_of_a_table_from_windows_are_joined_to_their_files(tmp_path: Path) -> None:
    text = "FileName_A,PathName_A\na.tif,P1\\sub\nb.tif,D:\\x\\\nsub\\c.tif,\n"
    asked: list[str] = []

    def bring(place: str) -> Path:
        asked.append(place)
        return here(place.removeprefix("s3://"))

    localise(table(tmp_path, text), (("D:", "s3://lab"),), bring)
    assert asked == ["P1/sub/a.tif", "s3://lab/x/b.tif", "sub/c.tif"]


@pytest.mark.parametrize(
    "text",
    [
        "Metadata_Well;FileName_A;Note\nA01;a.tif;1,5\nA02;b.tif;\n",
        "Metadata_Well\tFileName_A\tNote\nA01\ta.tif\t1,5\nA02\tb.tif\t\n",
        "Metadata_Well|FileName_A|Note\nA01|a.tif|1,5\nA02|b.tif|\n",
        "sep=;\nMetadata_Well;FileName_A;Note\nA01;a.tif;1,5\nA02;b.tif;\n",
        '"Metadata_Well";"FileName_A";"Note, if any"\n"A01" ; "a.tif";"1,5"\n'.replace('" ;', '";'),
        'Metadata_Well, FileName_A , Note\n A01, a.tif , "1,5"\n',
    ],
)
def test_a_table_as_spreadsheets_write_it_has_its_columns_and_no_blanks(
    tmp_path: Path, text: str
) -> None:
    rows = choose_rows(table(tmp_path, text), (("Metadata_Well", "A01"),)).rows
    assert rows == (("A01", "a.tif", "1,5"),)


def test_the_lines_of_a_list_lose_their_ends_and_become_files_here(tmp_path: Path) -> None:
    listed = tmp_path / "files.txt"
    listed.write_bytes(b"\xef\xbb\xbfa/1.tif\r\n\r\n  a/2 2.tif  \nhttps://example.org/x.tif\n")
    asked: list[str] = []

    def bring(place: str) -> Path:
        asked.append(place)
        return here(place)

    localise_list(listed, "files.txt", (), bring)
    assert asked == ["a/1.tif", "a/2 2.tif"]
    assert listed.read_text() == "/in/a/1.tif\n/in/a/2 2.tif\nhttps://example.org/x.tif\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2,3\n", "Row 1 of .* has 3 cells for 2 columns"),
        (b"a,b\n\xff\xfe,2\n", "not a CSV file in UTF-8"),
        (b'a,b\n"1,2\n', "not a CSV file in UTF-8"),
    ],
)
def test_a_broken_table_is_told_as_such(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "load.csv").write_bytes(content)
    with pytest.raises(TableFault, match=reason):
        read_table(tmp_path / "load.csv", "load.csv")


def test_a_short_row_is_filled_up_and_a_blank_line_passed_over(tmp_path: Path) -> None:
    found = table(tmp_path, "\ufeffa, b ,c\n1,2\n\n3,4,5\n")
    assert found.columns == ("a", "b", "c")
    assert found.rows == (("1", "2", ""), ("3", "4", "5"))


def test_an_empty_list_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "files.txt").write_text("\n \n")
    with pytest.raises(TableFault, match="names no file"):
        localise_list(tmp_path / "files.txt", "files.txt", (), here)
