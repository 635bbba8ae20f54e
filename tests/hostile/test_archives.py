"""Archives of others: links, paths that lead elsewhere, damaged ones, and bombs."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from hypothesis import strategies as st

from rumcli.data import archives
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.char_lm import penn_treebank
from tests.data import sources
from tests.hostile import bounded, strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import attempt, rum

NAMES = (
    *("qa1_train.txt", "qa1_test.txt", "qa1_test.txt.gz", "en/qa1_train.txt", "en/qa1_valid.txt"),
    *(
        "../../qa1_train.txt",
        "/qa1_train.txt",
        "..\\qa1_test.txt",
        "C:\\qa1_test.txt",
        "qa1_test.txt/",
    ),
    *(
        "",
        ".",
        "..",
        "/",
        "\0",
        "a/" * 300 + "qa1_train.txt",
        "x" * 5000,
        "ptb.train.txt",
        "\x1b[31m",
    ),
)
STORY = b"1 Mary got it.\n2 What is it? \tmilk\t1\n"
KINDS = (
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE),
    *(tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, tarfile.GNUTYPE_SPARSE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, b"?"),
)
PACKERS = (
    bytes,
    lambda data: gzip.compress(data, 1),
    bz2.compress,
    lambda d: lzma.compress(d, preset=0),
)
names = st.sampled_from(NAMES) | st.text(max_size=10)
contents = st.sampled_from([b"", STORY, STORY * 2, gzip.compress(STORY)]) | st.binary(max_size=60)


def tar_bytes(members):
    """Make a tar of members that Python's own writer would not make."""
    blocks = []
    for name, content, kind, size, link in members:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, size or len(content), link
        try:
            blocks.append(info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape"))
        except (ValueError, UnicodeError):
            continue
        blocks.append(content + bytes(-len(content) % 512))
    return b"".join([*blocks, bytes(1024)])


def zip_bytes(members):
    """Make a zip of members of any name, mode and flags."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in {name: (name, *rest) for name, *rest in members}.values():
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr = name.replace("\ud800", ""), mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


tars = st.builds(
    lambda members, pack: pack(tar_bytes(members)),
    st.lists(
        st.tuples(
            names,
            contents,
            st.sampled_from(KINDS[:2] * 4 + KINDS),
            st.sampled_from([None] * 8 + [0, 1, 511, 2**33, 2**62]),
            st.sampled_from(["", "/etc/passwd", "../../x", "qa1_train.txt"]),
        ),
        max_size=5,
    ),
    st.sampled_from(PACKERS),
)
zips = st.lists(
    st.tuples(names, contents, st.sampled_from([0, 0o100644, 0o120777, 0o040755, 0o020666])),
    max_size=5,
).map(zip_bytes)
GOOD = [
    *(
        pack(
            tar_bytes(
                [
                    ("en/qa1_train.txt", STORY, b"0", None, ""),
                    ("en/qa1_test.txt", STORY, b"0", None, ""),
                ]
            )
        )
        for pack in PACKERS
    ),
    zip_bytes([("en/qa1_train.txt", STORY, 0), ("en/qa1_test.txt", STORY, 0)]),
]


def read_archive(path):
    """Read all that is in an archive, and the stories among it."""
    for entry in archives.entries(path):
        entry.read(1000)


@fuzz(fast=100, slow=5000, content=tars | zips)
def test_any_archive_is_read_or_rejected(place, content):
    (place / "x").write_bytes(content)
    attempt(read_archive, place / "x", around=place)
    attempt(babi_stories.read_subtask, place / "x", 1, around=place)


@fuzz(fast=100, slow=6000, content=strategies.changed(GOOD))
def test_an_archive_with_changed_bytes_is_read_or_rejected(place, content):
    (place / "x").write_bytes(content)
    attempt(read_archive, place / "x", around=place)


@fuzz(fast=30, slow=800, content=tars | zips | strategies.changed(GOOD), is_babi=st.booleans())
def test_command_line_reports_errors_in_one_line(place, content, is_babi):
    (place / "x").write_bytes(content)
    if is_babi:
        rum("train", "babi", "--data", "x", "--out", "x", around=place)
    else:
        rum("gen-data", "ptb", "--source", "x", "--out", "y", around=place)


@fuzz(fast=30, slow=1000, members=st.lists(st.tuples(names, contents), max_size=4))
def test_only_verified_texts_are_written_and_only_by_their_own_names(place, members):
    texts = list(sources.archive_members())
    kept = [(name, content, b"0", None, "") for name, content in [*members, *texts]]
    (place / "x").write_bytes(tar_bytes(kept))
    found = attempt(penn_treebank.read, str(place / "x"), sources.FILES, around=place)
    assert found == sources.TEXTS


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_is_not_followed(tmp_path, kind):
    (tmp_path / "secret").write_bytes(STORY)
    for target in ("secret", str(tmp_path / "secret"), "../secret"):
        (tmp_path / "x").write_bytes(tar_bytes([("qa1_train.txt", b"", kind, None, target)]))
        assert [entry.name for entry in archives.entries(tmp_path / "x")] == []


@pytest.mark.e2e
def test_bombs_are_rejected_or_read_in_little_memory(tmp_path):
    said = bounded.outcomes(
        """
        import gzip, io, tarfile, zipfile
        from pathlib import Path
        from rumcli.data import archives
        from rumcli.tasks.babi import stories as babi_stories
        # The same with larger numbers takes only longer.
        babi_stories._LARGEST, archives._LARGEST_UNPACKED = 2**22, 2**24
        NAME = "qa1_train.txt"
        def header(size, kind=b"0", name=NAME):
            info = tarfile.TarInfo(name)
            info.size, info.type = size, kind
            return info.tobuf(tarfile.GNU_FORMAT)
        def packed(*parts):
            with gzip.open("x", "wb", 1) as file:
                for part in parts:
                    file.write(part)
        def in_zip(kind, *members):
            with zipfile.ZipFile("x", "w", kind, compresslevel=1) as archive:
                for name, content in members:
                    archive.writestr(name, content)
        MAKE = {
            "zip of zeros": lambda: in_zip(zipfile.ZIP_DEFLATED, (NAME, bytes(2**26))),
            "bzip2 in a zip": lambda: in_zip(zipfile.ZIP_BZIP2, (NAME, bytes(2**25))),
            "zeros in a tar": lambda: packed(header(2**26), *[bytes(2**20)] * 2**6),
            "gzip in a zip": lambda: in_zip(
                zipfile.ZIP_STORED, (NAME + ".gz", gzip.compress(bytes(2**26), 1))),
            "no end of a tar": lambda: packed(*[header(0, name="a")] * 2**17),
            "more than a tar may have": lambda: packed(
                header(2**23, name="a"), *[bytes(2**20)] * 2**6),
            "a very long name": lambda: packed(
                header(2**26, tarfile.GNUTYPE_LONGNAME), *[b"a" * 2**20] * 2**6),
            "a very long extension": lambda: packed(
                header(2**26, tarfile.XHDTYPE), *[b"9" * 2**20] * 2**6),
            "a declared size": lambda: packed(header(2**62), bytes(512)),
            "a sparse file": lambda: packed(header(2**40, tarfile.GNUTYPE_SPARSE), bytes(512)),
            "zip of many files": lambda: in_zip(
                zipfile.ZIP_STORED, *[("%d" % n, b"") for n in range(100001)]),
        }
        # Writing takes memory too, so all is written before anything is measured.
        for number, make in enumerate(MAKE.values()):
            make()
            Path("x").rename("x%d" % number)
        CALLS = {
            name: lambda number=number: babi_stories.read_subtask(Path("x%d" % number), 1)
            for number, name in enumerate(MAKE)
        }
        """,
        tmp_path,
        most_mib=60,
    )
    assert all(line.startswith("ConfigError: ") for line in said.values()), said
