"""Declarations of every table's columns: the data dictionary of the model.

Shares lie in [0, 1]. Distances are metres, times hours unless the unit says so.
``initial`` columns come from the city or the population; the others are moved by the
model as it runs.
"""

from citysim.state.table import Column as C

KINDS = ("resident", "commuter", "visitor")
SEXES = ("man", "woman")
EDUCATION = ("lower secondary or less", "upper secondary", "tertiary")
EMPLOYMENT = ("child", "student", "employed", "unemployed", "neet", "retired", "inactive")
MODES = ("walk", "transit", "car")
TIE_KINDS = ("household", "kin", "neighbour", "school", "work", "friend")  # closest first

RESIDENT, COMMUTER, VISITOR = range(len(KINDS))
LOWER, UPPER, TERTIARY = range(len(EDUCATION))
CHILD, STUDENT, EMPLOYED, UNEMPLOYED, NEET, RETIRED, INACTIVE = range(len(EMPLOYMENT))

PLACES = (
    # --- initial: from street files or the generator
    C("x", "f4", "m", "easting of the middle of the segment"),
    C("y", "f4", "m", "northing of the middle of the segment"),
    C("length", "f4", "m", "length of the segment", 1, 20000, default=1),
    C("district", "u1", "index", "district the place lies in"),
    C("dwelling", "f4", "share", "land use: dwellings", 0, 1),
    C("retail", "f4", "share", "land use: shops", 0, 1),
    C("office", "f4", "share", "land use: offices and industry", 0, 1),
    C("school", "f4", "share", "land use: schools", 0, 1),
    C("leisure", "f4", "share", "land use: bars, restaurants, culture, sport", 0, 1),
    C("green", "f4", "share", "land use: parks and squares", 0, 1),
    C("transit", "f4", "share", "land use: stations and stops", 0, 1),
    C("dwellings", "i4", "dwellings", "dwellings on the segment", 0),
    C("jobs", "i4", "jobs", "work places on the segment", 0),
    C("pupils", "i4", "places", "school and university places", 0),
    C("shops", "i2", "shops", "shops and other day-time businesses", 0),
    C("venues", "i2", "venues", "evening venues: bars, restaurants, clubs, culture", 0),
    C("shop_space", "f4", "shops", "size of the shops together, in shops of mean size", 0),
    C("venue_space", "f4", "venues", "size of the venues together, in venues of mean size", 0),
    C("vehicles", "f4", "vehicles", "vehicles parked along the segment", 0),
    C("stop", "u1", "flag", "1 where a transit stop or station is", 0, 1),
    C("gateway", "u1", "flag", "1 where visitors and commuters enter the city", 0, 1),
    C("deprivation", "f4", "share", "deprivation of the surroundings, 0 least", 0, 1),
    C("derelict", "i2", "sites", "derelict houses and lots that nobody looks after", 0),
    # --- initial, then moved by policies through levers
    C("lighting", "f4", "share", "what the street lamps let one see at night", 0, 1, default=0.5),
    C("camera", "f4", "share", "share of the segment in view of a camera", 0, 1),
    C("closing_hour", "f4", "h", "hour at which venues close, counted past midnight (25 = 01:00)",
      12, 30, default=24),
    C("alcohol", "f4", "share", "share of evening venues that are led by alcohol", 0, 1,
      default=0.6),
    C("events", "f4", "events/week", "evening events without an alcohol lead", 0, 50),
    C("services", "f4", "services", "staffed public services open in the evening and night", 0, 20),
    C("hosts", "f4", "hosts", "street hosts present during the host shift", 0, 20),
    C("cleaning", "f4", "visits/week", "cleaning and small repairs by the city", 0, 14, default=1),
    C("stewardship", "f4", "share", "residents' ownership: the share of decay they prevent", 0, 1),
    C("works", "f4", "share/day", "restoration works: upkeep put back per day", 0, 1),
    C("remediation", "f4", "share", "what derelict sites bring, put right", 0, 1),
    C("greenery", "f4", "share", "planted green that residents can use, beside the land use", 0, 1),
    C("rear_closed", "f4", "share", "dwellings whose rear access is closed by gates", 0, 1),
    C("norm_campaign", "f4", "share", "community mobilisation against violence to women", 0, 1),
    C("patrol_visits", "f4", "visits/day", "directed patrol visits in their hours", 0, 96),
    C("visit_minutes", "f4", "min", "length of a directed visit", 1, 60, default=12),
    C("visit_from", "f4", "h", "directed visits begin", 6, 30, default=10),
    C("visit_to", "f4", "h", "directed visits end, counted past midnight", 6, 30, default=26),
    C("visit_contacts", "f4", "1/h", "residents that an officer on directed visits talks to in an "
      "hour", 0, 20),
    C("procedural_quality", "f4", "share", "procedural quality of police contacts here, beside the "
      "city's", -1, 1),
    # --- set as a run starts
    C("venue_area", "i4", "index", "cluster of venues it belongs to, 0 the largest; -1 none", -1,
      default=-1),
    C("area_venues", "i4", "venues", "evening venues in its cluster", 0),
    # --- moved by the model
    C("upkeep", "f4", "share", "physical condition, 1 as new", 0, 1, default=0.7),
    C("grime", "f4", "share", "disorder that the surroundings bring beside lost upkeep", -5, 5),
    C("wear", "f4", "1/day", "upkeep lost per day without stewards, by the place's use", 0, 1),
    C("disorder", "f4", "share", "visible cues of disorder", 0, 1),
    C("deterrence", "f4", "share", "residual deterrence left by patrols", 0, 1),
    C("light", "f4", "share", "light now: the greater of daylight and lamp", 0, 1),
    C("present", "f4", "persons", "mean number of persons out on the segment in the step", 0),
    C("company", "f4", "persons", "those of them who can be met: passing or at leisure", 0),
    C("guardianship", "f4", "share", "informal guardianship now", 0, 1),
    C("certainty", "f4", "share", "perceived certainty of being seen, stopped or caught", 0, 1),
    C("unease", "f4", "share", "cue of insecurity that a passer-by takes in", 0, 1),
    C("unease_day", "f4", "share", "the cue by day, as neighbours have come to know it", 0, 1),
    C("unease_night", "f4", "share", "the cue after dark, as neighbours know it", 0, 1),
    C("patrol_minutes", "f4", "min", "officers' dwell in the step", 0),
    C("accustomed", "f4", "share", "condition of the street and those around it that residents are "
      "used to", 0),
    C("efficacy", "f4", "share", "collective efficacy of those who live here and around", 0, 1),
    C("recorded", "f4", "crimes", "recorded street crime, fading (memory of the police)", 0),
)

