"""The server as a whole: starting, stopping, and what it says about itself."""

import json
import ssl
import urllib.request

import pytest
from kubernetes import client, config

from runbooks.lab.kubeapi import Identity

from .conftest import POD

EXEC = ("exec", "-n", "kube-system", POD)


@pytest.fixture
def get(cluster):
    token, _ = cluster.credentials.issue_token(Identity("a", ("system:masters",)))
    trust = ssl.create_default_context(cadata=cluster.credentials.authority.decode())

    def read(path, accept="application/json"):
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        request = urllib.request.Request(cluster.url + path, headers=headers)
        with urllib.request.urlopen(request, context=trust) as answer:
            return answer.read()

    return read


def test_it_can_go_away_and_come_back_with_its_objects(cluster):
    settings = client.Configuration()
    settings.retries = False
    config.load_kube_config(str(cluster.kubeconfig), client_configuration=settings)
    with client.ApiClient(settings) as api:
        core = client.CoreV1Api(api)
        before = core.read_node("node1").metadata.uid
        cluster.stop()
        with pytest.raises(Exception, match="Connection refused"):
            core.read_node("node1", _request_timeout=5)
        cluster.start()
        assert core.read_node("node1").metadata.uid == before


@pytest.mark.usefixtures("_kubectl")
@pytest.mark.parametrize("websockets", ["true", "false"])
def test_stopping_ends_the_commands_that_run(cluster, monkeypatch, websockets):
    monkeypatch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
    process = cluster.start_kubectl(*EXEC, "--", "wait")
    assert process.stdout.readline() == b"waiting\n"
    cluster.stop()
    assert cluster.node.cancelled.wait(20)
    process.communicate(timeout=20)
    cluster.start()


@pytest.mark.usefixtures("_kubectl")
def test_stopping_ends_watches(cluster):
    process = cluster.start_kubectl("get", "nodes", "-w")
    for _ in range(3):
        process.stdout.readline()
    cluster.stop()
    process.communicate(timeout=20)
    cluster.start()


def test_metadata_alone_can_be_asked_for(get):
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    found = json.loads(get("/api/v1/nodes", accept))
    assert found["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in found["items"]] == [
        {"kind", "apiVersion", "metadata"}
    ] * 2


def test_the_old_description_names_what_can_be_tried_without_change(get):
    content = get("/openapi/v2")
    assert b"/api/v1/nodes/{name}" in content
    assert b"dryRun" in content
    assert b'"kind": "CiliumNode"' in content


def test_every_group_that_is_listed_is_described(get):
    groups = json.loads(get("/apis"))["groups"]
    for group in groups:
        version = group["preferredVersion"]["groupVersion"]
        listed = json.loads(get(f"/apis/{version}"))
        assert listed["groupVersion"] == version
        assert listed["resources"]
        paths = json.loads(get("/openapi/v3"))["paths"]
        assert f"apis/{version}" in paths


@pytest.mark.parametrize("path", ["/", "/api/v2", "/apis/none", "/api/v1/nothing"])
def test_what_is_not_served_is_not_found(get, path):
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(path)
    with caught.value as refusal:
        assert (refusal.code, json.load(refusal)["reason"]) == (404, "NotFound")
