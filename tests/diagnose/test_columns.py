"""States in columns: the same findings as with objects, whatever happened."""

from hypothesis import given, settings
from hypothesis import strategies as st

from runbooks.diagnose import RULES, diagnose
from runbooks.diagnose.doubts import OF_RULE
from tests.diagnose.compacted import as_columns, as_objects
from tests.diagnose.random_clusters import samples


@settings(max_examples=200, deadline=None)
@given(samples(), st.sets(st.sampled_from(["node1", "node2", "node3"])))
def test_findings_over_columns_are_those_over_objects(read, left_as_objects):
    objects = as_objects(read)
    columns = as_columns(objects, left_as_objects)

    assert diagnose(columns, audit=True) == diagnose(objects, audit=True)


def test_every_rule_says_what_makes_a_pair_doubtful():
    assert {rule.__name__ for rule in RULES} <= set(OF_RULE)
