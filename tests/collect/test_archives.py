"""Sysdumps, bugtool archives and snapshot folders in their many shapes."""

import io
import json
import re
import tarfile

import pytest

from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.errors import UsageError
from runbooks.diagnose import diagnose
from runbooks.diagnose.finding import Code
from tests.collect.archives import (
    NODES,
    STAMP,
    node_files,
    objects,
    sysdump_files,
    write_folder,
    write_tar,
    write_zip,
)

BROKEN = {("n1", "n2"), ("n3", "n2")}


def pairs(samples):
    return {(f.source, f.destination) for f in diagnose(samples).alarming}


def names(samples):
    return sorted(samples.first.nodes)


def test_sysdump_zip_is_read_with_pods_and_cause(tmp_path):
    samples = read_archive(write_zip(tmp_path / "dump.zip", sysdump_files("broken")))

    diagnosis = diagnose(samples)

    assert names(samples) == list(NODES)
    assert pairs(samples) == BROKEN
    assert {f.cause for f in diagnosis.findings} == {Code.KVSTORE_LEASE_EXPIRED}
    assert samples.first.nodes["n2"].agent.restarts == 1
    assert diagnosis.incomplete == ()


def test_unpacked_sysdump_reads_the_same(tmp_path):
    folder = write_folder(tmp_path / "dump", sysdump_files("broken"))

    inner = next(folder.iterdir())

    assert pairs(read_archive(folder)) == pairs(read_archive(inner)) == BROKEN


def test_sysdump_with_agents_archives_left_packed_reads_the_same(tmp_path):
    files = {name: text.encode() for name, text in objects().items()}
    for node in NODES:
        top = f"cilium-bugtool-20261122-233414.123+0000-UTC-{node}7"
        inner = {f"{top}/{n}": t for n, t in node_files("broken", node).items()}
        path = write_tar(tmp_path / f"{node}.tar.gz", inner, "w:gz", 1_795_390_454)
        files[f"cilium-bugtool-cilium-x{node}-{STAMP}.tar.gz"] = path.read_bytes()
        path.unlink()
    folder = tmp_path / "dump"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    samples = read_archive(folder)

    assert names(samples) == list(NODES)
    assert pairs(samples) == BROKEN


def test_agents_read_minutes_apart_under_traffic_are_no_finding(tmp_path):
    """n2 was read last: 30,000 packets further on than what its peers had sent."""
    files = {}
    for number, node in enumerate(("n1", "n3", "n2")):
        top = f"cilium-bugtool-20261122-23341{number}.1+0000-UTC-{number}"
        inner = {f"{top}/{n}": t for n, t in node_files("healthy", node).items()}
        if node == "n2":
            name = f"{top}/cmd/ip--s-xfrm-state.md"
            inner[name] = re.sub(
                r"seq-hi 0x0, seq 0x(?!0,)([0-9a-f]+)",
                lambda m: f"seq-hi 0x0, seq {int(m[1], 16) + 30_000:#x}",
                inner[name],
            )
        path = tmp_path / f"{node}.tar.gz"
        write_tar(path, inner, "w:gz", 1_795_390_454 + 120 * number)
        files[f"cilium-bugtool-cilium-x{node}-{STAMP}.tar.gz"] = path.read_bytes()
    path = write_zip(tmp_path / "dump.zip", {**files, **objects()})

    samples = read_archive(path)
    ahead = {s.seq for s in samples.first.nodes["n2"].states if s.seq > 30_000}

    assert samples.first.nodes["n2"].clock_s == 1_795_390_454 + 240
    assert len(ahead) >= 1
    assert diagnose(samples).exit_code == 0


def test_storm_of_long_ago_in_an_archive_is_no_finding(tmp_path):
    files = sysdump_files("healthy")
    for name in files:
        if name.endswith("xfrm_stat.md"):
            files[name] = re.sub(r"(XfrmIn\w+\s+)\d+", r"\g<1>987654", files[name])

    diagnosis = diagnose(read_archive(write_zip(tmp_path / "dump.zip", files)))

    assert (diagnosis.findings, diagnosis.exit_code) == ((), 0)


def listed(node, node_ip, own_ip, cluster=""):
    """A node as ``cilium-dbg node list -o json`` has it."""
    return {
        "name": f"{cluster}{node}",
        "primary-address": {
            "ipv4": {"alloc-range": f"{own_ip}/24", "enabled": True, "ip": node_ip},
            "ipv6": {},
        },
        "secondary-addresses": [{"ip": own_ip}],
        "source": "local" if node == "n2" else "kvstore",
    }


