"""Constants of the mechanisms, from the settings into the forms that kernels take.

A mechanism that is switched off gets its neutral constants here, so that kernels know nothing
of switches. ``scale`` enters here too: one simulated person stands for 1 / scale people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from citysim.config.errors import InputError
from citysim.kernels import streams
from citysim.kernels.aftermath import Law
from citysim.kernels.life import Course, Harm
from citysim.kernels.neighbourhood import Bond, Look
from citysim.kernels.offending import Drive
from citysim.kernels.patrol import Rounds
from citysim.kernels.people import Thirst
from citysim.kernels.perception import Mind
from citysim.kernels.places import EMPTY_DWELLING, FORMS, FRICTION, HOUSEHOLD, Target, Watch
from citysim.kernels.random import address
from citysim.kernels.upkeep import Ageing
from citysim.kernels.victims import Exposure

TASTES = ("alcohol", "other_venues", "shops", "green", "events", "services")
N_GROUPS = 6


@dataclass(frozen=True)
class Offences:
    """The offence table as arrays, one entry per offence in the order of ``names``."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    form: np.ndarray
    facilities: tuple[str, ...]
    level: np.ndarray
    half: np.ndarray
    beta: np.ndarray
    disorder_cue: np.ndarray
    derelict: np.ndarray
    sigma: np.ndarray
    memory_own: np.ndarray
    memory_near: np.ndarray
    memory: np.ndarray
    female: np.ndarray
    report: np.ndarray
    clear: np.ndarray
    detain: np.ndarray
    detain_days: np.ndarray
    impact: np.ndarray
    urgent: np.ndarray
    street: np.ndarray
    in_total: np.ndarray

    def of_form(self, form: int) -> np.ndarray:
        """Rows with a form of opportunity."""
        return np.flatnonzero(self.form == form)


@dataclass(frozen=True)
class Constants:
    """All bundles that the kernels take."""

    watch: Watch
    target: Target
    drive: Drive
    rounds: Rounds
    law: Law
    mind: Mind
    look: Look
    bond: Bond
    ageing: Ageing
    course: Course
    exposure: Exposure
    thirst: Thirst
    harm: Harm
    offences: Offences
    tastes: np.ndarray        # float64 (6 groups, 6 offers), odds
    sensitivity: np.ndarray   # float64 (6 groups)
    keep_deterrence: float    # per step
    keep_memory: float        # per day
    keep_recorded: float      # per day


def read_offences(settings, scale: float) -> Offences:
    """The offence table; refuses a table without rows."""
    rows = settings.offences
    names = tuple(rows)
    if not names:
        raise InputError("there are no offences", where="configs/offences/default.yaml")
    near = settings.model.near_repeat.enabled
    law, opportunity = settings.model.law.enabled, settings.model.opportunity.enabled

    def column(field, dtype=np.float64, factor=1.0):
        return np.array([rows[name][field] for name in names], dtype) * dtype(factor)

    form = np.array([FORMS.index(rows[name]["form"]) for name in names], np.int64)
    level = column("level")
    # The sample's empty dwellings stand for all; events of places are drawn for the sample.
    level[form == EMPTY_DWELLING] /= scale
    level[form == FRICTION] *= scale
    if not settings.model.domestic.enabled:
        level[form == HOUSEHOLD] = 0.0
    return Offences(
        names=names, kinds=tuple(rows[name]["kind"] for name in names), form=form,
        facilities=tuple(rows[name]["facilities"] for name in names), level=level,
        half=column("half"), beta=column("beta"),
        disorder_cue=column("disorder_cue", factor=float(opportunity)),
        derelict=column("derelict"),
        sigma=column("sigma"), memory_own=column("memory_own", factor=float(near)),
        memory_near=column("memory_near", factor=float(near)),
        memory=column("memory", factor=float(near)), female=column("female"),
        report=column("report"), clear=column("clear", factor=float(law)),
        detain=column("detain"), detain_days=column("detain_days"),
        impact=column("impact", factor=float(settings.model.fear.enabled)),
        urgent=column("urgent", np.bool_), street=column("street", np.bool_),
        in_total=column("in_total", np.bool_))


def branching_ratio(m) -> float:
    """Expected motivations that the memory of one success brings, its mates' among them.

    Memory raises motivation (near repeats are self-exciting), so this must stay below 1; fewer
    offences follow, since not every motivation is acted on.
    """
    n, o = m.near_repeat, m.offending
    lasting = 24.0 * n.half_life / math.log(2.0)
    activity = (1 - n.out_share) * o.at_home + n.out_share * o.out
    return float(n.enabled) * n.drive * lasting * activity * (1 + n.share * n.mates)


