"""The names of all random streams, in one list.

A stream separates decisions of different kinds; two draws with the same (seed, step,
entity) under different streams are independent. Append only: renumbering changes results.
"""

CHOICE = 1            # discretionary trips
PASSING = 2           # free
MOTIVATION = 3        # an offender becomes motivated
COMMIT = 4            # a motivated offender acts or gives up
TARGET = 5            # race over places and offences
FRICTION = 6          # assaults out of friction, by place
VICTIM = 7            # who is picked among people at a place or households of a street
REPORT = 8            # reporting and recording
CLEAR = 9             # clearance and arrest
PATROL = 10           # patrol visits
STOPS = 11            # police stops and contacts
CALLS = 12            # free
DOMESTIC = 13         # harm inside households
TALK = 14             # which tie is met
WORK = 15             # jobs found and lost
SCHOOL = 16           # dropout, programmes
ROLE = 17             # onset and desistance
TRAITS = 18           # initial traits of people
BACKGROUND = 19       # background attractiveness of places
OFFENDERS = 20        # initial offenders and their haunts
TARGETING = 21        # targeting of policies
ENROLMENT = 22        # free
SYNTHESIS = 23        # households, people, jobs
TIES = 24             # ties
GENERATOR = 25        # free
CONSULT = 26          # free
UNITS = 27            # fractional patrol units
CULPRIT = 28          # who the assailant is where friction turned to violence
VISITS = 29           # when on its day a place is visited by directed patrols
MANAGEMENT = 30       # how facilities are run
NORMS = 31            # whose moral rules are heard of in a month
LEANINGS = 32         # which offences an offender leans to

N_STREAMS = 33
