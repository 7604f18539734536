import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from runbooks.lab.reading import wait_until
from runbooks.rotation.key_files.judge import judge, key_of
from runbooks.rotation.key_files.node import (
    ChangedError,
    NodeError,
    look,
    receive,
    write,
)
from runbooks.xfrm.keys import next_key, parse_key
from tests.rotation.fleet import KEY_HEX, key_line

ROOT = os.geteuid() == 0
NEW = parse_key(key_line(4).replace("00112233", "a0b1c2d3"))
TWO = f"3 hmac(sha256) 0x{KEY_HEX.upper()} cbc(aes) {KEY_HEX[:32]}\n"
LINES = {"AEAD": key_line(3), "two algorithms": TWO}


def script(name):
    return resources.files("runbooks.rotation.key_files").joinpath(name).read_text()


# What is seen.


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_look_sees_all_of_a_key_but_its_digits(host, line):
    host.path.write_text(line)
    seen = host.look()
    assert not seen.problem
    assert seen.mode == "640"
    real, shown = parse_key(line), key_of(seen)
    assert (shown.key_id, shown.per_tunnel) == (real.key_id, real.per_tunnel)
    assert (shown.algorithm, shown.key_bits) == (real.algorithm, real.key_bits)
    assert not any(shown.key + shown.encryption_key)
    assert KEY_HEX[:8] not in host.ran[0][1].decode().lower()


def test_the_next_key_can_be_drawn_from_what_is_seen(host):
    new = next_key(key_of(host.look()))
    assert (new.key_id, new.per_tunnel, new.key_bits) == (4, True, 160)
    assert any(new.key)


def test_the_same_key_has_the_same_hash_however_it_is_written(host):
    one = host.look()
    host.path.write_text(f"3+  rfc4106(gcm(aes))\t0x{KEY_HEX.upper()} 128\r\n\n")
    other = host.look()
    assert one.key_sha256 == other.key_sha256
    assert one.sha256 != other.sha256


MALFORMED = {
    "": "empty",
    key_line(3) + key_line(4): "2 lines",
    f"3+ rfc4106(gcm(aes)) {KEY_HEX}": "too few",
    f"{KEY_HEX} rfc4106(gcm(aes)) {KEY_HEX} 128": "outside 1 to 15",
    f"x rfc4106(gcm(aes)) {KEY_HEX} 128": "not a number",
    f"3+ {KEY_HEX} rfc4106(gcm(aes)) 128": "wrong order",
    f"3+ rfc4106(gcm(aes)){KEY_HEX} x 128": "wrong order",
    f"3+ rfc4106(gcm(aes)) {KEY_HEX}z 128": "hexadecimal",
    f"3+ rfc4106(gcm(aes)) {KEY_HEX} {KEY_HEX}": "ICV length",
    f"16+ rfc4106(gcm(aes)) {KEY_HEX} 128": "key ID 16 is outside",
}


@pytest.mark.parametrize(("line", "said"), MALFORMED.items(), ids=MALFORMED.values())
def test_each_malformed_file_has_the_sentence_of_a_malformed_secret(host, line, said):
    host.path.write_text(line)
    (reason,) = judge([host.look()], None).reasons
    assert reason.startswith(f"Host host1: {host.path} is malformed: ")
    assert said in reason
    assert KEY_HEX[:8].encode() not in host.ran[0][1]


def remove(host):
    host.path.unlink()


def link(host):
    host.path.rename(host.folder / "..data")
    host.path.symlink_to("..data")


def replace_with_a_folder(host):
    host.path.unlink()
    host.path.mkdir()


def move_away(host):
    shutil.rmtree(host.folder)


USELESS = {
    remove: "keys is missing: there is no key to rotate",
    link: "is a symbolic link to ..data, which a replaced file would break",
    replace_with_a_folder: "is no regular file",
    move_away: "is not there, or not open to Ansible's user",
}


@pytest.mark.parametrize(("make", "said"), USELESS.items(), ids=lambda x: str(x)[:20])
def test_file_that_a_rename_can_t_replace_has_its_sentence(host, make, said):
    make(host)
    assert said in host.look().problem


@pytest.mark.skipif(not ROOT, reason="needs root to mount")
def test_file_that_is_a_mount_of_its_own_has_its_sentence(host):
    command = f'mount --bind {host.path} {host.path} && exec sh -c "$0" key-file'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, script("look.sh")],
        input=f"look\n{host.path}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert "key-file: problem mounted" in done.stdout


def test_host_without_a_tool_is_told(host, tmp_path):
    (tmp_path / "bin").mkdir()
    for tool in ("cat", "awk"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))

    def poor(text, given):
        return host.shell(f"PATH={tmp_path}/bin\n{text}", given)

    seen = look(poor, "host1", str(host.path))
    assert seen.problem == "it has no chmod, which the rotation needs there"


