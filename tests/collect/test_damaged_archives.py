"""Archives that are cut off, damaged, encrypted or oddly written."""

import os
import struct
import tarfile
import zipfile

import pytest

from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.errors import UsageError
from runbooks.diagnose import diagnose
from tests.collect.archives import (
    NODES,
    STAMP,
    exit_code,
    node_files,
    objects,
    state_file,
    sysdump_files,
    write_folder,
    write_members,
    write_tar,
    write_zip,
)

STATES = "cmd/ip--s-xfrm-state.md"
MTIME_S = 1_795_390_454


def packed_bugtool(path, node="n2"):
    top = f"cilium-bugtool-20261122-233414.123+0000-UTC-{node}7"
    files = {f"{top}/{n}": t for n, t in node_files("healthy", node).items()}
    return write_tar(path, files, "w:gz", MTIME_S)


def with_fields_of_member(path, name, **fields):
    """Change a member's fields in both of a zip's headers."""
    places = {"flags": (6, 8), "method": (8, 10)}
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as opened:
        local = opened.getinfo(name).header_offset
    central = content.index(b"PK\x01\x02")
    while content[central + 46 :][: len(name)] != name.encode():
        central = content.index(b"PK\x01\x02", central + 1)
    for field, value in fields.items():
        for start, place in zip((local, central), places[field], strict=True):
            struct.pack_into("<H", content, start + place, value)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"flags": 1}, "it is encrypted"), ({"method": 99}, "compression")],
)
def test_member_that_can_not_be_opened_leaves_its_node_unread(
    tmp_path, fields, problem
):
    files = sysdump_files("healthy")
    path = write_zip(tmp_path / "a.zip", files)
    with_fields_of_member(path, state_file(files), **fields)

    diagnosis = diagnose(read_archive(path))

    assert diagnosis.exit_code == exit_code(path) == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n2"]
    (sentence,) = [s for s in diagnosis.incomplete if problem in s]
    assert sentence.startswith(f"{state_file(files)} can't be read: ")


def test_encrypted_archive_says_so(tmp_path):
    path = write_zip(tmp_path / "a.zip", {f"n1/{STATES}": "x"})
    with_fields_of_member(path, f"n1/{STATES}", flags=1)

    with pytest.raises(UsageError, match="it is encrypted"):
        read_archive(path)
    assert exit_code(path) == 2


def test_damaged_member_leaves_its_node_unread(tmp_path):
    files = sysdump_files("healthy")
    path = write_zip(tmp_path / "a.zip", files)
    text = files[state_file(files)].encode()
    path.write_bytes(path.read_bytes().replace(text, text.replace(b"src", b"scr"), 1))

    diagnosis = diagnose(read_archive(path))

    assert diagnosis.exit_code == 3
    assert any("Bad CRC-32" in s for s in diagnosis.incomplete)


@pytest.mark.parametrize("kept", [0, 10, 300])
def test_agents_archive_that_is_cut_off_leaves_its_node_unread(tmp_path, kept):
    """No CiliumNodes: only the archive's name tells that there is a node."""
    folder = write_folder(
        tmp_path / "dump",
        {n: t for n, t in objects().items() if n.startswith("k8s-pods")},
    )
    for node in NODES:
        name = f"cilium-bugtool-cilium-x{node}-{STAMP}.tar.gz"
        packed_bugtool(folder / name, node)
    broken = folder / f"cilium-bugtool-cilium-xn2-{STAMP}.tar.gz"
    broken.write_bytes(broken.read_bytes()[:kept])

    diagnosis = diagnose(read_archive(folder))

    assert diagnosis.exit_code == 3
    assert "n2" in [n.name for n in diagnosis.nodes if not n.read]
    assert {n.name for n in diagnosis.nodes if n.read} == {"n1", "n3"}
    assert any(
        s.startswith(f"{broken.name} can't be read: ") for s in diagnosis.incomplete
    )


@pytest.mark.parametrize("kept", [300, -1000])
def test_archive_that_could_be_unpacked_in_part_is_read_where_it_is_whole(
    tmp_path, kept
):
    """As cilium-cli leaves it: the packed one, and what it could unpack of it."""
    files = sysdump_files("healthy")
    folder = state_file(files).rpartition("/cmd/")[0]
    for name in [n for n in files if n.startswith(folder)]:
        states = files.pop(name)
        if name.endswith("xfrm-state.md"):
            files[name] = states[: states.index("\nsrc ") + 1]  # after one state
    inner = {
        STATES: node_files("healthy", "n2")[STATES],
        "cmd/tc": os.urandom(9999).hex(),
    }
    packed = write_tar(tmp_path / "packed", inner, "w:gz", MTIME_S).read_bytes()
    path = write_zip(tmp_path / "a.zip", files)
    with zipfile.ZipFile(path, "a") as out:
        out.writestr(f"{folder}.tar.gz", packed[:kept])

    samples = read_archive(path)
    diagnosis = diagnose(samples)

    states = samples.first.nodes["n2"].states
    assert states is None if kept > 0 else len(states) == 8
    assert diagnosis.findings == ()
    assert diagnosis.exit_code == (3 if kept > 0 else 0)
    assert any(s.startswith(f"{folder}.tar.gz") for s in diagnosis.incomplete)


