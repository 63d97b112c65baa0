"""Places in one step: who is present, what can be seen, what a crime there would be worth.

Everything an offender needs of a place in this hour is worked out here once per place, so that
weighing an opportunity later is reading one row.
"""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import OFFENCE, OFFENDER, PLACE, STEP, VICTIM
from citysim.kernels.jit import kernel
from citysim.kernels.people import (
    CUE,
    CUE_SCALE,
    DAY,
    EMPTY,
    FIELD_BITS,
    FIELD_MASK,
    FLOW,
    FRICTION_SCALE,
    GUESTS,
    HOME,
    INSIDE,
    OUT,
    OUT_WOMEN,
    OUT_YOUNG,
    OUTSIDE,
)
from citysim.kernels.random import uniform

# Forms of opportunity; the offence rows name one each.
CROWD, LONE, EMPTY_DWELLING, VEHICLE, SHOP, LONE_WOMAN, NEGLECT, FRICTION, HOUSEHOLD = range(9)
FORMS = ("crowd", "lone", "empty_dwelling", "vehicle", "shop", "lone_woman", "neglect",
         "friction", "household")


class Hour(NamedTuple):
    """What is the same everywhere in this step."""

    step_seconds: float
    daylight: float        # 0 night .. 1 day
    awake: float           # share of people at home who are awake
    clock: float           # hour of the evening counted past midnight (25 = 01:00), else of day
    shops_open: float      # 0 or 1
    services_open: float   # 0 or 1: evening and night services are staffed
    hosts_on: float        # 0 or 1: the hosts' shift
    evening: float         # 0 or 1: venues work in these hours until they close


class Watch(NamedTuple):
    """Constants of presence, guardianship, perceived certainty and unease."""

    outdoors: float         # share of time that people at a leisure place can be met outdoors
    green_outdoors: float   # the same of people at home where their street is all new green
    weigh: float            # people that one simulated person stands for
    home_eyes: float        # weight of a person awake at home as an onlooker
    shop_eyes: float        # onlookers per open shop
    venue_eyes: float       # onlookers per open venue
    service_eyes: float     # onlookers per staffed service
    host_eyes: float        # onlookers per street host
    saturation: float       # persons (on a usual length) at which guardianship is at 1 - 1/e
    blind: float            # share of guardianship that needs no light
    disorder_loss: float    # share of guardianship lost at full disorder
    certainty_informal: float
    certainty_patrol: float
    certainty_light: float
    certainty_camera: float
    unease_dark: float      # cue of unlit night
    unease_disorder: float
    unease_empty: float     # cue of an empty street after dark
    empty_scale: float      # persons (present, passing) at which a street stops feeling empty
    comfort: float          # cue taken away by hosts, services or officers in sight
    calm_minutes: float     # patrol minutes that calm like a host


class Target(NamedTuple):
    """Constants of the forms of opportunity that are not the offence's own."""

    night_vehicle: float    # weight of darkness on vehicle crime
    meeting: float          # per person; how soon a target is there at all, as 1 - exp(-meeting N)
    rear_entry: float       # share of burglaries that come in from the rear
    occupied: float         # weight of a dwelling whose people sleep against an empty one
    disorder_feed: float    # how much disorder invites damage, saturating
    youth_feed: float       # how much young people out add to it
    friction_base: float    # friction of a passer-by who has not been drinking
    friction_crowd: float   # persons at which contact among a crowd reaches half its effect
    friction_known: float   # contact outside that needs no crowd: one's own company


