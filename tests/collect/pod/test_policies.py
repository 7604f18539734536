"""Policies as an agent's pod brings them into few bytes."""

import pytest

from runbooks.xfrm.compact_policies import CompactPolicyError, parse_compact_policies
from runbooks.xfrm.model import Direction
from runbooks.xfrm.text import parse_policy_text
from tests.collect.pod.container import POLICIES, parts

#: Where the first of the policies leads.
PEER = "10.0.2.10"


def test_policies_are_those_of_the_text(node):
    found = parse_compact_policies(parts(node("compact", "", "first"))["xfrm-policies"])

    assert list(found.listed) == parse_policy_text(POLICIES)
    assert len(found.listed) == 5
    assert found.led_to is None


def test_of_very_many_policies_it_is_told_where_they_lead(node, tmp_path):
    one = POLICIES.partition("src 0.0.0.0/0 dst 10.0.3")[0]
    more = (one.replace(f"dst {PEER}\n", f"dst 10.0.9.{i}\n") for i in range(1, 200))
    (tmp_path / "more").write_text(one * 100 + "".join(more) + POLICIES)
    ip = tmp_path / "bin" / "ip"
    ip.write_text(ip.read_text().replace("/policies", "/more"))

    told = parts(node("compact", "", "first"))["xfrm-policies"]

    assert len(told) < 500 + 200 * len("~ 10.0.9.100\n")
    found = parse_compact_policies(told)
    whole = parse_policy_text(POLICIES)
    led_to = {
        template.destination
        for policy in whole
        if policy.direction is Direction.OUT and policy.action == "allow"
        for template in policy.templates
    }
    assert PEER in led_to
    assert found.led_to == led_to | {f"10.0.9.{i}" for i in range(1, 200)}
    assert list(found.listed) == [
        policy for policy in whole if policy.destination.endswith("/0")
    ]
    assert [policy.action for policy in found.listed] == ["block", "allow"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "= 1",
        "0 a 0000 b\n= 1",
        "> out allow\n= 0",
        "> a b c d e\n0 f 0\n= 1",
        "~ 10.0.2.10",
        "~ 10.0.2.10\n= many 2",
        "~ 10.0.2.10\n= many",
    ],
)
def test_policies_that_are_damaged_are_refused(text):
    with pytest.raises(CompactPolicyError, match="line "):
        parse_compact_policies(text)
