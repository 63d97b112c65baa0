"""Life course and harm at home: monthly changes of work, school and role; daily domestic abuse."""

from typing import NamedTuple

import numpy as np

from citysim.kernels.events import CULPRIT, OFFENCE, OFFENDER, PLACE, STEP, VICTIM
from citysim.kernels.jit import kernel
from citysim.kernels.random import draw, draw2, to_unit, uniform, uniform2

CHILD, STUDENT, EMPLOYED, UNEMPLOYED, NEET, RETIRED, INACTIVE = range(7)
SCHOOL_SUPPORT, TRAINING, PLACEMENT, MENTOR, SESSIONS = 1, 2, 4, 8, 16
SKILL = 65535.0  # full skill, and full rules, in the units of people.skill and lasting_norms


class Course(NamedTuple):
    """Monthly constants of work, school, skills and the offending role."""

    job_loss: float          # share of the employed who lose their job
    job_find: float          # share of the unemployed who find one
    neet_find: float         # share of young people outside work and school who find one
    training_gain: float     # factor on finding a job while or after training
    placement_kept: float    # share of placements that become a job when the placement ends
    dropout: float           # share of students old enough who leave school
    support_gain: float      # share of dropouts that school support prevents
    mentor_gain: float       # share of missing self-control that a mentor's month builds
    school_gain: float       # the same for school support
    desist_base: float       # share of active offenders who desist
    desist_age: float        # added per decade of age above desist_from
    desist_job: float        # factor when in work
    onset_base: float        # share of inactive holders of the latent role who start
    onset_neet: float        # factor when outside work and school
    jobless_drive: float     # log propensity of being without work
    school_drive: float      # log propensity of being at school
    control_drive: float     # log propensity per unit of missing self-control
    substance_drive: float   # log propensity per unit of substance use
    norms_drive: float       # log propensity per unit of missing moral rules
    grievance_drive: float   # log propensity per unit of trust in the police below the usual
    usual_trust: float       # usual trust in the police
    peers_drive: float       # log propensity per unit of the share of ties who are active
    norms_talk: float        # share by which one takes over a tie's moral rules in a month
    norms_return: float      # share by which they return to the person's own in a month
    session_most: float      # share of missing self-control that sessions lend in the long run
    session_gain: float      # share of the way there in a month of sessions
    session_fade: float      # share of what is lent that is lost in a month without
    session_calm: float      # log aggression taken per unit of what sessions lend
    control_aggression: float  # log aggression per unit of missing self-control
    neet_below: int          # age below which those out of work count as NEET
    dropout_from: int        # ages at which pupils can leave school
    dropout_to: int
    desist_from: int         # age from which desisting grows easier


@kernel
def month(lo, hi, course, key_work, key_school, age, employment, programme, placed, self_control,
          skill, aggression, timetable, timetable_work, timetable_free):
    """Work, school and skills of residents ``lo`` to ``hi - 1`` over one month.

    ``placed`` (uint8) remembers who was in a placement last month (bit 1), so that its end can
    turn into a job or not; students work beside school and get back the timetable that they had
    (bits above). Only those whose state changes get another timetable.
    """
    for r in range(lo, hi):
        bits = programme[r]
        e = employment[r]
        new = e
        if bits & PLACEMENT:
            if e == UNEMPLOYED or e == NEET:
                new = EMPLOYED
            elif e == STUDENT and placed[r] == 0:
                placed[r] = (timetable[r] + 1) << 1
                timetable[r] = timetable_work
            placed[r] |= 1
        elif placed[r] & 1:
            if placed[r] > 1 and e == STUDENT:
                timetable[r] = (placed[r] >> 1) - 1
            placed[r] = 0
            if e == EMPLOYED and uniform2(key_work, r, 1) >= course.placement_kept:
                new = NEET if age[r] < course.neet_below else UNEMPLOYED
        elif e == EMPLOYED:
            if uniform2(key_work, r, 2) < course.job_loss:
                new = NEET if age[r] < course.neet_below else UNEMPLOYED
        elif e == UNEMPLOYED or e == NEET:
            chance = course.job_find if e == UNEMPLOYED else course.neet_find
            if bits & TRAINING:
                chance *= course.training_gain
            if uniform2(key_work, r, 3) < chance:
                new = EMPLOYED
        elif e == STUDENT and age[r] >= course.dropout_from and age[r] <= course.dropout_to:
            chance = course.dropout
            if bits & SCHOOL_SUPPORT:
                chance *= 1.0 - course.support_gain
            if uniform(key_school, r) < chance:
                new = NEET
        if bits & (MENTOR | SCHOOL_SUPPORT | SESSIONS) or skill[r] > 0:
            grow(r, bits, course, self_control, skill, aggression)
        if new != e:
            employment[r] = new
            timetable[r] = timetable_work if new == EMPLOYED else timetable_free


