"""The model's Mesa face: columnar agent sets, light views, time, events, data collection."""

import copy
import pickle
import subprocess
import sys

import mesa
import numpy as np
import pytest
from mesa.agentset import AbstractAgentSet
from mesa.datacollection import DataCollector

from citysim import (
    CityModel,
    Guardian,
    Institution,
    Offender,
    Outsider,
    PublicSpace,
    Resident,
    compose,
)
from citysim.config.errors import InputError
from citysim.model.columnar import ColumnarSet

HOURS = 30


@pytest.fixture(scope="module")
def settings():
    return compose(["city=town", "city.population=1500", "city.layout.segments=120"])


@pytest.fixture(scope="module")
def run(settings):
    """A model that has run; tests that change state take :func:`model`."""
    model = CityModel(settings, seed=3)
    model.run_for(HOURS)
    return model


@pytest.fixture
def model(run):
    return copy.deepcopy(run)


@pytest.fixture
def residents(model):
    return model.agents_by_type[Resident]


# --- the sets of a model


def test_sets_hold_every_row_of_their_tables_once(run):
    sizes = {Resident: run.n_residents, Outsider: len(run.people) - run.n_residents,
             Offender: len(run.offenders), Guardian: len(run.guardians),
             PublicSpace: len(run.places), Institution: 3 + 2 * len(run.city.districts)}
    assert {kind: len(agents) for kind, agents in run.agents_by_type.items()} == sizes
    assert run.agent_types == list(sizes)
    assert len(run.agents) == sum(sizes.values())
    ids = [a.unique_id for a in run.agents]
    assert ids == list(range(1, len(run.agents) + 1))
    kinds = [type(a) for a in run.agents]
    assert {kind: kinds.count(kind) for kind in sizes} == sizes


def test_agents_are_mesa_agents(run):
    assert isinstance(run, mesa.Model)
    for kind, agents in run.agents_by_type.items():
        assert isinstance(agents, AbstractAgentSet)
        agent = agents[0]
        assert isinstance(agent, mesa.Agent) and type(agent) is kind
        assert agent.model is run and agent in run.agents and agent in agents
        assert agent.random is run.random and agent.rng is run.rng
    assert run.agents_by_type[Resident][0] not in run.agents_by_type[Offender]


def test_agents_come_and_go_only_through_state(residents):
    with pytest.raises(TypeError, match="cannot be created"):
        Resident(residents[0].model)
    with pytest.raises(TypeError, match="cannot be removed"):
        residents[0].remove()
    for change in (lambda: residents.discard(residents[0]),
                   lambda: residents.select(at_most=2, inplace=True)):
        with pytest.raises(TypeError, match="model's own"):
            change()


# --- views


def test_views_of_a_row_are_equal_and_hash_alike(run):
    residents = run.agents_by_type[Resident]
    assert residents[5] == residents[5] and residents[5] != residents[6]
    assert len({residents[5], residents[5], residents[6]}) == 2
    assert residents[0] != run.agents_by_type[Offender][0]


def test_views_read_and_write_columns(model, residents):
    person = residents[7]
    assert person.age == model.people.age[7] and type(person.age) is int
    person.fear_night = 0.25
    person.trust_police = 0.75
    assert model.people.fear[7, 1] == np.float32(0.25)
    assert model.people.trust_police[7] == np.float32(0.75)
    model.people.fear[7, 0] = 0.5
    assert person.fear_day == 0.5
    wide = person.fear
    wide[:] = 9
    assert person.fear_day == 0.5, "a wide value is a copy"


@pytest.mark.parametrize(("name", "value"), [("fear_night", 1.5), ("trust_city", -0.1),
                                             ("fear_day", float("nan")), ("intoxication", 256),
                                             ("trust_city", "high")])
def test_values_out_of_range_are_refused(residents, name, value):
    before = residents[0].fear.tolist(), residents[0].trust_city, residents[0].intoxication
    with pytest.raises(InputError, match="cannot be"):
        setattr(residents[0], name, value)
    after = residents[0].fear.tolist(), residents[0].trust_city, residents[0].intoxication
    assert after == before


