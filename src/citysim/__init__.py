"""citysim: an agent-based model of urban crime and prevention policy."""

__version__ = "0.1.0"
