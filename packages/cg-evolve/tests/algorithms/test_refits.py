"""When a predictor is fitted anew."""

from cg_evolve.algorithms.refits import RefitSchedule


def test_every_result_at_first_and_ever_more_rarely_then():
    assert list(RefitSchedule(6, 0.5).points(30)) == [2, 3, 4, 5, 6, 9, 14, 21]
    assert list(RefitSchedule(2, 0.1).points(6)) == [2, 3, 4, 5, 6]


def test_four_times_as_rarely_where_the_scorer_sees_no_more_results():
    assert list(RefitSchedule(6, 0.25, slower=10).points(40)) == [2, 3, 4, 5, 6, 8, 10, 20, 40]


def test_the_last_point_is_at_most_what_is_known():
    schedule = RefitSchedule(6, 0.5)
    assert [schedule.last(known) for known in (2, 5, 8, 9, 20)] == [2, 5, 6, 9, 14]


def test_points_at_which_the_results_have_doubled():
    schedule = RefitSchedule(32, 1 / 9)
    assert [schedule.doubled(known) for known in (2, 3, 4, 7, 8, 15, 16, 31, 32)] == [2, 2, 4, 4, 8, 8, 16, 16, 32]
    assert schedule.doubled(100) == 64 if 64 in set(schedule.points(100)) else schedule.doubled(100) > 64
