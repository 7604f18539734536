"""The real kubectl against the API."""

import pytest

from .conftest import POD

pytestmark = pytest.mark.usefixtures("_kubectl")


def test_pods_are_listed_as_a_real_cluster_lists_them(cluster):
    lines = cluster.kubectl("get", "pods", "-A", "-o", "wide").stdout.decode()
    header, first, _ = lines.splitlines()
    assert header.split()[:6] == [
        "NAMESPACE",
        "NAME",
        "READY",
        "STATUS",
        "RESTARTS",
        "AGE",
    ]
    assert first.split()[:5] == ["kube-system", POD, "1/1", "Running", "0"]
    assert first.split()[6:8] == ["192.0.2.1", "node1"]
