"""Addressed random numbers: the right function, uniform, independent, the same everywhere."""

import itertools

import numpy as np
import pytest
from scipy import stats

from citysim.kernels import random, streams
from citysim.kernels.start import uniforms
from citysim.kernels.targeting import keyed_uniforms

WORD = (1 << 64) - 1
LEAST_P = 1e-4
N = 20_000
GOLDEN, PARTNER = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


def mix(x):
    """The finaliser of splitmix64 on Python's whole numbers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & WORD
    return x ^ (x >> 31)


def many(seed=1, stream=2, step=3, n=N):
    """Uniforms of entities 0 to n - 1 at one address."""
    return keyed_uniforms(random.address(seed, stream, step), np.arange(n))


def independent(a, b, bins=10):
    """Chi-square test that two columns of uniforms fill a square evenly."""
    table = np.histogram2d(a, b, bins=bins, range=((0, 1), (0, 1)))[0]
    return stats.chisquare(table.ravel()).pvalue


@pytest.mark.parametrize("value", [0, 1, 2**63, WORD, 0x0123456789ABCDEF])
def test_mixing_agrees_with_whole_numbers_of_any_size(value):
    assert int(random.mix64(np.uint64(value))) == mix(value)


@pytest.mark.parametrize(("seed", "stream", "step", "entity", "partner"),
                         [(1, 1, 0, 0, 0), (2**62 + 5, 28, 87_600, 999_999, 31), (7, 3, 1, 5, 2)])
def test_draws_are_a_function_of_the_address_alone(seed, stream, step, entity, partner):
    key = mix((mix((seed * GOLDEN + stream + 1) & WORD) + step * GOLDEN) & WORD)
    one = mix((key + entity * GOLDEN) & WORD)
    two = mix((one + partner * PARTNER) & WORD)
    here = random.address(seed, stream, step)
    assert int(here) == key
    assert int(random.draw(here, entity)) == one
    assert int(random.draw2(here, entity, partner)) == two
    assert random.uniform(here, entity) == pytest.approx((one >> 11) / 2**53, abs=2**-53)


@pytest.mark.parametrize("bits", [0, 1, WORD - (1 << 11), WORD])
def test_uniforms_never_reach_their_ends(bits):
    assert 0.0 < random.to_unit(np.uint64(bits)) < 1.0


@pytest.mark.parametrize("changes", [{}, {"seed": 2}, {"stream": 9}, {"step": 50_000}])
def test_uniform_over_entities(changes):
    assert stats.kstest(many(**changes), "uniform").pvalue > LEAST_P


@pytest.mark.parametrize("address", ["seed", "stream", "step", "entity", "partner"])
def test_uniform_along_every_part_of_an_address(address):
    if address == "partner":
        drawn = uniforms(random.address(1, 2, 3), 1, N)[0]
    elif address == "entity":
        drawn = uniforms(random.address(1, 2, 3), N, 2)[:, 1]
    else:
        fixed = {"seed": 1, "stream": 2, "step": 3}
        drawn = np.array([random.uniform(random.address(**{**fixed, address: i}), 17)
                          for i in range(N // 4)])
    assert stats.kstest(drawn, "uniform").pvalue > LEAST_P


@pytest.mark.parametrize("change", [{"seed": 2}, {"seed": 1 + 2**32}, {"stream": 3}, {"step": 4},
                                    {"seed": 2, "step": 2}, {"stream": 3, "step": 2}])
def test_neighbouring_addresses_are_independent(change):
    assert independent(many(), many(**change)) > LEAST_P


def test_neighbouring_entities_and_partners_are_independent():
    u = many()
    for lag in (1, 2, 24, 168, 256, 1024):
        assert independent(u[:-lag], u[lag:]) > LEAST_P
    pairs = uniforms(random.address(4, 5, 6), N, 3)
    for a, b in itertools.combinations(range(3), 2):
        assert independent(pairs[:, a], pairs[:, b]) > LEAST_P
    swapped = uniforms(random.address(4, 5, 6), 150, 150)
    above = np.triu_indices(150, 1)
    assert independent(swapped[above], swapped.T[above]) > LEAST_P


def test_one_bit_of_an_address_turns_half_of_the_bits():
    key = random.address(3, 1, 4)
    turned = []
    for entity in range(64):
        for bit in range(24):
            a, b = (int(random.draw(key, e)) for e in (entity, entity ^ (1 << bit)))
            turned.append((a ^ b).bit_count())
    # 1,536 sums of 64 fair bits: the mean has a standard error of 4 / 39
    assert abs(np.mean(turned) - 32) < 5 * 4 / np.sqrt(len(turned))


def test_mixing_does_not_collide():
    assert len({int(random.mix64(np.uint64(i))) for i in range(N)}) == N
    keys = {int(random.address(seed, stream, step))
            for seed in range(10) for stream in range(30) for step in range(60)}
    assert len(keys) == 10 * 30 * 60


def test_every_stream_has_a_number_of_its_own():
    numbers = [v for k, v in vars(streams).items() if k.isupper()]
    assert len(numbers) > 20 and len(set(numbers)) == len(numbers)


def test_bells_are_nearly_normal_within_their_bounds():
    end = 65535 * 2 * np.sqrt(12 / (4 * (65536 ** 2 - 1)))  # half the range over the spread
    assert random.bell(np.uint64(WORD)) == pytest.approx(end, rel=1e-12)
    assert random.bell(np.uint64(0)) == pytest.approx(-end, rel=1e-12)
    for place in range(4):  # every part weighs alike
        step = random.bell(np.uint64(1 << 16 * place)) - random.bell(np.uint64(0))
        assert step == pytest.approx(end / (2 * 65535), rel=1e-9)
    key = random.address(1, 2, 3)
    drawn = np.array([random.bell(np.uint64(random.draw2(key, i, 1))) for i in range(N)])
    assert drawn.mean() == pytest.approx(0, abs=4 / np.sqrt(N))
    assert drawn.std() == pytest.approx(1, abs=4 / np.sqrt(2 * N))
    kurtosis = 3 - 1.2 / 4  # a uniform lacks 1.2, a sum of four a quarter of it
    assert stats.kurtosis(drawn, fisher=False) == pytest.approx(kurtosis, abs=4 * np.sqrt(24 / N))
    assert stats.kstest(drawn, "norm").statistic < 0.02
