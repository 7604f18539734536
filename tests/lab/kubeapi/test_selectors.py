"""Label and field selectors."""

import pytest

from runbooks.lab.kubeapi.selectors import field_selector, label_selector
from runbooks.lab.kubeapi.status import StatusError

OBJ = {
    "metadata": {"name": "a", "namespace": "n", "labels": {"app": "x", "tier": ""}},
    "spec": {"nodeName": "node1", "unschedulable": True},
    "status": {"phase": "Running"},
    "type": "Opaque",
}


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ("", True),
        ("app=x", True),
        ("app==x", True),
        ("app=y", False),
        ("app!=y", True),
        ("missing!=y", True),
        ("app in (x, y)", True),
        ("app in (y)", False),
        ("app notin (y,z)", True),
        ("missing notin (y)", True),
        ("app", True),
        ("!app", False),
        ("!missing", True),
        ("tier=", True),
        ("app=x,tier,!missing", True),
        ("app in (x,y),tier=front", False),
    ],
)
def test_labels_select(selector, selects):
    assert label_selector(selector)(OBJ) is selects


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name=b", False),
        ("metadata.namespace!=n", False),
        ("spec.nodeName=node1,status.phase=Running", True),
        ("spec.nodeName=node1,status.phase=Failed", False),
        ("spec.unschedulable=true", True),
        ("spec.missing=", True),
        ("type=Opaque", True),
    ],
)
def test_fields_select(selector, selects):
    assert field_selector(selector)(OBJ) is selects


def test_objects_without_labels_are_selected_by_absence():
    bare = {"metadata": {"name": "a"}}
    assert label_selector("!app")(bare)
    assert not label_selector("app")(bare)


@pytest.mark.parametrize("selector", ["a in", "a=b=c", "(", "a b", "a in (x"])
def test_bad_label_selectors_are_refused(selector):
    with pytest.raises(StatusError) as caught:
        label_selector(selector)
    assert caught.value.code == 400


@pytest.mark.parametrize("selector", ["name=a", "metadata.labels=a", "spec.x", "a>b"])
def test_bad_field_selectors_are_refused(selector):
    with pytest.raises(StatusError) as caught:
        field_selector(selector)
    assert caught.value.code == 400