def test_host_that_does_not_answer_is_told():
    def gone(_script, _given):
        raise NodeError("no route to host")

    assert look(gone, "host1", "/etc/ipsec/keys").problem == "no route to host"


# The key on its way.


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_key_leaves_a_host_under_a_pad_only(host, line):
    host.path.write_text(line)
    seen = host.look()
    assert receive(host.shell, seen) == parse_key(line)
    sent = [out for _, out in host.ran[1:]]
    receive(host.shell, seen)
    sent.append(host.ran[-1][1])
    assert sent[0] != sent[1]
    for out in sent:
        assert KEY_HEX[:8] not in out.decode().lower()


def test_key_that_changed_since_the_look_is_not_taken(host):
    seen = host.look()
    host.path.write_text(key_line(4))
    with pytest.raises(ChangedError, match="somebody else changed"):
        receive(host.shell, seen)


# The file that is replaced.


@pytest.mark.parametrize("first", [True, False])
def test_file_is_replaced_with_its_owner_and_mode_0600(host, first):
    if ROOT:
        os.chown(host.path, 4711, 4712)
    before = host.path.stat()
    with host.path.open() as still_open:
        assert write(host.shell, host.look(), NEW, first=first)
        # A rename: who reads the old file reads all of it.
        assert still_open.read() == key_line(3)
    after = host.path.stat()
    assert host.path.read_text() == NEW.line() + "\n"
    assert after.st_mode & 0o7777 == 0o600
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert host.beside == []


@pytest.mark.parametrize("first", [True, False])
def test_file_that_has_the_key_is_left_alone(host, first):
    write(host.shell, host.look(), NEW, first=False)
    before = host.path.stat()
    assert not write(host.shell, host.look(), NEW, first=first)
    assert host.path.stat() == before
    assert host.beside == []


@pytest.mark.parametrize("first", [True, False])
def test_lost_answer_is_no_second_change(host, first):
    seen = host.look()
    write(host.shell, seen, NEW, first=first)
    assert not write(host.shell, seen, NEW, first=first)


@pytest.mark.parametrize("at", [1, 2])
def test_file_that_somebody_changed_meanwhile_is_left_alone(host, at):
    theirs = key_line(9)
    host.before = {at: lambda: host.path.write_text(theirs)}
    with pytest.raises(ChangedError, match="somebody else changed"):
        write(host.shell, host.look(), NEW, first=at == 2)
    assert host.path.read_text() == theirs
    assert host.beside == []


@pytest.mark.parametrize("keep", [20, -1])
def test_connection_that_breaks_off_leaves_the_old_file(host, keep):
    seen = host.look()

    def cut(text, given):
        return host.shell(text, given[: given.index(b"4+") + keep])

    with pytest.raises(NodeError, match="cut before the whole file"):
        write(cut, seen, NEW, first=False)
    assert host.path.read_text() == key_line(3)
    assert host.beside == []


def test_other_node_than_the_one_looked_at_is_not_written(host):
    elsewhere = replace(host.look(), boot_id="00000000-0000-4000-8000-000000000009")
    with pytest.raises(NodeError, match="another node answered"):
        write(host.shell, elsewhere, NEW, first=False)
    assert host.path.read_text() == key_line(3)


def test_request_of_a_killed_run_can_t_bring_in_its_key_later(host):
    def clean_first(text, given):
        # The next run cleans up before it looks, and draws a key of its own.
        if given.startswith(b"commit"):
            host.look(clean=True)
        return host.shell(text, given)

    with pytest.raises(ChangedError, match="removed by another run"):
        write(clean_first, host.look(), NEW, first=True)
    assert host.path.read_text() == key_line(3)
    assert host.beside == []


def test_script_that_is_ended_takes_its_file_with_it(host):
    seen = host.look()
    process = subprocess.Popen(
        ["/bin/sh", "-c", script("write.sh"), "key-file"], stdin=subprocess.PIPE
    )
    head = f"write\n{host.path}\n{seen.boot_id}\n{seen.sha256} {'0' * 64}\n"
    process.stdin.write(head.encode() + b"4+ rfc")
    process.stdin.flush()
    wait_until(lambda: host.beside, "nothing was put beside the file", 10)
    process.send_signal(signal.SIGTERM)
    process.stdin.close()
    assert process.wait(10)
    assert host.beside == []
    assert host.path.read_text() == key_line(3)


def test_look_alone_removes_nothing(host):
    left = Path(tempfile.mkstemp(prefix=".keys.next.", dir=host.folder)[1])
    host.look()
    assert left.exists()
    host.look(clean=True)
    assert not left.exists()
