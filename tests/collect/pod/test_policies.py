"""Policies as an agent's pod brings them into few bytes."""

import pytest

from runbooks.xfrm.compact_policies import CompactPolicyError, parse_compact_policies
from runbooks.xfrm.text import parse_policy_text
from tests.collect.pod.container import POLICIES, parts


def test_policies_are_those_of_the_text(node):
    found = parse_compact_policies(parts(node("compact", "", "first"))["xfrm-policies"])

    assert list(found.listed) == parse_policy_text(POLICIES)
    assert len(found.listed) == 5
    assert found.whole


def test_of_very_many_policies_only_those_for_all_addresses_are_told(node, tmp_path):
    one = POLICIES.partition("src 0.0.0.0/0 dst 10.0.3")[0]
    (tmp_path / "more").write_text(one * 257 + POLICIES)
    ip = tmp_path / "bin" / "ip"
    ip.write_text(ip.read_text().replace("/policies", "/more"))

    told = parts(node("compact", "", "first"))["xfrm-policies"]

    assert len(told) < 500
    assert told.endswith("\n= many\n")
    found = parse_compact_policies(told)
    assert not found.whole
    assert list(found.listed) == [
        policy
        for policy in parse_policy_text(POLICIES)
        if policy.destination.endswith("/0")
    ]
    assert [policy.action for policy in found.listed] == ["block", "allow"]


@pytest.mark.parametrize(
    "text",
    ["", "= 1", "0 a 0000 b\n= 1", "> out allow\n= 0", "> a b c d e\n0 f 0\n= 1"],
)
def test_policies_that_are_damaged_are_refused(text):
    with pytest.raises(CompactPolicyError, match="line "):
        parse_compact_policies(text)