def test_what_the_model_keeps_in_step_is_read_only(residents):
    for name in ("at", "household", "place", "home", "unique_id"):
        with pytest.raises(AttributeError, match="cannot be set"):
            setattr(residents[0], name, 1)


def test_a_misspelt_attribute_is_named_with_the_closest(residents):
    with pytest.raises(AttributeError, match="did you mean 'fear_night'"):
        _ = residents[0].fear_nigt
    with pytest.raises(AttributeError, match="did you mean 'fear_night'"):
        residents[0].fear_nigt = 0.1
    with pytest.raises(AttributeError, match="did you mean 'fear_night'"):
        residents.agg("fear_nigt", np.mean)
    assert not hasattr(residents[0], "wealth")


def test_relations_of_residents(run):
    people, residents = run.people, run.agents_by_type[Resident]
    for person in residents.select(at_most=40):
        assert isinstance(person.home, PublicSpace)
        assert person.home.row == people.anchors[person.row, 0]
        members = person.household_members
        assert person in members and set(members.get("household")) == {person.household}
        assert len(members) == run.households["size"][person.household]
        assert person in person.home.residents
        assert all(person in tie.ties for tie in person.ties), "ties are mutual"
        assert person.place == people.anchors[person.row, people.at[person.row]]
        assert person.pos == (run.places.x[person.place], run.places.y[person.place])


def test_relations_of_offenders_and_places(run):
    for offender in run.agents_by_type[Offender]:
        assert offender.resident.offender == offender
        assert offender.place == offender.resident.place
        assert all(offender in other.co_offenders for other in offender.co_offenders)
    innocent = np.setdiff1d(np.arange(run.n_residents), run.offenders.person)[0]
    assert run.agents_by_type[Resident][int(innocent)].offender is None
    spaces = run.agents_by_type[PublicSpace]
    for space in spaces:
        assert all(space in other.neighbours for other in space.neighbours)
        assert space.district_name == run.city.districts[space.district]
    homes = [p.row for space in spaces for p in space.residents]
    assert homes == list(range(run.n_residents)), "every resident lives on one street"


def test_institutions_show_the_state_as_it_is(model):
    institutions = model.agents_by_type[Institution]
    city, national, local = institutions.select(at_most=3)
    assert [i.kind for i in (city, national, local)] == ["municipality", "national police",
                                                         "local police"]
    assert city.size == model.n_residents and city.spent == 0
    model.programme.ledger.book(1, "test", "places.lighting", "running", 250.0)
    assert city.spent == 250.0 and national.spent == 0
    assert len(national.guardians) + len(local.guardians) == len(model.guardians)
    model.guardians.on_duty = 0
    assert national.size == local.size == 0
    model.guardians.on_duty[local.guardians.rows] = 1
    assert local.size == len(local.guardians) > 0 and national.size == 0
    model.people.trust_police = 0.5
    assert local.trust == 0.5
    jobs = institutions.select(where=institutions.values("kind") == "employers")
    assert sum(jobs.get("size")) == model.places.jobs.sum()
    assert {i.district_name for i in jobs} == set(model.city.districts)


# --- sets by column against plain loops over views


def test_get_and_agg_agree_with_the_views(run):
    residents = run.agents_by_type[Resident]
    assert residents.get("fear_night") == [r.fear_night for r in residents]
    assert residents.get(["age", "out"]) == [[r.age, r.out] for r in residents]
    ages = [r.age for r in residents]
    assert residents.agg("age", [min, max, sum]) == [min(ages), max(ages), sum(ages)]
    assert residents.agg("fear_night", np.mean) == pytest.approx(
        sum(r.fear_night for r in residents) / len(residents))


def test_get_over_several_classes(run):
    mixed = run.agents.shuffle()
    assert mixed.get("unique_id") == [a.unique_id for a in mixed]
    got = mixed.get("trust_police", handle_missing="default", default_value=None)
    assert got == [getattr(a, "trust_police", None) for a in mixed]
    with pytest.raises(AttributeError, match="trust_police"):
        mixed.get("trust_police")
    with pytest.raises(ValueError, match="handle_missing"):
        mixed.get("unique_id", handle_missing="ignore")


