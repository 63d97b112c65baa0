"""Addressed random numbers: every draw is a function of where it is used.

A draw is addressed by (seed, stream, step, entity, partner), never taken from a
sequence. The same address gives the same number on one thread or many, in any
order, and whatever other draws a policy adds or removes; scenarios that share a
seed therefore share all the luck that the policy does not touch (common random
numbers). The mixing function is the finaliser of splitmix64 (Steele, Lea and
Flood 2014), a bijection on 64-bit integers.
"""

import numpy as np

from citysim.kernels.jit import kernel

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_PARTNER = np.uint64(0xD1B54A32D192ED03)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S12 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(12)
_TO_UNIT = 1.0 / 4503599627370496.0  # 2**-52
_S16, _S32, _S48, _PART = np.uint64(16), np.uint64(32), np.uint64(48), np.uint64(65535)
_MEAN_OF_PARTS = 2.0 * 65535.0
_TO_BELL = np.sqrt(3.0 / (65536.0 ** 2 - 1.0))  # four parts have the variance of (2**32 - 1) / 3


@kernel
def mix64(x):
    """Mix a 64-bit integer into another one (bijective)."""
    x = (x ^ (x >> _S30)) * _M1
    x = (x ^ (x >> _S27)) * _M2
    return x ^ (x >> _S31)


@kernel
def stream_key(seed, stream, step):
    """Key of one stream at one step; compute once per step and pass to kernels."""
    k = mix64(np.uint64(seed) * _GOLDEN + np.uint64(stream) + np.uint64(1))
    return mix64(k + np.uint64(step) * _GOLDEN)


@kernel
def draw(key, entity):
    """64 random bits for an entity under a stream key."""
    return mix64(key + np.uint64(entity) * _GOLDEN)


@kernel
def draw2(key, entity, partner):
    """64 random bits for a pair (entity, partner) under a stream key."""
    return mix64(mix64(key + np.uint64(entity) * _GOLDEN) + np.uint64(partner) * _PARTNER)


@kernel
def to_unit(bits):
    """Map 64 bits to a float in the open interval (0, 1)."""
    return (np.float64(bits >> _S12) + 0.5) * _TO_UNIT


@kernel
def uniform(key, entity):
    """Uniform float in (0, 1) for an entity."""
    return to_unit(draw(key, entity))


@kernel
def uniform2(key, entity, partner):
    """Uniform float in (0, 1) for a pair (entity, partner)."""
    return to_unit(draw2(key, entity, partner))


@kernel
def bell(bits):
    """Nearly standard normal, within 3.46 of 0: the sum of four uniforms, the bits by sixteen.

    For traits that are drawn anew each day: an eighth of the time of an inverse normal.
    """
    total = ((bits & _PART) + ((bits >> _S16) & _PART) + ((bits >> _S32) & _PART) + (bits >> _S48))
    return (np.float64(np.int64(total)) - _MEAN_OF_PARTS) * _TO_BELL


@kernel
def stream_keys(seed, step, n):
    """Keys of the streams 0 to ``n - 1`` at one step, uint64 (n)."""
    keys = np.empty(n, np.uint64)
    for stream in range(n):
        keys[stream] = stream_key(seed, np.uint64(stream), step)
    return keys


def address(seed: int, stream: int, step: int) -> np.uint64:
    """Stream key for callers outside kernels, kept as an unsigned 64-bit integer."""
    return np.uint64(stream_key(np.uint64(seed), np.uint64(stream), np.uint64(int(step) % 2**64)))