@kernel
def watch_places(lo, hi, hour, watch, place_rows, stock, seconds, stretch, lamp, camera, disorder,
                 deterrence, patrol_minutes, day_outdoors, shops, venues, closing_hour, services,
                 hosts, greenery,
                 efficacy, light, present, company, women, young, guardianship, certainty, unease):
    """Presence, guardianship, perceived certainty and unease of places ``lo`` to ``hi - 1``.

    Presence is the mean number of persons out on the place at once: passages times the time a
    passage takes, plus those at leisure as far as they are outdoors (so far ``company``, whom one
    can meet), plus residents at home who sit on green that was planted in their street, while it
    is light: they see and are seen among neighbours. Guardianship grows with
    people who can see along a usual length of street (``stretch``: how many of these the place is
    long), saturates, is weighed by the collective efficacy around and by what
    light lets them see (Felson 1995; Sampson et al. 1997). Certainty joins the independent ways
    of being noticed or stopped; light counts by itself, since one *could* be seen.
    """
    share = 1.0 / hour.step_seconds
    for s in range(lo, hi):
        flow = place_rows[s, FLOW]
        passing = seconds[s] * share
        n = (np.float64(flow & FIELD_MASK) * passing + stock[s, OUT] * watch.outdoors
             + stock[s, DAY] * day_outdoors[s] * watch.weigh)
        seen = max(hour.daylight, lamp[s])
        company[s] = n
        n += greenery[s] * seen * watch.green_outdoors * stock[s, HOME] * hour.awake
        present[s] = n
        women[s] = (np.float64((flow >> FIELD_BITS) & FIELD_MASK) * passing
                    + stock[s, OUT_WOMEN] * watch.outdoors)
        young[s] = (np.float64((flow >> (2 * FIELD_BITS)) & FIELD_MASK) * passing
                    + stock[s, OUT_YOUNG] * watch.outdoors)
        light[s] = seen
        open_venues = venues[s] if hour.evening > 0 and hour.clock < closing_hour[s] else 0
        staffed = services[s] * hour.services_open
        hosted = hosts[s] * hour.hosts_on
        eyes = (n + watch.home_eyes * stock[s, HOME] * hour.awake
                + watch.shop_eyes * shops[s] * hour.shops_open + watch.venue_eyes * open_venues
                + watch.service_eyes * staffed + watch.host_eyes * hosted) / stretch[s]
        g = (efficacy[s] * (watch.blind + (1.0 - watch.blind) * seen)
             * (1.0 - np.exp(-eyes / watch.saturation)) * (1.0 - watch.disorder_loss * disorder[s]))
        g = min(1.0, g)
        guardianship[s] = g
        certainty[s] = 1.0 - ((1.0 - watch.certainty_informal * g)
                              * (1.0 - watch.certainty_patrol * deterrence[s])
                              * (1.0 - watch.certainty_light * seen)
                              * (1.0 - watch.certainty_camera * camera[s]))
        night = 1.0 - hour.daylight
        cue = (watch.unease_dark * night * (1.0 - lamp[s]) + watch.unease_disorder * disorder[s]
               + watch.unease_empty * night * np.exp(-eyes / watch.empty_scale))
        calm = 1.0 - np.exp(-(staffed + hosted + patrol_minutes[s] / watch.calm_minutes))
        cue = min(1.0, max(0.0, cue * (1.0 - watch.comfort * calm)))
        unease[s] = cue
        place_rows[s, CUE] = np.uint64(cue * CUE_SCALE)


@kernel
def opportunities(lo, hi, hour, target, form, level, half, beta, cue, stretch, stock, present,
                  company, women, young, certainty, disorder, light, vehicles, shop_space, homes,
                  rear_closed, breakable, attract, value):
    """Worth of each chosen offence on each place: target value times what the setting tells.

    ``value`` (float32 (places, offences)) is filled with level x background attractiveness x
    targets x exp(cue x disorder - beta x certainty). ``cue`` is how far a setting where rules are
    seen to be broken moves the log odds of acting (Keizer, Lindenberg and Steg 2008). ``half`` is
    each form's own scale in persons. What people do to each other's risk follows how close they
    are, persons on a usual length of street; how many targets there are follows the length too
    (``stretch``), or what stands there (vehicles, homes, ``shop_space``, ``breakable``: what
    vandals can damage), so that two halves of a street are worth as much as the whole.
    """
    n_offences = form.size
    for s in range(lo, hi):
        long = stretch[s]
        n = company[s] / long  # targets; whoever is there is a witness
        for o in range(n_offences):
            f = form[o]
            if f == CROWD:
                targets = long * (n * n / (n + half[o]))
            elif f == LONE:
                targets = long * ((1.0 - np.exp(-target.meeting * n))
                                  * np.exp(-(present[s] / long) / half[o]))
            elif f == EMPTY_DWELLING:
                targets = stock[s, EMPTY] + target.occupied * (1.0 - hour.awake) * (
                    homes[s] - stock[s, EMPTY])
                targets *= 1.0 - target.rear_entry * rear_closed[s]
            elif f == VEHICLE:
                targets = vehicles[s] * (1.0 + target.night_vehicle * (1.0 - light[s]))
            elif f == SHOP:
                targets = shop_space[s] * hour.shops_open * n / (n + half[o])
            elif f == LONE_WOMAN:
                targets = long * ((1.0 - np.exp(-target.meeting * (women[s] / long)))
                                  * np.exp(-(present[s] / long) / half[o]))
            elif f == NEGLECT:
                y = young[s] / long
                targets = breakable[s] * (
                    (1.0 + target.disorder_feed * disorder[s] / (disorder[s] + half[o]))
                    * (1.0 + target.youth_feed * y / (y + 1.0)))
            else:
                value[s, o] = 0.0
                continue
            value[s, o] = (level[o] * attract[s, o] * targets
                           * np.exp(cue[o] * disorder[s] - beta[o] * certainty[s]))


@kernel
def frictions_at(s, target, weigh, stretch, friction, company, calm):
    """Friction times contact on place ``s``: among guests of venues, and among all others.

    Friction (person-hours of aggression times intoxication) meets the crowd factor N / (N + c) of
    its own setting, N on a usual length of street: inside that of the guests alone, outside, with
    plain company, that of whom one can meet there. Outside the part ``friction_known`` is with
    people one came with or knows, whoever else is about, and green takes some of the friction:
    ``calm``, float32 (places), is what is left. ``weigh`` is how many people one simulated person
    stands for.
    """
    half = target.friction_crowd * stretch[s]
    guests = weigh * friction[s, GUESTS] / FRICTION_SCALE
    inside = weigh * friction[s, INSIDE] / FRICTION_SCALE
    n = company[s]
    outside = weigh * friction[s, OUTSIDE] / FRICTION_SCALE + target.friction_base * n
    known = target.friction_known
    outside *= calm[s] * (known + (1.0 - known) * n / (n + half))
    return inside * guests / (guests + half), outside


