"""True, reported, recorded and expected crime."""

from __future__ import annotations

import numpy as np

from citysim.kernels import events as ev
from citysim.outcomes.record import BANDS, Record
from citysim.outcomes.registry import Measure, register

_UNIT = "per 100,000 residents and year"
_KINDS = {"true": None, "reported": ev.REPORTED, "recorded": ev.RECORDED}


@register({
    "crime.true.": Measure("True", _UNIT, "lower",
                           "Offences that happened, whoever the victim, over residents. By group: "
                           "offences suffered by members of the group over its members."),
    "crime.reported.": Measure("Reported", _UNIT, None, "Offences that were reported."),
    "crime.recorded.": Measure("Recorded", _UNIT, None,
                               "Offences that the police recorded; may rise while crime falls."),
})
def crime(record: Record):
    """Counts by offence, group, district and hour band."""
    band = record.bands[record.hour_of_week % 24]
    district = record.places.district[record.events[:, ev.PLACE]]
    size = record.group_size()
    scale = record.per_100k_year
    n_people = len(record.groups.names) - len(record.districts)
    for kind, column in _KINDS.items():
        there = np.ones(len(record.events), bool) if column is None \
            else record.events[:, column] == 1
        for offence in record.totals:
            chosen = there & np.isin(record.events[:, ev.OFFENCE], record.select(offence))
            name = f"crime.{kind}.{offence}"
            yield name, "all", chosen.sum() * scale
            for group, rate in _suffered(record, record.victim_cells(chosen)):
                yield name, group, rate
            for d, label in enumerate(record.districts):
                residents = size[n_people + d]
                if residents:
                    yield (name, f"district:{label}",
                           (chosen & (district == d)).sum() * scale * record.n_residents
                           / residents)
            for b, label in enumerate(BANDS):
                yield name, f"hours:{label}", (chosen & (band == b)).sum() * scale


@register({
    "crime.hazard.": Measure("Expected", _UNIT, "lower",
                             "Expected offences given who was motivated and what was on offer: the "
                             "same as true crime with less luck in it. By group: times the mean "
                             "chance of its members to be the victims of those that happened."),
    "crime.expected_reported.": Measure(
        "Expected reported", _UNIT, None,
        "Expected offences, times the mean probability of being reported of those that happened "
        "(where none did, the configured share): the same as reported crime with less luck in it."),
    "crime.expected_recorded.": Measure(
        "Expected recorded", _UNIT, None,
        "Expected offences, times the mean probability of being recorded of those that happened "
        "(where none did, the configured share): the same as recorded crime with less luck in it."),
    "crime.count.true": Measure("Offences in the window", "offences", "lower",
                                "Number of offences that happened, for the whole city."),
    "crime.count.hazard": Measure("Expected offences in the window", "offences", "lower",
                                  "Expected number of offences, for the whole city."),
})
def expected_crime(record: Record):
    """Summed hazards by offence, group, district and hour band; how much is told to the police.

    The share that is reported or recorded is one per offence for the whole city and window, so
    that districts and hours add up. As groups differ in what they report, it is not split by group.
    """
    told = record.told()
    shares = {"hazard": np.ones(len(told)), "expected_reported": told[:, 0],
              "expected_recorded": told[:, 1]}
    by_district = np.zeros((len(record.districts), len(told)))
    np.add.at(by_district, record.places.district, record.hazard)
    for kind, share in shares.items():
        for offence in record.totals:
            for group, value in _spread(record, by_district, record.select(offence), share):
                yield f"crime.{kind}.{offence}", group, value
    for offence in record.totals:
        for group, value in _suffered(record, record.expected_victims(record.select(offence))):
            yield f"crime.hazard.{offence}", group, value
    columns = record.select("all")
    counted = np.isin(record.events[:, ev.OFFENCE], columns).sum()
    yield "crime.count.true", "all", counted / record.scale
    yield "crime.count.hazard", "all", record.hazard[:, columns].sum() / record.scale


def _suffered(record: Record, by_cell: np.ndarray | None):
    """Offences by cell of their victim as rates of the groups of people; none for ``None``."""
    if by_cell is None:
        return
    size = record.group_size()
    suffered = record.groups.sum(by_cell)
    for g in range(1, len(size) - len(record.districts)):
        if size[g]:
            yield (record.groups.names[g],
                   suffered[g] * record.per_100k_year * record.n_residents / size[g])


def _spread(record: Record, by_district: np.ndarray, columns: np.ndarray, share: np.ndarray):
    """Shares (offences) of the hazards in some columns, summed: city, districts, hour bands."""
    scale = record.per_100k_year
    size = record.group_size()
    first = len(record.groups.names) - len(record.districts)
    share = share[columns]
    yield "all", (record.hazard[:, columns] * share).sum() * scale
    for d, label in enumerate(record.districts):
        if size[first + d]:
            yield (f"district:{label}", (by_district[d, columns] * share).sum() * scale
                   * record.n_residents / size[first + d])
    band = record.bands[np.arange(168) % 24]
    for b, label in enumerate(BANDS):
        yield f"hours:{label}", (record.hourly[band == b][:, columns] * share).sum() * scale