def read_constants(settings, scale: float, step_hours: float, seed: int) -> Constants:
    """Bundle the settings of all mechanisms, and the seed of what lasts, for the kernels.

    Raises
    ------
    InputError
        If near repeats would feed on themselves, or a table of the settings is malformed.
    """
    m = settings.model
    if branching_ratio(m) >= 1:
        raise InputError(f"near repeats would grow without end: each success would bring "
                         f"{branching_ratio(m):.2f} more", where="model.near_repeat.drive",
                         allowed="a product of drive, half_life and activity below 1")
    on = {name: bool(m[name].get("enabled", True)) for name in m}
    return Constants(
        watch=_watch(m, on, scale, step_hours),
        target=Target(
            meeting=m.opportunity.meeting, rear_entry=m.opportunity.rear_entry,
            occupied=m.opportunity.occupied,
            night_vehicle=on["opportunity"] * m.opportunity.night_vehicle,
            disorder_feed=on["opportunity"] * m.opportunity.disorder_feed,
            youth_feed=on["opportunity"] * m.opportunity.youth_feed,
            friction_base=m.opportunity.friction_base,
            friction_crowd=m.opportunity.friction_crowd,
            friction_known=m.opportunity.friction_known),
        drive=Drive(
            rate=on["offending"] * m.offending.rate, at_home=m.offending.at_home,
            at_day_place=m.offending.at_day_place, out=m.offending.out,
            company=m.offending.company, company_half=m.offending.company_half,
            company_until=m.offending.company_until, company_end=m.offending.company_end,
            oneself=m.guardianship.outdoors / scale,
            memory_drive=on["near_repeat"] * m.near_repeat.drive, effort=m.offending.effort,
            prowl=m.offending.prowl, near_home=m.offending.near_home,
            arrest_weight=m.offending.arrest_weight,
            specialisation=m.offending.specialisation,
            leanings=address(seed, streams.LEANINGS, 0)),
        rounds=_rounds(m, on, scale),
        law=_law(m, on, scale),
        mind=_mind(m, on),
        look=_look(m, on),
        bond=Bond(m.efficacy.trust, m.trust.usual_city, m.efficacy.fear, m.efficacy.usual_fear,
                  m.efficacy.stewardship, m.efficacy.participation, m.efficacy.pace),
        ageing=Ageing(m.upkeep.cue_of_neglect, m.upkeep.drift, m.upkeep.damage,
                      m.upkeep.clean, m.upkeep.mend),
        course=_course(m),
        harm=Harm(m.domestic.base, m.domestic.women_harm, m.domestic.men_hit,
                  m.domestic.child_hit, m.domestic.late, m.domestic.late_from,
                  m.domestic.adult_from, m.domestic.child_below, m.domestic.campaign_pace,
                  m.domestic.campaign_floor),
        exposure=Exposure(
            outdoors=m.guardianship.outdoors,
            step_seconds=step_hours * 3600.0, sober_friction=m.night.sober_friction,
            female_assailant=m.opportunity.female_assailant,
            occupied=m.opportunity.occupied, proneness=m.opportunity.proneness),
        thirst=Thirst(np.float32(m.night.usual), int(m.night.adult_from)),
        offences=read_offences(settings, scale),
        tastes=_tastes(m, on, step_hours),
        sensitivity=np.array(m.routine.sensitivity, np.float64) * float(on["fear"]),
        keep_deterrence=math.exp(-step_hours / m.deterrence.tau_decay),
        keep_memory=0.5 ** (1.0 / m.near_repeat.half_life),
        keep_recorded=0.5 ** (1.0 / m.patrol.memory_half_life))


def _watch(m, on, scale, step_hours) -> Watch:
    g, f = m.guardianship, m.fear
    seen = float(on["guardianship"])
    return Watch(
        outdoors=g.outdoors / scale, green_outdoors=g.green_outdoors / scale,
        weigh=1.0 / scale, home_eyes=g.home_eyes / scale, shop_eyes=g.shop_eyes,
        venue_eyes=g.venue_eyes, service_eyes=g.service_eyes, host_eyes=g.host_eyes,
        saturation=g.saturation, blind=g.blind, disorder_loss=g.disorder_loss,
        certainty_informal=seen * g.certainty_informal,
        certainty_patrol=on["deterrence"] * m.deterrence.certainty_patrol,
        certainty_light=seen * g.certainty_light, certainty_camera=seen * g.certainty_camera,
        unease_dark=f.unease_dark, unease_disorder=f.unease_disorder,
        unease_empty=f.unease_empty, empty_scale=f.empty_scale, comfort=f.comfort,
        calm_minutes=f.calm_minutes * step_hours)  # minutes are counted by the step


