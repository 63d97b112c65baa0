"""Columns of an event, int32: one row per offence.

``RESPONSE`` is in tenths of a minute, -1 where nobody was called; ``OFFENDER`` a row of the
offenders, ``VICTIM`` and ``CULPRIT`` rows of people, -1 where there is none; ``IN_VENUE`` is 1
for friction among the guests of a venue.
"""

(STEP, PLACE, OFFENCE, OFFENDER, VICTIM, REPORTED, RECORDED, CLEARED, RESPONSE, CULPRIT,
 IN_VENUE) = range(11)
N_EVENT = 11
