"""The quick summary of a kernel's states."""

import errno
import json

import pytest

from runbooks.xfrm import read_states
from runbooks.xfrm.columns import read_state_columns
from runbooks.xfrm.wire import XfrmDumpError, XfrmError

from .replies import RECORDED, state_reply


def test_states_are_counted_by_direction_and_spi(monkeypatch, capsys):
    alien = state_reply(RECORDED[0][16:240], [])
    columns = read_state_columns([RECORDED[1], alien])
    monkeypatch.setattr(read_states, "dump_state_columns", lambda: columns)

    assert read_states.main() == 0

    assert json.loads(capsys.readouterr().out) == {
        "states": 17,
        "spis": {"inbound 7": 4, "inbound 8": 4, "outbound 7": 4, "outbound 8": 4},
        "replay_errors": sum(columns.replay_errors),
        "integrity_errors": sum(columns.integrity_errors),
    }
    assert sum(columns.integrity_errors) > 0


@pytest.mark.parametrize(
    "error",
    [
        XfrmError(errno.EPERM, "cannot read the XFRM states: Operation not permitted"),
        XfrmDumpError("cannot read the XFRM states: cut short"),
    ],
)
def test_what_could_not_be_read_is_said(monkeypatch, capsys, error):
    def refuse():
        raise error

    monkeypatch.setattr(read_states, "dump_state_columns", refuse)

    assert read_states.main() == 3

    said = capsys.readouterr()
    assert said.out == ""
    assert "cannot read the XFRM states" in said.err