PEOPLE = (
    # --- initial
    C("kind", "u1", "code", "0 resident, 1 commuter, 2 visitor", 0, 2),
    C("household", "i4", "index", "row in households; -1 for commuters and visitors", -1),
    C("age", "u1", "years", "age", 0, 110),
    C("sex", "u1", "code", "0 man, 1 woman", 0, 1),
    C("foreign", "u1", "flag", "1 when a foreign national", 0, 1),
    C("quintile", "u1", "quintile", "income quintile of the household, 1 poorest", 1, 5, default=3),
    C("education", "u1", "code", "0 lower secondary or less, 1 upper secondary, 2 tertiary", 0, 2),
    C("employment", "u1", "code", "0 child, 1 student, 2 employed, 3 unemployed, "
      "4 not in employment, education or training, 5 retired, 6 inactive", 0, 6),
    C("anchors", "u2", "index", "places: home, day place, three leisure anchors", width=5),
    C("minutes", "u1", "min", "travel time to each of the four anchors away from home", width=4),
    C("modes", "u1", "code", "mode of each of the four trips, two bits each "
      "(0 walk, 1 transit, 2 car)"),
    C("hops", "u1", "places", "places walked on each of the four stored routes", width=4),
    C("route", "u4", "index", "where the stored routes begin in the route array"),
    C("timetable", "u1", "index", "weekly timetable followed"),
    C("shift", "i1", "steps", "personal offset of the timetable", -4, 4),
    C("self_control", "f4", "share", "self-control, 1 high", 0, 1, default=0.5),
    C("substance", "f4", "share", "substance use, 0 none", 0, 1),
    C("sensitivity", "f4", "1", "weight of insecurity cues in the person's fear", 0, 5, default=1),
    # --- moved by the model
    C("at", "u1", "anchor", "anchor where the person is now", 0, 4),
    C("intoxication", "u1", "1/255", "alcohol taken this evening"),
    C("status", "u1", "code", "0 free, 1 detained", 0, 1),
    C("programme", "u1", "bits", "programmes enrolled in: 1 school support, 2 training, "
      "4 placement, 8 mentor, 16 cognitive sessions"),
    C("skill", "u2", "1/65535", "share of missing self-control that sessions lend, fading"),
    C("group", "u1", "code", "sex and age band: 3 sex + (0 under 25, 1 to 64, 2 older)", 0, 5),
    C("aggression", "f4", "1", "readiness for violence under friction, mean 1", 0),
    C("caution", "f4", "1", "weight of going out by day and after dark, 1 without fear", 0, 1,
      width=2, default=1),
    C("norms", "f4", "share", "moral rules against offending, 1 strong", 0, 1, default=0.7),
    C("lasting_norms", "u2", "1/65535", "moral rules that are lastingly the person's own",
      default=45875),
    C("fear", "f4", "share", "fear of crime by day and after dark", 0, 1, width=2),
    C("trust_police", "f4", "share", "trust in the police", 0, 1, default=0.5),
    C("trust_city", "f4", "share", "trust in the city", 0, 1, default=0.5),
    C("victimised", "u2", "offences", "offences suffered since the start"),
    C("stops", "u2", "stops", "police stops since the start"),
)

