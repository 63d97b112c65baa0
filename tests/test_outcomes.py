"""Measures against recounts of events and states, and the numbers that have to add up."""

import numpy as np
import pytest

from citysim.config.errors import InputError
from citysim.kernels import events as ev
from citysim.kernels import perception
from citysim.model.simulate import record_of, tables_of
from citysim.outcomes import inequality, registry
from citysim.outcomes.record import BANDS

DAYS = 7
KINDS = ("true", "reported", "recorded", "hazard", "expected_reported", "expected_recorded")


@pytest.fixture(scope="module")
def run(town, busy_changes):
    """A busy week with policies, closed."""
    m = town(busy_changes, policies=("night_activation", "youth_programme"))
    m.run_days(DAYS)
    m.finish()
    return m


@pytest.fixture(scope="module")
def record(run):
    return record_of(run)


@pytest.fixture(scope="module")
def tables(run, record):
    return {name: t.to_pandas() for name, t in tables_of(record, run).items()}


@pytest.fixture(scope="module")
def value(tables):
    """Look a number up: ``value("crime.true.all", "women")``."""
    rows = tables["outcomes"].set_index(["outcome", "group"]).value
    assert rows.index.is_unique
    return lambda outcome, group="all": rows[outcome, group]


@pytest.fixture(scope="module")
def events(tables):
    return tables["events"]


def rate(count, people):
    return count / people * 1e5 * 365 / DAYS


def of_kind(events, record, name):
    """Events of an offence or of a total."""
    chosen = [record.offences[i] for i in record.select(name)]
    return events[events.offence.isin(chosen)]


# --- crime


@pytest.mark.parametrize("name", ["all", "all_but_vandalism", "robbery", "vandalism",
                                  "harassment", "domestic_abuse"])
def test_three_numbers_for_every_offence_are_recounts(run, record, value, events, name):
    there = of_kind(events, record, name)
    n = run.n_residents
    assert len(there) > 0
    assert value(f"crime.true.{name}") == pytest.approx(rate(len(there), n))
    assert value(f"crime.reported.{name}") == pytest.approx(rate(there.reported.sum(), n))
    assert value(f"crime.recorded.{name}") == pytest.approx(rate(there.recorded.sum(), n))
    assert value(f"crime.hazard.{name}") == pytest.approx(
        rate(record.hazard[:, record.select(name)].sum(), n))


def test_recorded_is_within_reported_is_within_true(tables):
    rows = tables["outcomes"]
    crime = rows[rows.outcome.str.match(r"crime\.(true|reported|recorded)\.")]
    kind = crime.outcome.str.split(".", n=2).str[1]
    name = crime.outcome.str.split(".", n=2).str[2]
    wide = crime.assign(kind=kind, name=name).pivot(index=["name", "group"], columns="kind",
                                                    values="value")
    assert len(wide) > 100 and not wide.isna().any().any()
    assert (wide.recorded <= wide.reported).all() and (wide.reported <= wide.true).all()
    assert (wide.recorded < wide.true).any()


def test_offences_sum_to_their_totals(record, value):
    counted = [n for n, there in zip(record.offences, record.in_total, strict=True) if there]
    for kind in KINDS:
        total = sum(value(f"crime.{kind}.{n}") for n in counted)
        assert value(f"crime.{kind}.all") == pytest.approx(total)
        assert value(f"crime.{kind}.all_but_vandalism") == pytest.approx(
            total - value(f"crime.{kind}.vandalism"))


def test_hours_sum_to_the_day_and_follow_the_events(value, events, record):
    for name in ("all", "assault", "burglary_home"):
        for kind in KINDS:
            parts = [value(f"crime.{kind}.{name}", f"hours:{b}") for b in BANDS]
            assert sum(parts) == pytest.approx(value(f"crime.{kind}.{name}"))
    there = of_kind(events, record, "all")
    night = there[(there.hour >= 22) | (there.hour < 6)]
    assert value("crime.true.all", "hours:night") == pytest.approx(
        rate(len(night), record.n_residents))


