"""Certificates, tokens and kubeconfigs."""

import base64
from datetime import timedelta

from runbooks.lab.kubeapi import Credentials, Identity, service_account


def test_a_token_stands_for_somebody_until_it_expires():
    credentials = Credentials()
    alice = Identity("alice")
    lasting, never = credentials.issue_token(alice)
    past, _ = credentials.issue_token(alice, timedelta(seconds=-1))
    assert never is None
    assert credentials.identity_of_token(lasting) == alice
    assert credentials.identity_of_token(past) is None
    assert credentials.identity_of_token("") is None


def test_a_certificate_carries_user_and_group():
    subject = ((("organizationName", "team"),), (("commonName", "alice"),))
    identity = Credentials.identity_of_certificate({"subject": subject})
    assert identity == Identity("alice", ("team", "system:authenticated"))
    assert not identity.is_master


def test_a_service_account_is_in_its_groups():
    assert service_account("a", "b", "u") == Identity(
        "system:serviceaccount:a:b",
        ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"),
        "u",
    )


def test_private_keys_are_shown_by_the_kubeconfig_alone():
    credentials = Credentials()
    issued = credentials.issue_certificate("alice")
    assert b"PRIVATE KEY" in issued.key
    assert "PRIVATE KEY" not in repr(issued)
    user = credentials.admin_kubeconfig("https://x")["users"][0]["user"]
    assert b"PRIVATE KEY" in base64.b64decode(user["client-key-data"])
