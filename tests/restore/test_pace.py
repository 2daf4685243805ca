"""A live computation leaves out what it has no time for, and takes it up again."""

from rdl_live.restore.pace import REST_S, SERIES, Pace


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def allowed(pace: Pace, clock: Clock, took_s: float, every_s: float) -> bool:
    """Go through one series."""
    began_s = clock.now_s
    with pace.series() as more:
        clock.now_s = began_s + took_s
    clock.now_s = began_s + every_s
    return more


def test_there_is_time_while_series_come_slowly() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert all(allowed(pace, clock, 0.05, 0.1) for _ in range(100))


def test_one_slow_series_is_no_reason() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert all(allowed(pace, clock, 0.09 if n % SERIES == 0 else 0.05, 0.1) for n in range(100))


def test_what_takes_too_long_rests_and_is_tried_again() -> None:
    clock = Clock()
    pace = Pace(clock)
    found = [allowed(pace, clock, 0.09, 0.1) for _ in range(SERIES + 1)]
    assert found == [True] * SERIES + [False]
    resting = round(REST_S / 0.1)
    found = [allowed(pace, clock, 0.05, 0.1) for _ in range(resting + 2 * SERIES)]
    assert not any(found[: resting - 2])
    assert all(found[resting + 1 :])