@kernel
def lacking(r, self_control, skill):
    """Self-control that a person lacks, [0, 1]: what skill from sessions does not stand in for."""
    return (1.0 - np.float64(self_control[r])) * (1.0 - skill[r] / SKILL)


@kernel
def grow(r, bits, course, self_control, skill, aggression):
    """A month of mentors, school support and sessions, or of forgetting what sessions taught.

    Aggression goes with the self-control that is lacking, wherever a change of it comes from;
    sessions calm beside that for as long as they are not forgotten.
    """
    before, learnt = lacking(r, self_control, skill), skill[r] / SKILL
    if bits & MENTOR:
        self_control[r] += np.float32(course.mentor_gain * (1.0 - self_control[r]))
    if bits & SCHOOL_SUPPORT:
        self_control[r] += np.float32(course.school_gain * (1.0 - self_control[r]))
    held = learnt
    if bits & SESSIONS:
        held += course.session_gain * (course.session_most - held)
    else:
        held *= 1.0 - course.session_fade
    skill[r] = np.uint16(held * SKILL + 0.5)
    change = lacking(r, self_control, skill) - before
    calm = course.session_calm * (skill[r] / SKILL - learnt)
    aggression[r] *= np.float32(np.exp(course.control_aggression * change - calm))


@kernel
def spread_norms(lo, hi, key, course, tie_start, ties, lasting, before, norms):
    """A month of talk about right and wrong, residents ``lo`` to ``hi - 1``.

    Everybody takes over the share ``norms_talk`` of what one tie, all equally likely, thinks
    otherwise, and goes back by ``norms_return`` to the rules that are lastingly their own: opinions
    that spread and yet do not become one (Friedkin and Johnsen 1990).

    Parameters
    ----------
    lasting
        uint16 (people), 1/65535: everybody's own rules.
    before, norms
        float32, share: moral rules until now (residents) and from now on (people).
    """
    for r in range(lo, hi):
        old = np.float64(before[r])
        degree = tie_start[r + 1] - tie_start[r]
        other = old
        if degree > 0:
            other = before[ties[tie_start[r] + np.int64(draw(key, r) % np.uint64(degree))]]
        norms[r] = np.float32(old + course.norms_talk * (other - old)
                              + course.norms_return * (lasting[r] / SKILL - old))


@kernel
def offending_ties(r, tie_start, ties, role, active):
    """Share of a person's ties who are active offenders, [0, 1]; 0 without ties."""
    n = 0
    for j in range(tie_start[r], tie_start[r + 1]):
        i = role[ties[j]]
        if i >= 0 and active[i] == 1:
            n += 1
    return n / max(1, tie_start[r + 1] - tie_start[r])


@kernel
def propensities(course, person, latent, age_factor, age, employment, self_control, skill,
                 substance, norms, trust_police, tie_start, ties, role, active, propensity):
    """Readiness to offend from age, work, traits, moral rules, grievance and peers.

    ``latent`` is the person's lasting part; ``age_factor`` (float64 (111)) the age curve; ``role``
    each person's row among the holders (-1 none) and ``active`` who of these offends. Peers move
    propensity, which moves nobody's role, so they cannot feed on each other.
    """
    for i in range(person.size):
        r = person[i]
        e = employment[r]
        drive = (course.control_drive * lacking(r, self_control, skill)
                 + course.substance_drive * substance[r] + course.norms_drive * (1.0 - norms[r]))
        if e == UNEMPLOYED or e == NEET:
            drive += course.jobless_drive
        elif e == STUDENT:
            drive += course.school_drive
        drive += course.grievance_drive * (course.usual_trust - trust_police[r])
        if course.peers_drive != 0.0:
            drive += course.peers_drive * offending_ties(r, tie_start, ties, role, active)
        propensity[i] = latent[i] * age_factor[age[r]] * np.exp(drive)


@kernel
def stopping(course, age, employment):
    """Chance that an active offender of this age and work stops within a month."""
    older = max(0.0, (age - course.desist_from) / 10.0)
    chance = course.desist_base + course.desist_age * older
    return chance * course.desist_job if employment == EMPLOYED else chance


@kernel
def starting(course, employment):
    """Chance that a holder of the role who does not offend starts within a month."""
    idle = employment == NEET or employment == UNEMPLOYED
    return course.onset_base * course.onset_neet if idle else course.onset_base


@kernel
def resting_shares(course, person, age, employment, share):
    """Share of holders like each one who are active where as many start as stop.

    Of those at one age and in one state of work, onset x (1 - share) = desistance x share. Where
    nobody starts or stops the share is 1. ``share`` is float64 (holders).
    """
    for i in range(person.size):
        r = person[i]
        on = min(1.0, starting(course, employment[r]))
        off = min(1.0, stopping(course, age[r], employment[r]))
        share[i] = on / (on + off) if on + off > 0.0 else 1.0