def _rounds(m, on, scale) -> Rounds:
    moved = float(on["trust"])
    p, t = m.patrol, m.trust
    return Rounds(
        move_minutes=p.move_minutes, tau_build=m.deterrence.tau_build,
        spill=m.deterrence.spill, stop_rate=p.stop_rate * scale,  # stops land on the sample
        stop_young=p.stop_young,
        stop_foreign=p.stop_foreign, stop_women=p.stop_women,
        expected_quality=t.expected_quality, expected_slope=t.expected_slope,
        usual_trust=t.usual_police, stop_trust=moved * t.stop,
        contact_trust=moved * t.contact, city_share=t.city_share, talk_from=p.talk_from)


def _law(m, on, scale) -> Law:
    law = m.law
    return Law(
        trust_weight=law.trust_weight, foreign_weight=law.foreign_weight,
        support_weight=law.support_weight, recording=law.recording, speed=law.speed,
        dispatch=law.dispatch,
        handling=law.handling / scale, target=law.target, no_unit=law.no_unit,
        cooperation=law.cooperation, slow_loss=law.slow_loss, learning=law.learning,
        ease=law.ease, response_trust=on["trust"] * m.trust.response,
        household_fear=m.fear.household, share_memory=m.near_repeat.share,
        taken=m.near_repeat.taken)


def _mind(m, on) -> Mind:
    f, t = m.fear, m.trust
    fear, trust = float(on["fear"]), float(on["trust"])
    return Mind(
        fade=fear * f.fade, fade_trust=trust * t.fade, talk=fear * f.talk,
        talk_trust=trust * t.talk, usual_trust_police=t.usual_police,
        usual_trust_city=t.usual_city,
        own_spread=t.spread / (1.0 - others_share(t)), avoid_day=fear * f.avoid_day,
        avoid_night=fear * f.avoid_night, tolerated=f.tolerated, afraid=f.afraid)


def others_share(trust) -> float:
    """Share of a person's trust that is their ties' in the long run; the rest is their own.

    At rest fade x (own - trust) + talk x (ties' - trust) is 0. People's own levels therefore lie
    further apart than trust does, by 1 / (1 - share): what ties add to the spread (some per cent,
    the fewer ties the more) is left out. Where trust does not return, nothing is at rest, and it
    begins at the own levels.
    """
    return trust.talk / (trust.fade + trust.talk) if trust.fade > 0.0 else 0.0


def _look(m, on) -> Look:
    p = m.promises
    return Look(light=p.light, upkeep=p.upkeep, order=p.order, green=p.green, staff=p.staff,
                around=p.around, habit=on["promises"] * p.habit, notice=on["promises"] * p.notice)


def _course(m) -> Course:
    life, o = m.life, m.offending
    return Course(
        job_loss=life.job_loss, job_find=life.job_find, neet_find=life.neet_find,
        training_gain=life.training_gain, placement_kept=life.placement_kept,
        dropout=life.dropout, support_gain=life.support_gain, mentor_gain=life.mentor_gain,
        school_gain=life.school_gain, desist_base=life.desist_base, desist_age=life.desist_age,
        desist_job=life.desist_job, onset_base=life.onset_base, onset_neet=life.onset_neet,
        jobless_drive=o.jobless_drive, school_drive=o.school_drive,
        control_drive=o.control_drive, substance_drive=o.substance_drive,
        norms_drive=o.norms_drive, grievance_drive=o.grievance_drive,
        usual_trust=m.trust.usual_police, peers_drive=o.peers_drive,
        norms_talk=life.norms_talk, norms_return=life.norms_return, session_most=life.session_most,
        session_gain=life.session_gain, session_fade=life.session_fade,
        session_calm=life.session_calm, control_aggression=m.night.aggression_control,
        neet_below=life.neet_below, dropout_from=life.dropout_from, dropout_to=life.dropout_to,
        desist_from=life.desist_from)


def _tastes(m, on, step_hours) -> np.ndarray:
    """Odds of going out per step; without the routine mechanism nobody goes out."""
    columns = [m.routine[f"taste_{name}"] for name in TASTES]
    for name, column in zip(TASTES, columns, strict=True):
        if len(column) != N_GROUPS:
            raise InputError(f"{len(column)} tastes given",
                             where=f"model.routine.taste_{name}", allowed="6, one per group")
    scale = m.routine.offer * step_hours * float(on["routine"])
    return np.ascontiguousarray(np.array(columns, np.float64).T) * scale


def age_curve(m) -> np.ndarray:
    """Propensity by age, float64 (111), 1 at the peak: a rise, then exponential decline."""
    ages = np.arange(111, dtype=np.float64)
    o = m.offending
    rise = np.exp(-((ages - o.age_peak) / o.age_rise) ** 2)
    fall = np.exp(-(ages - o.age_peak) / o.age_decay)
    curve = np.where(ages <= o.age_peak, rise, fall)
    curve[ages < 10] = 0.0
    return curve
