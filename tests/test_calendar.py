"""The calendar: sun, summer time, hours of the week, what is open when."""

import pytest

from citysim.model.calendar import Calendar


@pytest.fixture(scope="module")
def turin(town_settings):
    clock = town_settings.model.clock
    return lambda start, warmup=0, step=1.0: Calendar(start, warmup, step, clock, 45.07, 7.69)


def light_hours(calendar):
    """First and last hour of the first day at which the sun is up."""
    lit = [calendar.hour(s) + calendar.step_hours / 2 for s in range(calendar.steps_per_day)
           if calendar.daylight(s) >= 1]
    return lit[0], lit[-1]


@pytest.mark.parametrize(("day", "sunrise", "sunset"), [
    ("2024-06-21", 5 + 43 / 60, 21 + 20 / 60),   # almanac, summer time
    ("2024-12-21", 8 + 5 / 60, 16 + 50 / 60),    # almanac, winter time
    ("2024-03-20", 6 + 33 / 60, 18 + 41 / 60)])
def test_the_sun_rises_and_sets_in_time(turin, day, sunrise, sunset):
    rise, fall = light_hours(turin(day, step=1 / 60))
    assert rise == pytest.approx(sunrise, abs=20 / 60)
    assert fall == pytest.approx(sunset, abs=20 / 60)


@pytest.mark.parametrize(("day", "hours"), [("2024-03-30", 12.6), ("2024-03-31", 12.6),
                                            ("2024-10-26", 10.6), ("2024-10-27", 10.5)])
def test_summer_time_moves_the_clock_by_an_hour(turin, day, hours):
    rise, fall = light_hours(turin(day, step=1 / 60))
    summer = day in ("2024-03-31", "2024-10-26")
    assert fall - rise == pytest.approx(hours, abs=0.6)
    assert (rise + fall) / 2 == pytest.approx(12.5 + summer, abs=0.4)


def test_polar_night_and_polar_day(town_settings):
    clock = town_settings.model.clock
    for day, light in (("2024-12-21", 0.0), ("2024-06-21", 1.0)):
        north = Calendar(day, 0, 1.0, clock, 78.0, 15.0)
        assert {north.daylight(s) for s in range(24)} == {light}


def test_hours_of_the_week_and_the_warm_up(turin):
    monday = turin("2024-03-04", warmup=3)
    assert [monday.weekday(24 * d) for d in range(4)] == [4, 5, 6, 0]
    assert [monday.day(24 * d) for d in range(4)] == [-3, -2, -1, 0]
    assert monday.hour_of_week(0) == 4 * 24 and monday.hour_of_week(72 + 5) == 5
    assert monday.evening_clock(72 + 1) == 25 and monday.evening_clock(72 + 6) == 6
    halves = turin("2024-03-04", step=0.25)
    assert halves.hour(5) == 1.25 and halves.hour_of_week(96 + 7) == 25


def test_what_is_open_when(turin):
    monday = turin("2024-03-04")
    now = [monday.now(s, 0.5, 25.0) for s in range(7 * 24)]
    assert {now[d * 24 + 12].shops_open for d in range(6)} == {1.0}
    assert now[6 * 24 + 12].shops_open == 0.0, "shops are shut on Sunday"
    assert now[3].evening == now[22].evening == 1.0 and now[12].evening == 0.0
    assert (now[0].services_open, now[2].services_open, now[19].services_open) == (1, 0, 1)
    assert now[0].step_seconds == 1800
    assert now[3].awake < now[15].awake == 1.0