HOUSEHOLDS = (
    C("home", "u2", "index", "place of the dwelling"),
    C("size", "u1", "persons", "members", 1, 20, default=1),
    C("first", "i4", "index", "first member's row in people; members stand together", 0),
    C("strain", "f4", "share", "household strain: low income, no work, crowding", 0, 1),
    C("at_home", "u1", "persons", "members at home now"),
    C("abuse_norms", "f4", "share", "tolerance of abuse in the household", 0, 1, default=0.3),
)

OFFENDERS = (
    C("person", "i4", "index", "row in people", 0),
    C("active", "u1", "flag", "1 while the role is held", 0, 1),
    C("latent", "f4", "1", "lasting part of the propensity", 0),
    C("propensity", "f4", "1", "readiness to offend, mean 1 over the role's holders at start", 0),
    C("perceived_risk", "f4", "share", "personal estimate of the chance of arrest", 0, 1,
      default=0.1),
    C("group", "i4", "index", "co-offending group; -1 alone", -1, default=-1),
    C("haunts", "u2", "index", "places known from trips in search of targets", width=4),
    C("memory_place", "i4", "index", "places of remembered successes; -1 empty", -1, width=4,
      default=-1),
    C("memory", "f4", "share", "strength of each memory", 0, 1, width=4),
    C("memory_offence", "i2", "index", "offence of each memory", width=4),
    C("memory_target", "i4", "index", "household (dwellings, vehicles, damage) or person that each "
      "memory hit; -1 nobody", -1, width=4, default=-1),
    C("released_at", "i4", "step", "step of release while detained"),
    C("crimes", "u2", "offences", "offences committed since the start"),
    C("arrests", "u2", "arrests", "arrests since the start"),
)

GUARDIANS = (
    C("kind", "u1", "code", "0 reactive, 1 hot spot, 2 beat, 3 random patrol", 0, 3),
    C("force", "u1", "code", "0 national, 1 local", 0, 1),
    C("on_duty", "u1", "flag", "1 while on shift", 0, 1),
    C("place", "u2", "index", "place where the unit is"),
    C("district", "u1", "index", "district the unit belongs to"),
    C("shift", "u1", "code", "0 morning, 1 afternoon, 2 night", 0, 2),
    C("busy_minutes", "f4", "min", "time already promised to calls", 0),
)

CITY = (  # one row: quantities of the city as a whole that policies move
    C("night_headway", "f4", "min", "minutes between night buses", 5, 240, default=60),
    C("night_service_end", "f4", "h", "end of night transport, counted past midnight", 20, 30,
      default=25),
    C("services_until", "f4", "h", "staffed evening services close, counted past midnight", 18, 30,
      default=25),
    C("reactive_units", "f4", "units", "patrol units on duty that answer calls", 0),
    C("random_units", "f4", "units", "units on random preventive patrol", 0),
    C("hot_spot_units", "f4", "units", "units on hot-spot patrol, from recorded crime", 0),
    C("beat_units", "f4", "units", "community officers on beats", 0),
    C("stop_minutes", "f4", "min", "dwell of a patrol at one place", 1, 60, default=15),
    C("procedural_quality", "f4", "share", "procedural quality of police contacts", 0, 1,
      default=0.5),
    C("contacts_per_hour", "f4", "1/h", "residents that a beat officer talks to in an hour", 0, 20,
      default=1),
    C("consultation", "f4", "share", "share of households asked for priorities in a year", 0, 1),
    C("reporting_support", "f4", "share", "help with reporting harassment and abuse", 0, 1),
)
