"""What a person sees in a table."""

from datetime import UTC, datetime, timedelta

import pytest

from runbooks.lab.kubeapi.objects import agent_pod
from runbooks.lab.kubeapi.resources import Catalogue
from runbooks.lab.kubeapi.tables import age, table

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (119, "119s"),
        (120, "2m"),
        (135, "2m15s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
    ],
)
def test_ages_read_as_kubectl_shows_them(seconds, shown):
    moment = (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert age(moment, NOW) == shown


def cells(pod):
    pod["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    made = table(Catalogue().named("pods"), [pod])
    names = [column["name"] for column in made["columnDefinitions"]]
    return dict(zip(names, made["rows"][0]["cells"], strict=True))


def test_a_crashing_pod_looks_like_one():
    pod = agent_pod("n", "192.0.2.1", "x", "v1", "2026-01-01T00:00:00Z", ready=False)
    status = pod["status"]["containerStatuses"][0]
    status["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    assert cells(pod)["Status"] == "CrashLoopBackOff"
    assert cells(pod)["Ready"] == "0/1"


def test_restarts_say_when_the_last_was():
    moment = "2020-01-01T00:00:00Z"
    pod = agent_pod(
        "n", "192.0.2.1", "x", "v1", moment, restarts=3, last_finished=moment
    )
    assert cells(pod)["Restarts"].startswith("3 (")
    assert cells(pod)["Restarts"].endswith("d ago)")