def test_districts_sum_to_the_city(run, record, value, events):
    """Rates times residents of each district give the city's count."""
    home = run.places.district[run.home]
    size = np.bincount(home, minlength=len(run.city.districts))
    for kind in KINDS:
        parts = [value(f"crime.{kind}.all", f"district:{d}") * n
                 for d, n in zip(run.city.districts, size, strict=True)]
        assert sum(parts) == pytest.approx(value(f"crime.{kind}.all") * run.n_residents)
    there = of_kind(events, record, "all")
    for d, label in enumerate(run.city.districts):
        assert value("crime.true.all", f"district:{label}") == pytest.approx(
            rate((there.district == d).sum(), size[d]))


def groups_of(run):
    """Members of each group of people, from the definitions."""
    p, n = run.people, run.n_residents
    age, m = p.age[:n], {}
    m["women"], m["men"] = p.sex[:n] == 1, p.sex[:n] == 0
    m["youth"], m["elderly"] = (age >= 15) & (age <= 24), age >= 65
    m["adult"], m["children"] = (age >= 25) & (age < 65), age < 15
    m["migrants"] = p.foreign[:n] == 1
    for q in range(1, 6):
        m[f"quintile_{q}"] = p.quintile[:n] == q
    return m


def test_groups_suffer_what_their_members_suffer(run, record, value, events):
    there = of_kind(events, record, "all_but_vandalism")
    there = there[there.victim_resident]
    for name, member in groups_of(run).items():
        suffered = member[there.victim].sum()
        assert value("crime.true.all_but_vandalism", name) == pytest.approx(
            rate(suffered, member.sum())), name


def test_expected_reports_follow_the_chances_of_what_happened(record, value, events):
    """Hazard times the mean chance of the offences that happened."""
    for name in ("burglary_home", "harassment"):
        o = record.offences.index(name)
        happened = (events.offence == name).sum()
        for kind, chance in zip(("reported", "recorded"), record.chances[o], strict=True):
            assert 0 < chance < happened
            assert value(f"crime.expected_{kind}.{name}") == pytest.approx(
                value(f"crime.hazard.{name}") * chance / happened)


def test_expected_crime_of_groups_adds_up_to_what_residents_suffer(run, record, value):
    """Women and men, the ages and the fifths, each weighed by its members."""
    members = {name: member.sum() for name, member in groups_of(run).items()}
    name = "crime.hazard.all_but_vandalism"
    sums = [sum(value(name, g) * members[g] for g in kind) / run.n_residents for kind in
            (("women", "men"), ("children", "youth", "adult", "elderly"),
             [f"quintile_{q}" for q in range(1, 6)])]
    assert sums == pytest.approx([sums[0]] * 3)
    assert 0 < sums[0] < value(name), "some victims are no residents, some offences have none"


def test_counts_in_the_window(record, value, events):
    assert value("crime.count.true") == len(of_kind(events, record, "all"))
    assert value("crime.count.hazard") == pytest.approx(
        record.hazard[:, record.select("all")].sum())


def test_reporting_rates_are_shares_of_events(run, record, value, events):
    for name in ("all", "vandalism", "harassment"):
        there = of_kind(events, record, name)
        assert value(f"reporting.rate.{name}") == pytest.approx(there.reported.mean())
    women = run.people.sex[there.victim.clip(0)] == 1
    hit = there[(there.victim >= 0) & (there.victim < run.n_residents) & women]
    assert value("reporting.rate.harassment", "women") == pytest.approx(hit.reported.mean())
    night = there.hour.ge(22) | there.hour.lt(6)
    assert value("reporting.rate.harassment", "hours:night") == pytest.approx(
        there[night].reported.mean())
    for d, label in enumerate(record.districts):
        own = there[record.places.district[there.place] == d]
        if len(own):
            assert value("reporting.rate.harassment", f"district:{label}") == pytest.approx(
                own.reported.mean())