@pytest.mark.parametrize("cluster", ["", "west/"])
def test_lone_bugtool_archive_names_peers_as_its_agent_does(tmp_path, cluster):
    top = "cilium-bugtool-20261122-233414.123+0000-UTC-12345"
    files = {f"{top}/{n}": t for n, t in node_files("broken", "n2").items()}
    files[f"{top}/cmd/cilium-dbg-node-list--o-json.md"] = json.dumps(
        [
            listed("n1", "10.9.0.11", "10.20.1.5", cluster),
            listed("n2", "10.9.0.12", "10.20.2.70", cluster),
            listed("n3", "10.9.0.13", "10.20.3.31", cluster),
            listed("gone", "10.9.0.99", "10.20.99.1", cluster),
            "nonsense",
        ]
    )
    path = write_tar(tmp_path / "bugtool.tar", files, "w", 1_795_390_454)

    samples = read_archive(path)
    diagnosis = diagnose(samples)

    assert {n.name: n.read for n in diagnosis.nodes} == {
        "n1": False,
        "n2": True,
        "n3": False,
    }
    n1 = samples.first.cluster.cilium_nodes["n1"]
    assert (n1.internal_ips, n1.cilium_internal_ips) == (("10.9.0.11",), ("10.20.1.5",))


@pytest.mark.parametrize(("mode", "end"), [("w", ".tar"), ("w:gz", ".tar.gz")])
def test_lone_bugtool_archive_takes_its_name_from_the_host(tmp_path, mode, end):
    top = "cilium-bugtool-20261122-233414.123+0000-UTC-12345"
    files = {f"{top}/{n}": t for n, t in node_files("broken", "n2").items()}
    files[f"{top}/cmd/hostname.md"] = "n2\n"
    path = write_tar(tmp_path / f"bugtool{end}", files, mode, 1_795_390_454)

    samples = read_archive(path)
    diagnosis = diagnose(samples)

    assert names(samples) == ["n2"]
    assert samples.first.nodes["n2"].clock_s == 1_795_390_454
    assert diagnosis.exit_code == 3
    assert len([n for n in diagnosis.nodes if not n.read]) == 2


def test_bugtool_folders_of_several_nodes_are_told_apart_by_boot_id(tmp_path):
    files = {f"ciliumnodes-{STAMP}.yaml": objects()[f"ciliumnodes-{STAMP}.yaml"]}
    for number, node in enumerate(NODES):
        top = f"cilium-bugtool-20261122-233414.123+0000-UTC-{number}"
        files |= {f"{top}/{n}": t for n, t in node_files("broken", node).items()}

    samples = read_archive(write_folder(tmp_path / "all", files))

    assert names(samples) == list(NODES)
    assert pairs(samples) == BROKEN


def test_sysdump_without_the_clusters_objects_keeps_its_nodes_apart(tmp_path):
    files = {n: t for n, t in sysdump_files("broken").items() if "bugtool" in n}
    samples = read_archive(write_zip(tmp_path / "dump.zip", files))

    assert names(samples) == [f"cilium-x{node}" for node in NODES]
    assert pairs(samples) == {(f"cilium-x{a}", f"cilium-x{b}") for a, b in BROKEN}


def test_one_agents_folder_is_not_named_after_the_sysdump_around_it(tmp_path):
    files = {n: t for n, t in sysdump_files("broken").items() if "-xn2-" in n}
    samples = read_archive(write_zip(tmp_path / "dump.zip", files))

    assert "cilium-xn2" in names(samples)
    assert not any("sysdump" in name for name in names(samples))


def test_agents_archives_put_into_one_folder_go_by_their_own_names(tmp_path):
    for node in NODES:
        top = f"cilium-bugtool-20261122-233414.123+0000-UTC-{node}7"
        files = {f"{top}/{n}": t for n, t in node_files("broken", node).items()}
        write_tar(tmp_path / f"{node}.tar.gz", files, "w:gz", 1_763_854_454)

    samples = read_archive(tmp_path)

    assert names(samples) == list(NODES)
    assert pairs(samples) == BROKEN


def test_two_sysdumps_at_once_are_refused(tmp_path):
    files = {
        f"{phase}/{name}": text
        for phase in ("healthy", "broken")
        for name, text in sysdump_files(phase).items()
    }
    with pytest.raises(UsageError, match=r"holds n1 twice.*one dump at a time"):
        read_archive(write_zip(tmp_path / "dumps.zip", files))


