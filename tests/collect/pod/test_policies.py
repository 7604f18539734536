"""Policies as an agent's pod brings them into few bytes."""

import pytest

from runbooks.xfrm.compact_policies import CompactPolicyError, parse_compact_policies
from runbooks.xfrm.text import parse_policy_text
from tests.collect.pod.container import POLICIES, parts


def test_policies_are_those_of_the_text(node):
    found = parse_compact_policies(parts(node("compact", "", "first"))["xfrm-policies"])

    assert list(found) == parse_policy_text(POLICIES)
    assert len(found) == 5


def test_policies_of_hundreds_of_peers_are_left_out(node, tmp_path):
    one = POLICIES.partition("src 0.0.0.0/0 dst 10.0.3")[0]
    few = parts(node("compact", "", "first"))["xfrm-policies"]
    (tmp_path / "more").write_text(one * 257)
    ip = tmp_path / "bin" / "ip"
    ip.write_text(ip.read_text().replace("/policies", "/more"))

    many = parts(node("compact", "", "first"))["xfrm-policies"]

    assert many == "= many\n"
    assert parse_compact_policies(many) is None
    assert few != many


@pytest.mark.parametrize(
    "text",
    ["", "= 1", "0 a 0000 b\n= 1", "> out allow\n= 0", "> a b c d e\n0 f 0\n= 1"],
)
def test_policies_that_are_damaged_are_refused(text):
    with pytest.raises(CompactPolicyError, match="line "):
        parse_compact_policies(text)