# --- tables


def test_daily_series_sum_to_the_window(tables, value):
    daily = tables["daily"]
    assert sorted(daily.day.unique()) == list(range(DAYS))
    for name in ("crime.true.all", "crime.recorded.all", "crime.hazard.all",
                 "crime.hazard.all_but_vandalism", "crime.expected_recorded.all",
                 "safety.safe_after_dark", "trust.police", "night.users"):
        series = daily[daily.outcome == name].value
        assert len(series) == DAYS
        assert series.mean() == pytest.approx(value(name), rel=1e-9), name
    cost = daily[daily.outcome == "cost.total"].value
    assert (np.diff(cost) >= 0).all() and cost.iloc[-1] == pytest.approx(value("cost.total"))


def test_places_sum_to_the_city(run, tables, value):
    places = tables["places"]
    count = value("crime.count.true")
    by_place = places[places.outcome == "crime.true.all"].set_index("place").value
    assert by_place.sum() == count and len(by_place) == len(run.places)
    hazard = places[places.outcome == "crime.hazard.all"].value
    assert hazard.sum() == pytest.approx(value("crime.count.hazard"))


def test_the_weekly_profile_sums_to_the_window(tables, value):
    profile = tables["profile"]
    there = profile[profile.outcome == "crime.hazard.all"]
    assert len(there) == 168 and there.value.sum() == pytest.approx(value("crime.count.hazard"))


