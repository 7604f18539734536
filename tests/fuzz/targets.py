"""What is fuzzed: each target takes bytes, and raises when something is wrong.

A parser may refuse what it is given, with the errors it promises. Anything else that
it raises, and any two ways of reading that differ, is a finding.
"""

from __future__ import annotations

import contextlib
import io
import re
import tarfile
import tempfile
import zipfile
from dataclasses import fields
from pathlib import Path

from runbooks.collect.archived_snapshot import read_archive
from runbooks.collect.errors import CollectError
from runbooks.diagnose import diagnose
from runbooks.xfrm.stat import XfrmStatError, parse_xfrm_stat
from runbooks.xfrm.text import XfrmTextError, parse_policy_text, parse_state_text
from runbooks.xfrm.text.states import parse_state_lines

RECORDINGS = Path(__file__).parents[1] / "recordings"
_STATES = RECORDINGS / "kvstore-lease-expired" / "broken" / "n2" / "xfrm_state.txt"
_POLICIES = _STATES.with_name("xfrm_policy.txt")
_COUNTERS = _STATES.with_name("xfrm_stat")
_SNAPSHOT = RECORDINGS / "snapshots" / "broken" / "n1" / "cmd"


def text(content: bytes) -> None:
    """States, policies and counters, from the same text."""
    dump = content.decode(errors="replace")
    fast, slow = _outcome(parse_state_text, dump), _outcome(parse_state_lines, dump)
    assert fast == slow, "the two readers of states differ"
    _outcome(parse_policy_text, dump)
    with contextlib.suppress(XfrmStatError):
        parse_xfrm_stat(dump)


def cut_text(content: bytes) -> None:
    """A dump that was read, without its last bytes: less of the same, or refused."""
    dump = content.decode(errors="replace")
    whole = _outcome(parse_state_lines, dump)
    if isinstance(whole, str) or not dump.endswith("\n"):
        return
    for length in range(len(dump) - 1, max(len(dump) - 60, 0), -1):
        part = _outcome(parse_state_lines, dump[:length])
        if not isinstance(part, str):
            assert part == whole[: len(part)], "a part of a state was believed"


def archive(content: bytes) -> None:
    """A file given as an archive, up to the diagnosis."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(content)
        file.flush()
        _read(Path(file.name))


def archived_files(content: bytes) -> None:
    """A zip with a node's files, of which one is replaced or added."""
    name, _, rest = content.partition(b"\n")
    label = name.decode(errors="replace").replace("\0", "") or "n1/ip-a"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as written:
        for path in sorted(_SNAPSHOT.iterdir()):
            if not label.endswith(path.name):
                written.writestr(f"n1/cmd/{path.name}", path.read_bytes())
        written.writestr(label[:200], rest)
    archive(out.getvalue())


TARGETS = {
    target.__name__: target for target in (text, cut_text, archive, archived_files)
}


def seeds(name: str) -> list[bytes]:
    """Where to begin."""
    states = _STATES.read_bytes()
    one = states[: states.index(b"\nsrc ") + 1]
    policies = _POLICIES.read_bytes()[:1500]
    small = re.sub(rb"(\t ([0-9a-f]{8} ){8}\n)+", b"\t 0000ffff \n", one).replace(
        b"bitmap-length 32", b"bitmap-length 1"
    )
    dumps = [small, one, small + small, policies, _COUNTERS.read_bytes()]
    match name:
        case "text" | "cut_text":
            return [*dumps, b"# ip -s xfrm state\n\n```\n" + dumps[0] + b"```\n"]
        case "archived_files":
            objects = b"items:\n- metadata: {name: n1}\n  spec: {addresses: []}\n"
            return [
                b"n1/cmd/ip--s-xfrm-state.md\n" + dumps[0],
                b"ciliumnodes.yaml\n" + objects,
                b"k8s-pods.yaml\n" + objects,
                b'reading.json\n{"first": {"n1": {"read_s": 1, "unread": []}}}',
                b"n1/cmd/cilium-dbg-node-list--o-json.md\n[]",
            ]
        case _:
            return [_packed("w", small), _packed("w:gz", small), _zipped(small)]


def _packed(mode: str, states: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as written:
        for name in ("n1", "cilium-bugtool-1-2"):
            info = tarfile.TarInfo(f"{name}/cmd/ip--s-xfrm-state.md")
            info.size = len(states)
            written.addfile(info, io.BytesIO(states))
    return out.getvalue()


def _zipped(states: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("n1/cmd/ip--s-xfrm-state.md", states)
        written.writestr("cilium-bugtool-n2-1.tar.gz", _packed("w:gz", states))
    return out.getvalue()


def _outcome(parse, dump: str) -> list[tuple] | str:
    try:
        read = parse(dump)
    except XfrmTextError as refusal:
        if not 1 <= refusal.line <= dump.count("\n") + 1:
            raise AssertionError("there is no such line") from refusal
        return str(refusal)
    return [tuple(getattr(item, f.name) for f in fields(item)) for item in read]


def _read(path: Path) -> None:
    try:
        samples = read_archive(path)
    except CollectError:
        return
    for node in samples.first.nodes.values():
        assert node.name.encode()
    diagnose(samples)