def test_set_writes_all_or_one_value_each(model, residents):
    young = residents.select(where=residents.values("age") < 30)
    others = model.people.trust_city[:model.n_residents][residents.values("age") >= 30].copy()
    assert young.set("trust_city", 0.25) is young
    assert set(young.get("trust_city")) == {0.25}
    assert np.array_equal(model.people.trust_city[:model.n_residents][
        residents.values("age") >= 30], others)
    each = np.linspace(0, 1, len(young))
    young.set("fear_day", each)
    assert np.allclose(young.values("fear_day"), each)
    with pytest.raises(InputError):
        residents.set("fear_night", 2.0)


@pytest.mark.parametrize("options", [{"filter_func": lambda a: a.age > 40},
                                     {"filter_func": lambda a: a.age > 40, "at_most": 5},
                                     {"at_most": 7}, {"at_most": 0.1}, {"at_most": 0}])
def test_select_agrees_with_a_loop(run, options):
    residents = run.agents_by_type[Resident]
    limit = options.get("at_most", len(residents))
    limit = int(len(residents) * limit) if isinstance(limit, float) else limit
    keep = options.get("filter_func", lambda a: True)
    wanted = [r for r in residents if keep(r)][:limit]
    chosen = residents.select(**options)
    assert chosen.to_list() == wanted and isinstance(chosen, ColumnarSet)


def test_select_by_mask_and_class(run):
    residents = run.agents_by_type[Resident]
    assert residents.select(where=residents.values("age") > 40) == residents.select(
        lambda a: a.age > 40)
    assert run.agents.select(agent_type=Offender) == run.agents_by_type[Offender]
    assert run.agents.select(agent_type=mesa.Agent) == run.agents
    with pytest.raises(InputError, match="mask"):
        residents.select(where=np.ones(3, bool))


