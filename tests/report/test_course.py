"""What a stale pair's numbers say of the time before and after."""

import pytest

from runbooks.diagnose import diagnose
from runbooks.report.course import course, sentences
from runbooks.report.durations import in_words
from runbooks.report.picture import BOTTOM, LEFT, RIGHT, TOP, picture
from tests.diagnose.cluster_builder import NOW, make_cluster


def broken(packets=3000, sent=0, between=0, after_s=2.0, reading="twice"):
    """The course of node1 to node2, whose states node1 made 600 s before."""
    cluster = make_cluster(2, packets=packets).break_node("node2")
    if sent:
        cluster.lose("node1", "node2", sent, "integrity_errors")
    cluster.read_at = dict.fromkeys(cluster.names, float(NOW))

    def send():
        if between:
            cluster.lose("node1", "node2", between, "integrity_errors")
        cluster.read_at = dict.fromkeys(cluster.names, NOW + after_s)

    samples = cluster.twice(send) if reading == "twice" else cluster.once()
    (finding,) = diagnose(samples).findings
    return course(finding)


def test_two_samples_tell_when_the_pair_would_heal():
    found = broken(sent=1000, between=20)

    assert [(r.at_s, r.oseq, r.seq) for r in found.readings] == [
        (-2.0, 1000, 3000),
        (0.0, 1020, 3000),
    ]
    assert (found.made_s, found.rate, found.rate_is_mean) == (-602.0, 10.0, False)
    assert found.healed_s == 198.0
    assert "Read twice, 2 seconds apart" in sentences(found)[0]
    assert "heal by itself in 3 minutes: 1,980 more packets" in sentences(found)[-1]


def test_one_sample_tells_by_the_mean_since_the_state_was_made():
    found = broken(sent=1200, reading="once")

    assert (found.rate, found.rate_is_mean) == (2.0, True)
    assert found.healed_s == 900.0
    assert "2 packets a second, on average since then" in sentences(found)[-1]


def test_pair_that_sends_nothing_does_not_heal():
    found = broken(sent=1000)

    assert (found.rate, found.healed_s) == (0.0, None)
    assert sentences(found)[-1].startswith("Nothing was sent")


def test_what_is_further_ahead_than_ten_years_is_not_foretold():
    found = broken(packets=4_000_000_000, between=20)

    assert found.healed_s is None
    assert "does not heal by itself within ten years" in sentences(found)[-1]


def test_archive_without_times_has_numbers_and_no_picture():
    cluster = make_cluster(2).break_node("node2")
    found = course(diagnose(cluster.once()).findings[0])

    assert (found.made_s, found.rate, found.read) == (None, None, None)
    assert "when that is can't be told" in sentences(found)[-1]
    assert picture(found) is None


def test_clock_of_the_sender_does_not_move_the_picture():
    cluster = make_cluster(2).break_node("node2")
    cluster.clock_ahead_s = {"node1": 4000}
    found = course(diagnose(cluster.twice()).findings[0])

    assert found.made_s == -600.0


def test_finding_of_another_kind_has_no_course():
    cluster = make_cluster(2)
    cluster.remove("node2", peer="node1")

    assert [course(f) for f in diagnose(cluster.twice()).findings] != []
    assert {course(f) for f in diagnose(cluster.twice()).findings} == {None}


def test_picture_begins_with_the_state_and_ends_where_the_pair_would_heal():
    drawn = picture(broken(sent=1000, between=20))

    assert drawn.sent[0] == (LEFT, BOTTOM)
    assert drawn.ahead[-1] == (RIGHT, TOP)
    assert len(drawn.sent_read) == len(drawn.seen_read) == 2
    assert {y for _, y in drawn.seen_read} == {TOP}
    assert (drawn.made, drawn.healed) == (
        "made 10 minutes before",
        "heals in 3 minutes",
    )
    assert drawn.read_x == pytest.approx(LEFT + 602 / 800 * (RIGHT - LEFT), abs=0.1)


def test_picture_of_a_pair_that_never_heals_ends_with_the_last_sample():
    drawn = picture(broken(sent=1000))

    assert drawn.ahead == ()
    assert drawn.healed == ""
    assert drawn.read_x == RIGHT


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [
        (0.25, "0.2 seconds"),
        (1.0, "1 second"),
        (1.5, "1.5 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (86_400 * 3, "3 days"),
        (31_557_600 * 2000, "2,000 years"),
    ],
)
def test_durations_are_said_in_the_largest_unit_that_fits_twice(duration_s, words):
    assert in_words(duration_s) == words