@kernel
def friction_at(s, offence, level, beta, target, hours, weigh, stretch, friction, company,
                calm, certainty, background, attract):
    """Expected assaults on place ``s``, where there is company, in this step; share inside.

    Venues have the lasting ``background`` of the place, the street what is found there now.
    """
    inside, outside = frictions_at(s, target, weigh, stretch, friction, company, calm)
    inside *= background[s, offence]
    both = inside + outside * attract[s, offence]
    expected = level * hours * both * np.exp(-beta * certainty[s])
    return expected, inside / both if inside > 0.0 else 0.0


@kernel
def frictions(lo, hi, key, step, offence, level, beta, target, hours, weigh, stretch, friction,
              company, calm, certainty, background, attract, indoors, hazard, total, events,
              n_events, limit):
    """Assaults out of friction among those who meet there: a hazard per place, one draw per place.

    The hazard is that of :func:`friction_at`; being seen deters little. ``indoors`` (float64
    (places)) is filled with the share of it among guests of venues, where there is company.
    Appends to ``events`` and returns the new count; the expected number is added to ``hazard``
    and ``total``.
    """
    for s in range(lo, hi):
        if company[s] <= 0.0:
            continue
        expected, indoors[s] = friction_at(s, offence, level, beta, target, hours, weigh, stretch,
                                           friction, company, calm, certainty, background, attract)
        hazard[s, offence] += expected
        total[offence] += expected
        u = uniform(key, s)
        # 1 - exp(-x) never exceeds x: the exponential is needed for few places only.
        if u < expected and u < 1.0 - np.exp(-expected) and n_events < limit:
            events[n_events, STEP] = step
            events[n_events, PLACE] = s
            events[n_events, OFFENCE] = offence
            events[n_events, OFFENDER] = -1
            events[n_events, VICTIM] = -1
            n_events += 1
    return n_events


@kernel
def pulls(lo, hi, hour, closing_hour, venue_space, alcohol, events, services, green, leisure,
          shop_space, lamp, unease, weights, sensitivity, drink_rate, others_drink, pull, guests,
          drink):
    """What each place has on offer now, for six groups, who is a guest and how fast these drink.

    Who drinks are the guests of open venues, as far as these are led by alcohol. Of a group they
    are the share that venues have in what the place offers it now: by the logit model of the
    choice, in which offers add up, that share came, or stays, for them (McFadden 1974). Staying
    is chosen anew in every step, by what is on offer then, so it holds for those who came for
    something that has closed since.

    Parameters
    ----------
    venue_space, shop_space
        float32 (places): size of the venues and of the shops, in premises of mean size.
    weights
        float64 (6 groups, 6 offers): tastes for alcohol-led venues, other venues, shops, green,
        events and services.
    sensitivity
        float64 (6): weight of the place's insecurity after dark.
    drink_rate
        Intoxication gained per step by a heavy drinker among drinkers, in 1/255.
    others_drink
        Share of the people who came for something else who are guests all the same, 0 to 1.
    pull
        float32 (places, 6), filled: odds of going against staying in.
    guests
        float32 (places, 6), filled: share of the group at leisure there that are guests of an
        open venue.
    drink
        float32 (places), filled: intoxication that a heavy drinker gains per step as a guest, in
        1/255.
    """
    night = 1.0 - hour.daylight
    for s in range(lo, hi):
        is_open = 1.0 if hour.evening > 0 and hour.clock < closing_hour[s] else 0.0
        open_venues = venue_space[s] * is_open
        bars = np.sqrt(open_venues * alcohol[s])
        other = np.sqrt(open_venues * (1.0 - alcohol[s]))
        shopping = np.sqrt(np.float64(shop_space[s])) * hour.shops_open
        park = (green[s] + leisure[s]) * (1.0 - night * (1.0 - lamp[s]))
        show = np.sqrt(events[s] / 7.0) * hour.evening  # a week's events, spread over its evenings
        serve = np.sqrt(services[s]) * hour.services_open
        drink[s] = drink_rate * alcohol[s] if open_venues > 0 else 0.0
        for g in range(6):
            going_out = weights[g, 0] * bars + weights[g, 1] * other
            offer = (going_out + weights[g, 2] * shopping + weights[g, 3] * park
                     + weights[g, 4] * show + weights[g, 5] * serve)
            came = going_out / offer if going_out > 0.0 else 0.0
            guests[s, g] = others_drink + (1.0 - others_drink) * came if open_venues > 0 else 0.0
            if night > 0.0:
                offer *= np.exp(-night * sensitivity[g] * unease[s])
            pull[s, g] = offer
