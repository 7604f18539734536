"""Merge, strategic merge and JSON patches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.lab.kubeapi.patches import PatchType, apply_patch, merge, strategic
from runbooks.lab.kubeapi.status import StatusError


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_follows_its_rfc(target, patch, result):
    assert merge(target, patch) == result


json_values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(target=json_values, patch=json_values)
def test_merging_twice_is_merging_once(target, patch):
    once = merge(target, patch)
    assert merge(once, patch) == once


def containers(*items):
    return {"containers": list(items)}


def test_list_items_are_merged_by_name():
    target = containers({"name": "a", "image": "1", "x": 1}, {"name": "b"})
    patched = strategic(target, containers({"name": "a", "image": "2"}, {"name": "c"}))
    assert patched == containers(
        {"name": "a", "image": "2", "x": 1}, {"name": "b"}, {"name": "c"}
    )
    assert target["containers"][0]["image"] == "1"


def test_conditions_are_merged_by_type():
    target = {"conditions": [{"type": "Ready", "status": "True", "reason": "x"}]}
    patch = {"conditions": [{"type": "Ready", "status": "False"}]}
    assert strategic(target, patch) == {
        "conditions": [{"type": "Ready", "status": "False", "reason": "x"}]
    }


def test_nested_lists_are_merged_too():
    target = containers({"name": "a", "env": [{"name": "E", "value": "1"}]})
    patch = containers({"name": "a", "env": [{"name": "F", "value": "2"}]})
    assert strategic(target, patch)["containers"][0]["env"] == [
        {"name": "E", "value": "1"},
        {"name": "F", "value": "2"},
    ]


def test_list_items_are_deleted_by_directive():
    target = containers({"name": "a"}, {"name": "b"})
    patch = containers({"name": "a", "$patch": "delete"})
    assert strategic(target, patch) == containers({"name": "b"})


def test_lists_and_objects_are_replaced_by_directive():
    target = containers({"name": "a"}) | {"labels": {"x": "1"}}
    patch = {
        "containers": [{"$patch": "replace"}, {"name": "b"}],
        "labels": {"$patch": "replace", "y": "2"},
    }
    assert strategic(target, patch) == containers({"name": "b"}) | {
        "labels": {"y": "2"}
    }


def test_tolerations_are_replaced_whole():
    target = {"tolerations": [{"key": "a"}]}
    assert strategic(target, {"tolerations": [{"key": "b"}]}) == {
        "tolerations": [{"key": "b"}]
    }


def test_items_take_the_order_that_is_asked_for():
    target = containers({"name": "a"}, {"name": "b"})
    patch = containers({"name": "b", "x": 1}) | {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]
    }
    assert strategic(target, patch) == containers({"name": "b", "x": 1}, {"name": "a"})


def test_primitive_lists_are_joined_and_thinned():
    target = {"finalizers": ["a", "b"]}
    patch = {"finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]}
    assert strategic(target, patch) == {"finalizers": ["b", "c"]}


def test_only_retained_keys_stay():
    patch = {"$retainKeys": ["type"], "type": "Recreate"}
    assert strategic({"type": "x", "rollingUpdate": {}}, patch) == {"type": "Recreate"}


def test_an_item_without_its_key_is_refused():
    with pytest.raises(StatusError, match="merge key: name"):
        strategic(containers({"name": "a"}), containers({"image": "b"}))


def test_json_patch_adds_and_tests():
    patch = [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "add", "path": "/b", "value": 2},
    ]
    assert apply_patch({"a": 1}, patch, PatchType.JSON) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([{"op": "test", "path": "/keys", "value": "other"}], 422),
        ([{"op": "remove", "path": "/missing"}], 422),
        ([{"op": "add", "path": "/missing/below", "value": 1}], 422),
        ([{"op": "wrong", "path": "/keys"}], 422),
        ([1], 422),
        ({"a": 1}, 400),
        (7, 400),
    ],
)
def test_a_json_patch_that_fails_quotes_no_value(patch, code):
    with pytest.raises(StatusError) as caught:
        apply_patch({"keys": "confidential"}, patch, PatchType.JSON)
    assert caught.value.code == code
    assert "confidential" not in str(caught.value.to_status())


@pytest.mark.parametrize("patch_type", [PatchType.MERGE, PatchType.STRATEGIC])
def test_a_patch_must_be_an_object(patch_type):
    with pytest.raises(StatusError, match="not an object"):
        apply_patch({}, [1], patch_type)
