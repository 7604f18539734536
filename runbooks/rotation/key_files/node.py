"""One node's key file, seen and changed through a shell on that node."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Protocol

from runbooks.rotation.errors import RotationError
from runbooks.xfrm.keys import IpsecKey, parse_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbooks.collect.agent_exec import Ran

#: Before everything that a script says, to tell it from a shell's greeting.
MARK = "key-file: "

#: What a write may be answered with, other than that the file has the key now.
REFUSALS = {
    "changed": "somebody else changed {path} meanwhile",
    "cut": "the connection was cut before the whole file had arrived",
    "lost": "the file to put into place of {path} was removed by another run",
    "rebooted": "another node answered than before, or it has rebooted meanwhile",
    "refused": "{path} could not be replaced: {complaint}",
}


class NodeError(RotationError):
    """A node could not be asked, or didn't do what it was asked to."""


class ChangedError(NodeError):
    """The key file is no longer what the change was decided on."""


class Shell(Protocol):
    """Runs a script on a node.

    Raises:
        NodeError: The node can't be reached, or lets nobody in.
    """

    def __call__(self, script: str, given: bytes) -> Ran:
        """Run it, with these bytes as its standard input."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What may be known of one host's key file.

    Attributes:
        host: Name of the host in the inventory.
        path: Path of the file.
        problem: Why it can't be read or replaced, a phrase; empty if it can.
        boot_id: Boot ID of the node that answered.
        lines: Its lines, with a zero for every digit of a key.
        sha256: Hash of its content.
        key_sha256: Hash of its lines however they are written: the same key has
            the same one.
        owner: Numeric user and group.
        mode: Permissions, in octal digits.
        took_s: How long the look took, in seconds.
    """

    host: str
    path: str
    problem: str = ""
    boot_id: str = ""
    lines: tuple[str, ...] = ()
    sha256: str = ""
    key_sha256: str = ""
    owner: str = ""
    mode: str = ""
    took_s: float = 0.0


def looked_at(files: Sequence[Mapping[str, Any]]) -> tuple[KeyFile, ...]:
    """Read key files back from a task's results."""
    return tuple(KeyFile(**{**f, "lines": tuple(f.get("lines", ()))}) for f in files)


def look(shell: Shell, host: str, path: str, *, clean: bool = False) -> KeyFile:
    """Look at a host's key file.

    Args:
        shell: The way to the host.
        host: Name of the host.
        path: Absolute path of the file.
        clean: Remove first what interrupted runs left beside the file. A write of
            theirs that is still under way fails then.
    """
    action = "clean" if clean else "look"
    began = time.monotonic()
    try:
        said = _run(shell, "look.sh", f"{action}\n{path}\n".encode())
    except NodeError as error:
        return KeyFile(host, path, problem=str(error))
    took_s = round(time.monotonic() - began, 3)
    words = dict(line.partition(" ")[::2] for line in said if line[:5] != "line ")
    boot_id = words.get("boot-id", "")
    if "problem" in words or "sha256" not in words:
        what = words.get("problem", "")
        return KeyFile(host, path, problem=_problem(what, path), boot_id=boot_id)
    return KeyFile(
        host=host,
        path=path,
        boot_id=boot_id,
        lines=tuple(line[5:] for line in said if line[:5] == "line "),
        sha256=words["sha256"],
        key_sha256=words["key-sha256"],
        owner=words["owner"],
        mode=words["mode"],
        took_s=took_s,
    )