def test_groupby_agrees_with_a_loop(run):
    residents = run.agents_by_type[Resident]
    groups = residents.groupby("quintile")
    assert groups.count() == {q: sum(r.quintile == q for r in residents)
                              for q in sorted(set(residents.get("quintile")))}
    means = groups.agg("fear_night", np.mean)
    for quintile, mean in means.items():
        values = [r.fear_night for r in residents if r.quintile == quintile]
        assert mean == pytest.approx(sum(values) / len(values))
    by_function = residents.groupby(lambda r: r.age // 50, result_type="list")
    assert sum(map(len, by_function.groups.values())) == len(residents)
    assert all(r.age // 50 == key for key, group in by_function for r in group)


@pytest.mark.parametrize("ascending", [True, False])
def test_sort_is_stable_and_by_column_or_function(run, ascending):
    residents = run.agents_by_type[Resident]
    wanted = sorted(residents, key=lambda r: r.age, reverse=not ascending)
    assert residents.sort("age", ascending=ascending).to_list() == wanted
    assert residents.sort(lambda r: r.age, ascending=ascending).to_list() == wanted


def test_shuffle_do_and_map(model, residents):
    mixed = residents.shuffle()
    assert mixed == residents and mixed.to_list() != residents.to_list()
    again = copy.deepcopy(model)
    assert (again.agents_by_type[Resident].shuffle().get("row")
            == residents.shuffle().get("row")), "drawn from the model's generator"
    seen = []
    assert residents.shuffle_do(lambda r, note: note.append(r.unique_id), seen) is residents
    assert sorted(seen) == residents.get("unique_id") and seen != sorted(seen)
    assert residents.map(lambda r, years: r.age + years, 1) == [r.age + 1 for r in residents]
    residents.do(Resident.__setattr__, "fear_day", 0.125)
    assert set(residents.get("fear_day")) == {0.125}


def test_sets_of_views_change_without_the_population(run):
    residents = run.agents_by_type[Resident]
    some = ColumnarSet([residents[4], residents[2], residents[4]], run.random)
    assert [r.row for r in some] == [4, 2]
    some.add(residents[9])
    some.discard(residents[2])
    some.discard(residents[3])
    assert [r.row for r in some] == [4, 9] and residents[2] not in some
    with pytest.raises(KeyError):
        some.remove(residents[2])
    both = some | residents.select(at_most=1)
    assert sorted(r.row for r in both) == [0, 4, 9]
    assert len(residents) == run.n_residents
    assert len(ColumnarSet()) == 0 and list(ColumnarSet()) == []


def test_whole_sets_cost_nothing_per_agent(run):
    assert isinstance(run.agents._ids, range)
    first = next(iter(run.agents))
    assert first.unique_id == 1
    assert set(vars(first)) == {"_source", "row"}


# --- time, events, data


def test_step_and_run_for_and_run_until_agree(settings):
    one, two = (CityModel(settings, seed=5) for _ in range(2))
    for _ in range(6):
        one.step()
    two.run_for(4)
    two.run_until(6)
    assert one.time == two.time == 6 and one.steps == two.steps == one.step_index == 6
    assert np.array_equal(one.people.at, two.people.at)
    assert np.array_equal(one.people.fear, two.people.fear)
    frame = one.datacollector.get_model_vars_dataframe()
    assert len(frame) == 6 and frame.equals(two.datacollector.get_model_vars_dataframe())
    assert frame["out"].iloc[-1] == one.stock[:, 2].sum()


def test_a_method_can_be_scheduled(model):
    before = model.hot_places.tolist()
    model.places.recorded[4] = 1e6
    model.schedule_event(model.choose_hot_places, after=1.5)
    model.run_for(1)
    assert model.hot_places.tolist() == before, "not due yet"
    model.run_for(1)
    assert model.hot_places[0] == 4 and before[:1] != [4]


def test_agent_reporters_collect(model):
    start = model.step_index
    model.datacollector = DataCollector(
        model_reporters={"fear": lambda m: m.agents_by_type[Resident].agg("fear_night", np.mean)},
        agenttype_reporters={Resident: {"fear": "fear_night"},
                             PublicSpace: {"light": lambda a: a.light}})
    model.run_for(2)
    fear = model.datacollector.get_agenttype_vars_dataframe(Resident)
    assert fear.shape == (2 * model.n_residents, 1)
    assert np.allclose(fear.loc[start + 2]["fear"], model.people.fear[:model.n_residents, 1])
    light = model.datacollector.get_agenttype_vars_dataframe(PublicSpace)
    assert np.allclose(light.loc[start + 2]["light"], model.places.light)
    model.datacollector = DataCollector(agent_reporters={"id": "unique_id"})
    model.run_for(1)
    assert len(model.datacollector.get_agent_vars_dataframe()) == len(model.agents)


# --- copies


def _crimes(model):
    return model.recorder.n_events


def test_a_copy_goes_its_own_way_and_the_same(run, settings):
    twin, other = copy.deepcopy(run), copy.deepcopy(run)
    untouched = run.people.fear.copy()
    other.agents_by_type[Resident].set("fear_night", 1.0)
    twin.run_for(24)
    assert run.time == HOURS and np.array_equal(run.people.fear, untouched)
    whole = CityModel(settings, seed=3)
    whole.run_for(HOURS + 24)
    assert np.array_equal(twin.people.fear, whole.people.fear)
    assert np.array_equal(twin.places.disorder, whole.places.disorder)
    assert twin.agents[0].model is twin


def test_a_model_can_be_pickled(model):
    model.datacollector = DataCollector(model_reporters={"crimes": _crimes})
    twin = pickle.loads(pickle.dumps(model))
    model.run_for(3)
    twin.run_for(3)
    assert twin.time == model.time and np.array_equal(twin.people.at, model.people.at)
    agent = pickle.loads(pickle.dumps(model.agents_by_type[Offender][1]))
    assert agent.row == 1 and agent.model is not model
    assert agent.propensity == model.offenders.propensity[1]


def test_importing_the_package_is_cheap_and_lazy():
    code = ("import sys, citysim; assert 'numba' not in sys.modules and 'mesa' not in sys.modules;"
            "from citysim import compose; assert 'numba' not in sys.modules;"
            "assert not hasattr(citysim, 'CityModle')")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
