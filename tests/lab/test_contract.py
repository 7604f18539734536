"""The states and policies of lab nodes are those of real agents, field by field."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.lab.kernel_view import dump_of, fields_of

pytestmark = pytest.mark.lab

RECORDINGS = Path(__file__).parents[1] / "recordings" / "kvstore-lease-expired"
NODE_IPS = ("own InternalIP", "peer InternalIP")


def recorded():
    """What a real agent's kernel held: tunnel mode, IPv4, two peers, one SPI."""
    nodes = json.loads((RECORDINGS / "healthy-keys.json").read_text())["nodes"]
    nodes |= {f"10.20.{i}.0": f"n{i}" for i in (1, 2, 3)}
    whose = {
        ip: f"{'own' if name == 'n2' else 'peer'} {kind(ip)}"
        for ip, name in nodes.items()
    }
    files = ("xfrm_getsa.nlmsg", "xfrm_getpolicy.nlmsg")
    dump = b"".join((RECORDINGS / "broken/n2" / f).read_bytes() for f in files)
    return fields_of(dump, whose, 4)


def kind(ip):
    if ip.startswith("10.9."):
        return "InternalIP"
    return "pods" if ip.endswith(".0") else "CiliumInternalIP"


def in_lab(lab, node, version):
    plan, whose = lab.client.lab, {}
    for other in plan.nodes:
        owner = "own" if other.name == node else "peer"
        whose |= {ip: f"{owner} {kind}" for kind, ip in plan.addresses(other)}
        whose |= {c.split("/")[0]: f"{owner} pods" for c in plan.pod_cidrs(other)}
    return fields_of(dump_of(lab, node), whose, version)


def between_cilium_ips(found):
    """Without the encrypted overlay's, as native routing has them."""
    return Counter(
        {k: n for k, n in found.items() if not any(i in k for i in NODE_IPS)}
    )


def test_the_recording_is_compared_in_full():
    """Eight states and seven policies, in four and six shapes."""
    found = recorded()
    assert found.total() == 15
    shapes = Counter(shape.partition("message: ")[2].split()[0] for shape in found)
    assert shapes == {"StateMessage": 4, "PolicyMessage": 5}
    assert between_cilium_ips(found).total() == 9


def test_the_tunnels_states_and_policies_are_those_of_recorded_agents(crd_lab):
    for node in ("node1", "node2"):
        assert in_lab(crd_lab, node, 4) == recorded()


def test_native_routings_are_recorded_agents_without_the_overlays(lab):
    """Source: the recording, which was of a tunnel, and ``enableIPSecIPv4Do``.

    There, in Cilium's pkg/datapath/linux/ipsec.go, what is between node IPs is made
    with encapsulation only, and all else in any case.
    """
    assert in_lab(lab, "node2", 4) == between_cilium_ips(recorded())


def test_ipv6_has_what_ipv4_has_but_for_two_masks(crd_lab):
    """Source: ``enableIPSecIPv6Do`` of Cilium's pkg/datapath/linux/ipsec.go.

    It mirrors IPv4's line by line; only the mask of a whole address
    (``exactMatchMaskIPv6``) has no bits set.
    """
    ipv4, ipv6 = (in_lab(crd_lab, "node1", version) for version in (4, 6))
    as_ipv6 = Counter()
    for shape, count in ipv4.items():
        text = shape.replace("family: 2", "family: 10").replace(
            ", 50, 2, ", ", 50, 10, "
        )
        for end in ("d", "s"):
            text = text.replace(f"prefixlen_{end}: 32", f"prefixlen_{end}: 0")
        as_ipv6[text.replace("prefixlen_d: 24", "prefixlen_d: 64")] += count
    assert ipv6 == as_ipv6