def receive(shell: Shell, seen: KeyFile) -> IpsecKey:
    """Take the key from a host that has it, into this process' memory.

    Args:
        shell: The way to the host.
        seen: Its key file, as it was looked at.

    Raises:
        ChangedError: The file holds another key by now.
        NodeError: The host doesn't send it.
    """
    digits = 2 * parse_key("\n".join(seen.lines)).key_bits // 8
    pad = secrets.token_hex((digits + 1) // 2)
    said = _run(shell, "send.sh", f"{seen.path}\n{pad}\n".encode())
    line = _without_pad(said[0].removeprefix("line "), pad)
    if hashlib.sha256(f"{line}\n".lower().encode()).hexdigest() != seen.key_sha256:
        raise ChangedError(REFUSALS["changed"].format(path=seen.path))
    return parse_key(line)


def write(shell: Shell, seen: KeyFile, key: IpsecKey, *, first: bool) -> bool:
    """Replace a host's key file with a key, in one rename.

    Args:
        shell: The way to the host.
        seen: Its key file, as it was looked at.
        key: The key.
        first: Whether no host is known to have this key. It is then put beside
            the file first, and into its place only when that is known to have
            worked: a request that a killed run leaves on its way can't bring a key
            into the cluster after the next run has drawn another.

    Returns:
        Whether the file was changed; if not, it held this key already.

    Raises:
        ChangedError: The file is no longer what was looked at.
        NodeError: The host could not be asked, or refused. Whether the file has
            the key is unclear if the connection was lost.
    """
    content = f"{key.line()}\n".encode()
    new = hashlib.sha256(content).hexdigest()
    head = f"{seen.path}\n{seen.boot_id}\n{seen.sha256} {new}\n".encode()
    if not first:
        return _written(shell, b"write\n" + head + content, seen.path)
    staged = _answer(shell, b"stage\n" + head + content, seen.path)
    if staged == "same":
        return False
    path = staged.removeprefix("staged ")
    return _written(shell, b"commit\n" + head + f"{path}\n".encode(), seen.path)


def _written(shell: Shell, given: bytes, path: str) -> bool:
    return _answer(shell, given, path) == "written"


def _answer(shell: Shell, given: bytes, path: str) -> str:
    ran = shell(_script("write.sh"), given)
    answer = next(iter(_marked(ran.out)), "")
    if answer in {"written", "same"} or answer.startswith("staged "):
        return answer
    kind = answer if answer in REFUSALS else "refused"
    why = REFUSALS[kind].format(path=path, complaint=_complaint(ran))
    raise ChangedError(why) if kind in {"changed", "lost"} else NodeError(why)


def _run(shell: Shell, name: str, given: bytes) -> list[str]:
    ran = shell(_script(name), given)
    said = _marked(ran.out)
    if not said:
        raise NodeError(f"its shell did not answer: {_complaint(ran)}")
    return said


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text()


def _marked(out: str) -> list[str]:
    return [ln.removeprefix(MARK) for ln in out.splitlines() if ln.startswith(MARK)]


def _complaint(ran: Ran) -> str:
    last = (ran.complaint.strip().splitlines() or [""])[-1]
    return last[:300].rstrip(". ") or f"exit status {ran.status}"


def _without_pad(line: str, pad: str) -> str:
    fields = line.split(" ")
    used = 0
    for place in {4: (2,), 5: (2, 4)}.get(len(fields), ()):
        digits = fields[place]
        fields[place] = "".join(
            f"{(int(digit, 16) - int(added, 16)) % 16:x}"
            for digit, added in zip(digits, pad[used:], strict=False)
        )
        used += len(digits)
    return " ".join(fields)


def _problem(what: str, path: str) -> str:
    kind, _, more = what.partition(" ")
    folder = path.rpartition("/")[0] or "/"
    return {
        "tool": f"it has no {more}, which the rotation needs there",
        "folder": f"{folder} is not there, or not open to Ansible's user; set"
        " ansible_become",
        "left-over": f"what an interrupted run left in {folder} can't be removed",
        "link": f"{path} is a symbolic link to {more}, which a replaced file would"
        " break; nodes that get the key from a mounted Secret need"
        " key_distribution: secret",
        "missing": f"{path} is missing: there is no key to rotate",
        "special": f"{path} is no regular file",
        "unreadable": f"{path} is not open to Ansible's user; set ansible_become",
        "mounted": f"{path} is a mount of its own, which can't be replaced; mount its"
        " folder into the agent instead",
        "read-only": f"{folder} is read-only for Ansible's user, so {path} can't be"
        " replaced; set ansible_become",
        "changing": f"{path} changed while it was looked at",
    }.get(kind, f"{path} could not be looked at: the answer broke off")
