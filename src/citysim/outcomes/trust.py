"""Trust, legitimacy and the burden of policing."""

from __future__ import annotations

from citysim.kernels import perception as mind
from citysim.outcomes.record import DAYS_PER_YEAR, Record
from citysim.outcomes.registry import Measure, register


@register({
    "trust.police": Measure("Trust in the police", "share", "higher",
                            "Mean trust of residents in the police, 0 to 1."),
    "trust.city": Measure("Trust in the city", "share", "higher",
                          "Mean trust of residents in the city: its legitimacy."),
    "police.stops": Measure("Police stops", "per 100 residents and year", None,
                            "Stops of residents in public space: the burden of policing."),
    "police.contacts": Measure("Talks with beat officers", "per 100 residents and year", None,
                               "Contacts of beat officers with residents without suspicion."),
})
def trust(record: Record):
    """Means and rates by group."""
    for outcome, column in (("trust.police", mind.TRUST_POLICE), ("trust.city", mind.TRUST_CITY)):
        for name, value in zip(record.groups.names, record.mean_by_group(column), strict=True):
            if value == value:
                yield outcome, name, value
    year = 100 * DAYS_PER_YEAR / max(1, record.days)
    stops = record.groups.sum(record.stops.astype(float))
    for name, count, size in zip(record.groups.names, stops, record.group_size(), strict=True):
        if size:
            yield "police.stops", name, count / size * year
    yield "police.contacts", "all", record.contacts / record.n_residents * year