def test_node_that_is_there_twice_and_the_same_is_one_node(tmp_path):
    files = sysdump_files("broken")
    copies = {f"copy/{name}": t for name, t in files.items() if "-xn1-" in name}
    samples = read_archive(write_zip(tmp_path / "dump.zip", files | copies))

    assert names(samples) == list(NODES)
    assert pairs(samples) == BROKEN


@pytest.mark.parametrize("layout", ["nested", "flat", "no suffix", "within bugtool"])
def test_snapshot_folder_names_its_nodes(tmp_path, layout):
    files = {}
    for node in NODES:
        for name, text in node_files("broken", node).items():
            bare = name.removeprefix("cmd/")
            files[
                {
                    "nested": f"{node}/{name}",
                    "flat": f"{node}/{bare}",
                    "no suffix": f"{node}/{bare.removesuffix('.md')}",
                    "within bugtool": f"{node}/cilium-bugtool-2026-1/{name}",
                }[layout]
            ] = text

    samples = read_archive(write_folder(tmp_path / "snapshot", files))

    assert names(samples) == list(NODES)
    assert pairs(samples) == BROKEN


def test_markdown_around_the_output_is_taken_off(tmp_path):
    files = {
        f"{node}/{name}": f"# some command\n\n```\n{text}\n```\n"
        for node in NODES
        for name, text in node_files("broken", node).items()
    }

    samples = read_archive(write_folder(tmp_path / "snapshot", files))

    assert pairs(samples) == BROKEN
    assert samples.first.nodes["n1"].boot_id.count("-") == 4


def test_dump_that_is_cut_off_leaves_its_node_unread_with_a_sentence(tmp_path):
    files = sysdump_files("healthy")
    (name,) = [n for n in files if "xn2" in n and n.endswith("xfrm-state.md")]
    files[name] = files[name][:3000]

    diagnosis = diagnose(read_archive(write_zip(tmp_path / "dump.zip", files)))

    assert diagnosis.exit_code == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n2"]
    assert any(
        s.startswith("n2: its XFRM states can't be read") for s in diagnosis.incomplete
    )


def test_command_that_failed_leaves_its_node_unread(tmp_path):
    files = sysdump_files("healthy")
    (name,) = [n for n in files if "xn2" in n and n.endswith("xfrm-state.md")]
    files[name] = "\n> Error while running 'ip -s xfrm state':  exit status 1\n\n"

    diagnosis = diagnose(read_archive(write_zip(tmp_path / "dump.zip", files)))

    assert diagnosis.exit_code == 3


def test_node_without_files_is_unread(tmp_path):
    files = {n: t for n, t in sysdump_files("healthy").items() if "-xn3-" not in n}

    diagnosis = diagnose(read_archive(write_zip(tmp_path / "dump.zip", files)))

    assert diagnosis.exit_code == 3
    assert [n.name for n in diagnosis.nodes if not n.read] == ["n3"]


def test_names_that_climb_out_of_an_archive_stay_labels(tmp_path):
    files = {f"../../{n}": t for n, t in sysdump_files("broken").items()}
    (tmp_path / "in").mkdir()
    archive = write_zip(tmp_path / "in" / "dump.zip", files)

    assert pairs(read_archive(archive)) == BROKEN
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_links_in_a_tar_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("XfrmInError 1\n")
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("n1/cmd/cat--proc-net-xfrm_stat.md")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link, io.BytesIO())

    with pytest.raises(UsageError, match="no XFRM states"):
        read_archive(path)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04broken"])
def test_file_that_is_no_archive_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "dump.zip"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=r"dump\.zip"):
        read_archive(path)


def test_quick_sysdump_without_xfrm_data_says_so(tmp_path):
    path = write_zip(tmp_path / "dump.zip", objects())

    with pytest.raises(UsageError, match="--quick"):
        read_archive(path)


def test_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no file or folder"):
        read_archive(tmp_path / "nothing")


def test_keys_in_clear_never_enter_a_snapshot(tmp_path):
    key = "0x" + "ab" * 20  # a throwaway, made up here
    text = node_files("healthy", "n1")["cmd/ip--s-xfrm-state.md"]
    first = text[text.index("[hash:") : text.index("]") + 1]
    folder = write_folder(
        tmp_path / "s", {"n1/ip--s-xfrm-state": text.replace(first, key, 1)}
    )

    assert key not in repr(read_archive(folder))
    assert "ab" * 20 not in repr(read_archive(folder))
