"""Everything against a real kernel, in one start of it."""

import json
from pathlib import Path

import pytest

from tests.guest import run_in_guest

pytestmark = pytest.mark.lab

READINGS = Path(__file__).parent / "guest" / "readings.py"
SCRIPT = f"""\
modprobe -d /run esp6
key=0x$(printf '%040d' 7)
mark='mark 0x10d00 mask 0xffff0f00 output-mark 0xd00 mask 0xffffff00'
for ends in 'src 10.1.0.1 dst 10.1.0.2' 'src fd00::1 dst fd00::2'; do
  ip xfrm state add $ends proto esp spi 3 reqid 1 mode tunnel $mark \\
    replay-window 1024 flag esn aead 'rfc4106(gcm(aes))' $key 128
  ip xfrm state add $ends proto esp spi 4 reqid 1 mode tunnel replay-window 32 \\
    auth-trunc 'hmac(sha256)' $key 128 enc 'cbc(aes)' 0x$(printf '%032d' 8)
  ip xfrm state add $ends proto esp spi 5 mode transport if_id 7 \\
    replay-window 64 auth 'hmac(sha256)' $key enc 'cbc(aes)' 0x$(printf '%032d' 9)
done
ip xfrm state add src 10.1.0.1 dst 10.1.0.2 proto esp spi 6 mode tunnel \\
  encap espinudp 4500 4500 0.0.0.0 extra-flag dont-encap-dscp \\
  output-mark 0xe00 aead 'rfc4106(gcm(aes))' $key 128
ip xfrm policy add src 10.1.0.0/24 dst 10.2.0.0/24 dir out priority 100 \\
  mark 0xe00 mask 0xf00 action block
ip xfrm policy add src fd00::/64 dst fd01::/64 dir in priority 5 \\
  tmpl src fd00::1 dst fd00::2 proto esp spi 3 reqid 1 mode tunnel level use
"$PYTHON" {READINGS}
"""


def test_states_policies_and_news_of_a_real_kernel(tmp_path):
    said = json.loads(run_in_guest(tmp_path, SCRIPT))

    aead, two = "rfc4106(gcm(aes))", "hmac(sha256)+cbc(aes)"
    assert sorted(said["algorithms"]) == sorted([aead, two, two] * 2 + [aead])
    assert sorted(said["windows"]) == sorted([1024, 32, 64] * 2 + [0])
    assert said["policies"] == 2
    assert said["missing"] == 3  # ESRCH
    ended = "10.8.0.6"
    assert said["heard"] == [
        ["state-added", "10.8.0.2", None],
        ["state-updated", "10.8.0.2", None],
        ["state-deleted", "10.8.0.2", None],
        ["policy-added", "10.9.0.0/24", None],
        ["policy-updated", "10.9.0.0/24", None],
        ["policy-deleted", "10.9.0.0/24", None],
        ["state-added", ended, None],
        ["state-expired", ended, True],
        ["states-flushed", "10.8.0.2", None],
        ["policies-flushed", "10.8.0.2", None],
    ]
