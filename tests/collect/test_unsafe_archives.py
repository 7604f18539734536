"""Archives that would do harm: bombs, links, pipes, names from outside."""

import gzip
import io
import os
import tarfile
import zipfile

import pytest

from runbooks.collect import archive, unpacking
from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.errors import UsageError
from runbooks.diagnose import diagnose
from tests.collect.archives import (
    exit_code,
    node_files,
    state_file,
    sysdump_files,
    write_folder,
    write_members,
    write_tar,
    write_zip,
)

STATES = "cmd/ip--s-xfrm-state.md"
MTIME_S = 1_795_390_454


def linked(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.FIFOTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.DIRTYPE,
        b"?",
    ],
)
def test_what_is_no_file_in_a_tar_is_passed_over(tmp_path, kind):
    real = node_files("healthy", "n1")
    members = [
        (linked(f"n2/{STATES}", kind, "/etc/shadow"), b""),
        *[(tarfile.TarInfo(f"n1/{n}"), t.encode()) for n, t in real.items()],
    ]

    samples = read_archive(write_members(tmp_path / "a.tar", members))

    assert {*samples.first.nodes} == {"n1"}
    assert len(samples.first.nodes["n1"].states) == 8


def test_links_and_pipes_in_a_folder_are_passed_over(tmp_path):
    folder = write_folder(tmp_path / "a", {f"n1/{STATES}": ""})
    secret = tmp_path / "secret"
    secret.write_text("src\n")
    (folder / "n2").mkdir()
    (folder / "n2" / "ip--s-xfrm-state").symlink_to(secret)
    (folder / "n3").mkdir()
    os.mkfifo(folder / "n3" / "ip--s-xfrm-state")
    (folder / "n4").symlink_to(folder / "n1")

    assert {*read_archive(folder).first.nodes} == {"n1"}


def test_link_in_a_zip_is_passed_over(tmp_path):
    path = write_zip(tmp_path / "a.zip", {f"n1/{STATES}": ""})
    with zipfile.ZipFile(path, "a") as out:
        info = zipfile.ZipInfo(f"n2/{STATES}")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        out.writestr(info, "/etc/shadow")

    assert {*read_archive(path).first.nodes} == {"n1"}


def test_pipe_instead_of_an_archive_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(UsageError, match="neither a file nor a folder"):
        read_archive(tmp_path / "pipe")


@pytest.mark.parametrize("top", ["/", "//", "../../", "C:\\", "a/../../"])
@pytest.mark.parametrize("write", ["zip", "tar"])
def test_names_from_outside_are_labels_only(tmp_path, top, write):
    files = {f"{top}n1/{n}": t for n, t in node_files("healthy", "n1").items()}
    path = tmp_path / "in" / "a"
    path.parent.mkdir()
    if write == "zip":
        write_zip(path, files)
    else:
        write_tar(path, files, "w", MTIME_S)

    assert {*read_archive(path).first.nodes} == {"n1"}
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "a"]


def test_names_with_control_characters_reach_no_terminal(tmp_path):
    files = {f"n1\x1b[2J\x07/{n}": t for n, t in node_files("healthy", "n1").items()}

    (name,) = read_archive(write_zip(tmp_path / "a.zip", files)).first.nodes

    assert name.isprintable()


def test_names_that_are_not_utf_8_can_be_printed(tmp_path):
    member = tarfile.TarInfo(f"n\udce9/{STATES}")

    (name,) = read_archive(
        write_members(tmp_path / "a.tar", [(member, b"")])
    ).first.nodes

    assert name.encode()


@pytest.fixture
def small_allowance(monkeypatch):
    monkeypatch.setattr(unpacking, "HARMLESS", 100_000)


ZEROS = bytes(20_000_000)


@pytest.mark.usefixtures("small_allowance")
def test_bomb_in_a_compressed_tar_is_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as out:
        inner = write_members(
            tmp_path / "a.tar", [(tarfile.TarInfo("n1/cmd/other.md"), ZEROS)]
        )
        out.write(inner.read_bytes())

    with pytest.raises(UsageError, match=r"a\.tar\.gz unpacks to more than 250 times"):
        read_archive(path)
    assert exit_code(path) == 2


@pytest.mark.usefixtures("small_allowance")
@pytest.mark.parametrize("name", [f"n1/{STATES}", "cilium-bugtool-a-1.tar.gz"])
def test_bomb_in_a_zip_is_refused(tmp_path, name):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as tar:
            info = tarfile.TarInfo("other")
            info.size = len(ZEROS)
            tar.addfile(info, io.BytesIO(ZEROS))
        out.writestr(name, gzip.compress(inner.getvalue()) if "tar" in name else ZEROS)

    with pytest.raises(UsageError, match=r"a\.zip unpacks to more than 250 times"):
        read_archive(path)


def test_bombs_side_by_side_come_out_of_one_allowance(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "HARMLESS", 400_000)
    monkeypatch.setattr(unpacking, "LARGEST_RATIO", 1)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for number in range(5):
            out.writestr(f"n{number}/{STATES}", bytes(100_000))

    with pytest.raises(UsageError, match="unpacks to more than"):
        read_archive(path)


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_FILES", 10)

    with pytest.raises(UsageError, match="more than 10 files"):
        read_archive(write_zip(tmp_path / "a.zip", sysdump_files("healthy")))


def test_dumps_that_are_too_many_to_hold_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 10_000)

    with pytest.raises(UsageError, match="more than 10,000 bytes"):
        read_archive(write_zip(tmp_path / "a.zip", sysdump_files("healthy")))


def test_file_larger_than_any_dump_leaves_its_node_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_FILE", 20_000)
    files = sysdump_files("healthy")
    files[state_file(files)] += "\n" * 20_000

    diagnosis = diagnose(read_archive(write_zip(tmp_path / "a.zip", files)))

    assert diagnosis.exit_code == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n2"]
    assert any("more than any dump" in s for s in diagnosis.incomplete)
