"""Columns of an event, int32: one row per offence.

``RESPONSE`` is in tenths of a minute, -1 where nobody was called; ``OFFENDER`` a row of the
offenders, ``VICTIM`` and ``CULPRIT`` rows of people, -1 where there is none.
"""

(STEP, PLACE, OFFENCE, OFFENDER, VICTIM, REPORTED, RECORDED, CLEARED, RESPONSE, CULPRIT) = range(10)
N_EVENT = 10