def test_tar_cut_off_anywhere_is_refused(tmp_path):
    files = {f"n1/{n}": t for n, t in node_files("healthy", "n1").items()}
    path = write_tar(tmp_path / "a.tar", files, "w", MTIME_S)
    content = path.read_bytes()
    with tarfile.open(path) as opened:
        members = opened.getmembers()
    end = members[-1].offset_data + -(-members[-1].size // 512) * 512
    cuts = {m.offset for m in members} | {m.offset + 100 for m in members}
    for length in {*cuts, *(m.offset_data + 10 for m in members), end, end + 100}:
        path.write_bytes(content[:length])
        with pytest.raises(UsageError, match=r"a\.tar"):
            read_archive(path)
    assert exit_code(path) == 2


def test_zip_that_is_cut_off_says_so(tmp_path):
    path = write_zip(tmp_path / "a.zip", sysdump_files("healthy"))
    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(UsageError, match="begins as a zip does, and is cut off"):
        read_archive(path)


def test_tar_with_a_damaged_header_is_refused(tmp_path):
    files = {f"n{i}/{STATES}": "" for i in range(3)}
    path = write_tar(tmp_path / "a.tar", files, "w", MTIME_S)
    content = bytearray(path.read_bytes())
    content[512 + 150] ^= 0xFF
    path.write_bytes(content)

    with pytest.raises(UsageError, match="the end is missing"):
        read_archive(path)


def test_tar_with_a_zip_at_its_end_is_a_tar(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", {"a": "b"}).read_bytes()
    members = [
        (tarfile.TarInfo(f"n1/{STATES}"), b""),
        (tarfile.TarInfo("inner.zip"), inner),
    ]

    assert {*read_archive(write_members(tmp_path / "a", members)).first.nodes} == {"n1"}


def test_archives_are_opened_no_deeper_than_sysdumps_go(tmp_path):
    content = node_files("healthy", "n1")[STATES].encode()
    member = tarfile.TarInfo(f"n1/{STATES}")
    for depth in range(4):
        path = write_members(tmp_path / f"{depth}.tar", [(member, content)])
        if depth < 3:
            assert "n1" in read_archive(path).first.nodes
        else:
            with pytest.raises(UsageError, match="no XFRM states"):
                read_archive(path)
        member, content = tarfile.TarInfo(f"{depth}.tar"), path.read_bytes()


@pytest.mark.parametrize("same", [True, False])
def test_file_that_is_there_twice_counts_once(tmp_path, same):
    files = sysdump_files("healthy")
    path = write_zip(tmp_path / "a.zip", files)
    name = state_file(files)
    again = files[name] if same else files[state_file(files, "n1")]
    with (
        zipfile.ZipFile(path, "a") as out,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        out.writestr(name, again)

    samples = read_archive(path)

    assert samples.first.nodes["n2"].states == (
        read_archive(write_zip(tmp_path / "b.zip", files)).first.nodes["n2"].states
    )
    told = [s for s in samples.first.cluster.unread if "there twice" in s]
    assert len(told) == (not same)


@pytest.mark.parametrize("reverse", [False, True])
def test_dump_with_statistics_counts_beside_one_without(tmp_path, reverse):
    text = node_files("healthy", "n1")[STATES]
    poor = (
        "".join(
            line
            for line in text.splitlines(keepends=True)
            if not line.startswith(("\tlifetime", "\tstats", "\t  "))
        )
        .replace("(7)", "")
        .replace("(0x00000001)", "")
    )
    both = [("n1/ip-xfrm-state", poor), ("n1/ip--s-xfrm-state", text)]
    if reverse:
        both.reverse()

    samples = read_archive(write_zip(tmp_path / "a.zip", dict(both)))

    assert all(state.added_s for state in samples.first.nodes["n1"].states)


def test_content_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    files = {f"n1/{n}": t.encode() for n, t in node_files("healthy", "n1").items()}
    files[f"n1/{STATES}"] = files[f"n1/{STATES}"].replace(
        b"seq-hi 0x0", b"seq-hi 0x\xff"
    )

    (sentence,) = (
        read_archive(write_zip(tmp_path / "a.zip", files)).first.nodes["n1"].unread
    )

    assert "line 7" in sentence


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_files_that_powershell_wrote_are_read(tmp_path, encoding):
    folder = tmp_path / "a" / "n1"
    folder.mkdir(parents=True)
    for name, text in node_files("healthy", "n1").items():
        windows = text.replace("\n", "\r\n").encode(encoding)
        (folder / name.removeprefix("cmd/")).write_bytes(windows)

    assert len(read_archive(tmp_path / "a").first.nodes["n1"].states) == 8


@pytest.mark.parametrize(
    "text",
    [
        "items: [",
        "items: {a: b}\nmetadata: [1]\n",
        "items:\n- metadata: text\n",
        "items:\n- spec: {addresses: [1]}\n  metadata: {name: n1}\n",
        "items:\n- metadata: {creationTimestamp: 2026-99-99T00:00:00Z}\n",
        "[" * 5000,
    ],
)
def test_objects_of_another_shape_are_named(tmp_path, text):
    files = sysdump_files("healthy")
    (name,) = [n for n in files if "ciliumnodes" in n]
    files[name] = text

    samples = read_archive(write_zip(tmp_path / "a.zip", files))

    assert len(samples.first.nodes) == 3
    assert [s for s in samples.first.cluster.unread if s.startswith(name)] or (
        text.startswith("items:\n- metadata: {creation")
    )


@pytest.mark.parametrize(
    "reading",
    ['{"first": {"n1": {"unread": 5, "read_s": "x"}}, "cluster": 7}', "[" * 5000, "1"],
)
def test_reading_of_another_shape_does_no_harm(tmp_path, reading):
    files = {f"n1/{n}": t for n, t in node_files("healthy", "n1").items()}

    samples = read_archive(
        write_folder(tmp_path / "a", files | {"reading.json": reading})
    )

    assert samples.first.nodes["n1"].read_s is None
    assert samples.first.cluster.unread == ()
