"""The part of a city's specification that turns bare streets into used places."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Slope = Annotated[float, Field(ge=-1, le=1)]
Weight = Annotated[float, Field(ge=0, le=100)]
Metres = Annotated[float, Field(gt=0, le=50_000)]
ClosingHour = Annotated[float, Field(ge=12, le=30)]


class Part(BaseModel):
    """A part of the specification: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class JobWeights(Part):
    """Jobs per metre of street wholly in one use, relative to each other."""

    office: Weight
    retail: Weight
    school: Weight
    leisure: Weight
    transit: Weight


class Economy(Part):
    """What the city's residents and visitors find in it.

    ``jobs_per_worker``: jobs per employed resident. ``shops_per_10k``, ``venues_per_10k``:
    day-time businesses and evening venues per 10,000 residents. ``shop_spread``,
    ``venue_spread``: spread of their sizes (log units). ``vehicles_per_1000``:
    vehicles parked on the street per 1,000 residents. ``vacancy``: dwellings beyond
    households, as a share. ``school_places``: places per resident at school age.
    ``school_size``, ``school_spread``: places of a school and their spread (log units).
    ``campuses``, ``campus_places``, ``campus_limit``: universities, places of each, and the
    greatest share of all places that they take.
    """

    jobs_per_worker: Annotated[float, Field(ge=0, le=10)]
    shops_per_10k: Annotated[float, Field(ge=0, le=5000)]
    venues_per_10k: Annotated[float, Field(ge=0, le=2000)]
    shop_spread: Annotated[float, Field(ge=0, le=3)]
    venue_spread: Annotated[float, Field(ge=0, le=3)]
    vehicles_per_1000: Annotated[float, Field(ge=0, le=2000)]
    vacancy: Annotated[float, Field(ge=0, le=2)]
    school_places: Annotated[float, Field(ge=0, le=5)]
    school_size: Annotated[int, Field(ge=10, le=5000)]
    school_spread: Annotated[float, Field(ge=0, le=2)]
    campuses: Annotated[int, Field(ge=0, le=20)]
    campus_places: Annotated[int, Field(ge=0, le=50_000)]
    campus_limit: Share
    job_weights: JobWeights


class LandUse(Part):
    """Strength of each use on a segment before the strengths are made into shares.

    Retail and offices grow along main streets and with through-movement (centrality);
    ``patchiness`` is the spread (standard deviation of the logarithm) of the smooth variation
    over ``patch_length`` metres. Where no file says which streets are main streets,
    the most central ``main_share`` are. ``main_pull``: what a main street counts beside
    centrality where stops are placed. ``polygon_lead``: strength of the use that a land-use
    polygon names, relative to all others together. Mechanism: movement economies (Hillier 1996).
    """

    dwelling: Weight
    retail: Weight
    retail_main: Weight
    retail_central: Weight
    office: Weight
    office_central: Weight
    leisure: Weight
    leisure_night: Weight
    school: Weight
    green: Weight
    stop: Weight
    station: Weight
    patchiness: Annotated[float, Field(ge=0, le=3)]
    patch_length: Metres
    main_share: Share
    main_pull: Share
    polygon_lead: Weight
    centrality_power: Annotated[float, Field(gt=0, le=20)]
    centrality_sources: Annotated[int, Field(ge=1, le=2000)]


class Night(Part):
    """Night centres: how many, radius and least distance in metres, pull of the middle of the
    city, weight of the districts' ``night`` (as a power), and what differs there: closing hour
    (counted past midnight), share of alcohol-led venues, events a week without an alcohol lead.
    """

    centres: Annotated[int, Field(ge=1, le=50)]
    radius: Metres
    separation: Metres
    pull: Weight
    liveliness_power: Weight
    closing_hour: ClosingHour
    centre_closing_hour: ClosingHour
    alcohol: Share
    centre_alcohol: Share
    centre_events: Annotated[float, Field(ge=0, le=50)]


class Green(Part):
    """Parks: share of the street length, radius of a patch in metres and how far
    it varies either way (share), pull of rivers (0 none)."""

    share: Annotated[float, Field(ge=0, le=0.6)]
    patch_radius: Metres
    patch_spread: Share
    river_pull: Weight


class Transport(Part):
    """Distance between stops in metres; stations; gateways for commuters and visitors,
    and how near the edge those by road lie; staffed services that a station has in the evening."""

    stop_spacing: Metres
    stations: Annotated[int, Field(ge=0, le=200)]
    gateways: Annotated[int, Field(ge=1, le=200)]
    gateway_edge: Share
    station_services: Annotated[float, Field(ge=0, le=20)]


class Deprivation(Part):
    """Variation of deprivation within a district: standard deviation and patch length in
    metres. The districts' means are margins."""

    spread: Annotated[float, Field(ge=0, le=0.5)]
    patch_length: Metres


class Lighting(Part):
    """Lamp light: base share, added on main streets, night centres and green places, and where
    deprivation is complete; standard deviation between segments."""

    base: Share
    main: Slope
    centre: Slope
    green: Slope
    deprivation: Slope
    variation: Annotated[float, Field(ge=0, le=0.5)]


class Condition(Part):
    """Condition of places at the start: upkeep, disorder and their slope with deprivation;
    cleaning visits a week, stewardship and camera cover, and what night centres add; derelict
    houses and lots, for each dwelling of the city."""

    upkeep: Share
    upkeep_deprivation: Slope
    disorder: Share
    disorder_deprivation: Slope
    variation: Annotated[float, Field(ge=0, le=0.5)]
    cleaning: Annotated[float, Field(ge=0, le=14)]
    cleaning_centre: Annotated[float, Field(ge=0, le=14)]
    stewardship: Share
    camera: Share
    camera_centre: Share
    derelict: Annotated[float, Field(ge=0, le=0.2)]