@kernel
def roles(course, key, person, age, employment, active):
    """Who stops and who starts offending this month."""
    for i in range(person.size):
        r = person[i]
        u = uniform(key, r)
        if active[i] == 1:
            if u < stopping(course, age[r], employment[r]):
                active[i] = 0
        elif u < starting(course, employment[r]):
            active[i] = 1


class Harm(NamedTuple):
    """Constants of harm inside the household."""

    base: float         # strain that every household has
    women_harm: float   # weight of a woman among adults who harm
    men_hit: float      # weight of a man among those harmed
    child_hit: float    # weight of a child among those harmed
    late: float         # share of the day's harm that falls in its evening part
    late_from: float    # hour at which that part begins
    adult_from: int     # youngest age of those who harm
    child_below: int    # age below which ``child_hit`` holds
    campaign_pace: float   # share by which a full campaign moves tolerance in a day
    campaign_floor: float  # tolerance that no campaign goes below


@kernel
def harming(r, harm, age, sex, status):
    """Weight of a person among those of a household who harm: adults at liberty."""
    if age[r] < harm.adult_from or status[r] != 0:
        return 0.0
    return 1.0 if sex[r] == 0 else harm.women_harm


@kernel
def hit(r, harm, age, sex, status):
    """Weight of a person among those of a household who are hit: anybody at liberty."""
    if status[r] != 0:
        return 0.0
    weight = 1.0 if sex[r] == 1 else harm.men_hit
    return weight * harm.child_hit if age[r] < harm.child_below else weight


@kernel
def chances_at_home(lo, hi, harm, age, sex, status, cell, chance):
    """Add the chance of each of a household's people to be hit, whoever of them does it.

    Parameters
    ----------
    lo, hi
        Its people are rows ``lo`` to ``hi - 1``.
    chance
        float64 (cells): takes in the chances, which add up to 1 as somebody is hit.
    """
    possible = 0.0
    for part in range(2):  # the weight of all pairs, then the share of each
        for c in range(lo, hi):
            others = 0.0
            for r in range(lo, hi):
                others += hit(r, harm, age, sex, status) if r != c else 0.0
            weight = harming(c, harm, age, sex, status)
            if others <= 0.0 or weight <= 0.0:
                continue
            if part == 0:
                possible += weight
                continue
            for r in range(lo, hi):
                if r != c:
                    chance[cell[r]] += (weight / possible
                                        * hit(r, harm, age, sex, status) / others)


@kernel
def harm_at_home(key, key_hour, day_step, steps_per_hour, offence, level, harm, home, first, size,
                 strain, tolerance, age, sex, status, cell, total, hazard, victim_chances, events,
                 n_events, limit):
    """A day of domestic abuse: hidden, out of strain and tolerant norms.

    The hour is drawn with weight ``harm.late`` on the evening half of the day. Appends events with
    victim and culprit, and their chances to ``victim_chances`` (offences, cells); returns the new
    count.
    """
    for h in range(home.size):
        if size[h] < 2:
            continue
        expected = level * (harm.base + strain[h]) * tolerance[h]
        hazard[home[h], offence] += expected
        total[offence] += expected
        if uniform(key, h) >= expected or n_events >= limit:
            continue
        culprit = -1
        victim = -1
        top = np.inf
        for r in range(first[h], first[h] + size[h]):
            t = -np.log(to_unit(draw2(key, h, r))) / harming(r, harm, age, sex, status)
            if t < top:
                top = t
                culprit = r
        top = np.inf
        for r in range(first[h], first[h] + size[h]):
            if r != culprit:
                t = -np.log(to_unit(draw2(key, h, r + 1000003))) / hit(r, harm, age, sex, status)
                if t < top:
                    top = t
                    victim = r
        if culprit < 0 or victim < 0:
            continue
        chances_at_home(first[h], first[h] + size[h], harm, age, sex, status, cell,
                        victim_chances[offence])
        u = uniform2(key_hour, h, 0)
        v = uniform2(key_hour, h, 1)
        late = u < harm.late
        hour = harm.late_from + (24.0 - harm.late_from) * v if late else harm.late_from * v
        events[n_events, STEP] = day_step + np.int64(hour * steps_per_hour)
        events[n_events, PLACE] = home[h]
        events[n_events, OFFENCE] = offence
        events[n_events, OFFENDER] = -1
        events[n_events, VICTIM] = victim
        events[n_events, CULPRIT] = culprit
        n_events += 1
    return n_events


@kernel
def shift_norms(harm, campaign, home, tolerance):
    """A day of mobilisation: households' tolerance of abuse moves down towards a floor."""
    for h in range(home.size):
        reach = campaign[home[h]]
        if reach > 0.0:
            above = max(0.0, tolerance[h] - harm.campaign_floor)
            tolerance[h] -= np.float32(reach * harm.campaign_pace * above)