def test_events_tell_where_and_when(run, events, record):
    e = record.events
    np.testing.assert_array_equal(events.district, run.places.district[events.place])
    np.testing.assert_array_equal(events.hour, events.step % 24)
    np.testing.assert_array_equal(events.weekday, (events.step // 24) % 7)  # begins on a Monday
    known = events[events.victim >= 0]
    np.testing.assert_array_equal(known.victim_age, run.people.age[known.victim])
    np.testing.assert_array_equal(known.victim_sex, run.people.sex[known.victim])
    assert events[events.victim < 0].victim_age.isna().all()
    assert (events.victim_resident == ((events.victim >= 0)
                                       & (events.victim < run.n_residents))).all()
    assert (e[:, ev.STEP] >= 0).all() and (e[:, ev.STEP] < DAYS * 24).all()


def test_the_warm_up_is_left_out(town, busy_changes):
    """With and without the warm-up counted the window holds its own days only."""
    m = town({**busy_changes, "warmup_days": 2, "days": 3})
    m.run_days(5)
    m.finish()
    tables = {n: t.to_pandas() for n, t in tables_of(record_of(m), m).items()}
    steps = tables["events"].step
    assert steps.min() >= 48 and steps.max() < 5 * 24
    assert sorted(tables["daily"].day.unique()) == [0, 1, 2]
    daily = tables["daily"]
    hazard = daily[daily.outcome == "crime.hazard.all"].value.mean()
    rows = tables["outcomes"].set_index(["outcome", "group"]).value
    assert hazard == pytest.approx(rows["crime.hazard.all", "all"])


# --- people


def test_harassment_counts_women_once(run, value, events):
    victims = events[events.offence == "harassment"]
    residents = victims[victims.victim_resident].victim.unique()
    women = (run.people.sex[:run.n_residents] == 1).sum()
    assert 0 < len(residents) < len(victims)
    share = len(residents) / women
    assert value("harassment.prevalence") == pytest.approx(1 - (1 - share) ** (365 / DAYS))
    assert value("harassment.prevalence", "women") == value("harassment.prevalence")


def test_gini_of_known_distributions():
    assert inequality.gini(np.ones(10)) == pytest.approx(0)
    assert inequality.gini([0, 0, 0, 1]) == pytest.approx(0.75)
    assert inequality.gini([1, 3]) == pytest.approx(0.25)
    values = np.random.default_rng(0).gamma(0.5, size=200)
    apart = np.abs(values[:, None] - values).mean() / (2 * values.mean())
    assert inequality.gini(values) == pytest.approx(apart)
    assert np.isnan(inequality.gini([0, 0]))


def test_inequality_of_victimisation_is_a_recount(run, record, value, events):
    there = of_kind(events, record, "all")
    suffered = np.bincount(there[there.victim_resident].victim, minlength=run.n_residents)
    apart = 2 * np.abs(np.subtract.outer(np.arange(suffered.max() + 1),
                                         np.arange(suffered.max() + 1)))
    counts = np.bincount(suffered)
    mean_gap = (apart * np.outer(counts, counts)).sum() / 2 / run.n_residents ** 2
    assert value("victimisation.gini") == pytest.approx(mean_gap / (2 * suffered.mean()))
    assert 0.1 < value("victimisation.top10_share") < 1
    quintile = run.people.quintile[:run.n_residents]
    poor, rich = (suffered[quintile == q].mean() for q in (1, 5))
    assert value("victimisation.poorest_richest") == pytest.approx(poor / rich)


def test_safety_and_trust_are_means_over_people(run, value):
    """The last day's sums are a recount of people, and means of the week lie between its days."""
    sums = run.recorder.daily[-1]["sums"].sum(axis=0)
    n = run.n_residents
    assert sums[perception.PEOPLE] == n
    for outcome, column in (("safety.safe_after_dark", perception.SAFE_NIGHT),
                            ("safety.safe_by_day", perception.SAFE_DAY),
                            ("safety.fear_after_dark", perception.FEAR_NIGHT),
                            ("trust.police", perception.TRUST_POLICE),
                            ("trust.city", perception.TRUST_CITY)):
        days = [d["sums"].sum(axis=0)[column] / n for d in run.recorder.daily]
        assert min(days) - 1e-12 <= value(outcome) <= max(days) + 1e-12
        assert value(outcome) == pytest.approx(np.mean(days))
    women, men = groups_of(run)["women"].sum(), groups_of(run)["men"].sum()
    both = (value("trust.police", "women") * women + value("trust.police", "men") * men) / n
    assert both == pytest.approx(value("trust.police"))
    assert value("safety.safe_after_dark", "women") < value("safety.safe_after_dark", "men")


def test_night_users_are_people_out_in_the_night_hours(town):
    m = town({"days": 2})
    out, steps = np.zeros(m.n_residents), 0
    for _ in range(48):
        hour = m.calendar.hour(m.step_index)
        m.step()
        if hour >= 22 or hour < 6:
            out += (m.people.at[:m.n_residents] >= 2) & (m.people.status[:m.n_residents] == 0)
            steps += 1
    m.finish()
    rows = tables_of(record_of(m), m)["outcomes"].to_pandas().set_index(["outcome", "group"]).value
    assert steps == 16 and out.sum() > 0
    assert rows["night.users", "all"] == pytest.approx(1e3 * out.mean() / steps)
    share = {name: out[member].mean() for name, member in groups_of(m).items()}
    assert rows["night.women_men_ratio", "all"] == pytest.approx(share["women"] / share["men"])
    old = groups_of(m)["elderly"]
    both = [out[old & groups_of(m)[sex]].mean() for sex in ("women", "men")]
    assert rows["night.women_men_ratio", "elderly"] == pytest.approx(both[0] / both[1])
    assert rows["night.users", "elderly"] == pytest.approx(1e3 * share["elderly"] / steps)


def test_stops_are_those_of_residents(run, value):
    stops = run.people.stops[:run.n_residents]
    assert stops.sum() > 0
    per_year = 100 * 365 / DAYS
    assert value("police.stops") == pytest.approx(stops.mean() * per_year)
    for name, member in groups_of(run).items():
        assert value("police.stops", name) == pytest.approx(stops[member].mean() * per_year), name


def test_response_and_clearance_are_recounts(record, value, events):
    told = record.events[:, ev.RECORDED] == 1
    assert value("police.clearance") == pytest.approx(events[events.recorded].cleared.mean())
    urgent = {"robbery", "assault"} & set(events.offence)
    answered = events[events.reported & events.offence.isin(urgent)]
    assert told.sum() > 0 and len(answered) > 0
    assert 0 <= value("police.response_minutes") <= 120
    assert 0 <= value("police.mismatch") <= 1
    here = record.places.district[events.place]
    cleared = events[events.recorded].groupby(here[events.recorded]).cleared.mean()
    for d, share in cleared.items():
        assert value("police.clearance", f"district:{record.districts[d]}") == pytest.approx(share)
    called = record.events[:, ev.RESPONSE] >= 0
    band = record.bands[record.hour_of_week % 24][called]
    parts = [value("police.response_minutes", f"hours:{label}") for label in
             ("day", "evening", "night")]
    assert np.mean(np.take(parts, band)) == pytest.approx(value("police.response_minutes"))


def test_money_adds_up(run, value):
    ledger = run.programme.ledger
    assert ledger.total > 0
    assert value("cost.total") == pytest.approx(ledger.total)
    parts = ledger.totals("category")
    assert sum(parts.values()) == pytest.approx(ledger.total)
    assert sum(ledger.totals("policy").values()) == pytest.approx(ledger.total)
    assert value("cost.capital") == pytest.approx(parts.get("capital", 0))


def test_places_and_youth_are_the_state_at_the_end(run, value):
    p, n = run.people, run.n_residents
    assert value("place.upkeep") == pytest.approx(run.places.upkeep.mean(dtype="f8"), rel=1e-6)
    assert value("place.disorder") == pytest.approx(run.places.disorder.mean(dtype="f8"), rel=1e-6)
    efficacy = run.places.efficacy
    assert value("place.efficacy") == pytest.approx(efficacy.mean(dtype="f8"), rel=1e-6)
    first = run.city.districts[0]
    there = efficacy[run.places.district == 0].mean(dtype="f8")
    assert value("place.efficacy", f"district:{first}") == pytest.approx(there, rel=1e-6)
    age = p.age[:n]
    young, reach = (age >= 15) & (age <= 29), (age >= 12) & (age <= 24)
    assert value("youth.neet") == pytest.approx((p.employment[:n][young] == 4).mean())
    enrolled = (p.programme[:n][reach] > 0).mean()
    assert value("youth.enrolled") == pytest.approx(1e3 * enrolled) and enrolled > 0


# --- the registry


def test_every_outcome_is_described_and_finite(tables):
    rows = tables["outcomes"]
    assert np.isfinite(rows.value).all()
    for outcome in rows.outcome.unique():
        measure = registry.describe(outcome)
        assert measure.label and measure.unit and measure.doc
        assert measure.better in ("lower", "higher", None)
    shares = rows[rows.unit == "share"]
    assert len(shares) > 50 and shares.value.between(0, 1).all()


def test_every_registered_measure_is_taken(tables):
    taken = set(tables["outcomes"].outcome)
    # what concerns a budget or a policy needs one
    absent = {"cost.share_of_budget", "cost.unspent"}
    for name in set(registry.all_measures()) - absent:
        assert any(t == name or (name.endswith(".") and t.startswith(name)) for t in taken), name


def test_a_misspelt_outcome_is_named_with_the_closest():
    with pytest.raises(InputError) as refused:
        registry.describe("trust.polce")
    assert "trust.police" in str(refused.value)


def test_a_run_without_any_crime_still_has_its_tables(town, town_settings):
    zero = {f"offences.{name}.level": 0.0 for name in town_settings.offences}
    m = town({**zero, "days": 1})
    m.run_days(1)
    m.finish()
    tables = tables_of(record_of(m), m)
    rows = tables["outcomes"].to_pandas().set_index(["outcome", "group"]).value
    assert tables["events"].num_rows == 0
    assert rows["crime.true.all", "all"] == rows["crime.hazard.all", "all"] == 0
    assert rows["harassment.prevalence", "all"] == 0
