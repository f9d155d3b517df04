"""Loads: when jobs arrive and how long each takes one worker. Everything random comes from a seed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOUR = 3600.0


@dataclass(frozen=True)
class Load:
    """rates: jobs a second expected in each second. service: seconds of one worker per job, on average; `spread` is
    their coefficient of variation. jobs: (arrival, service) of each job in order of arrival, or None where they are so
    many that only their number per second, `counts`, is looked at."""

    name: str
    rates: Floats
    counts: Floats
    service: float
    jobs: tuple[Floats, Floats] | None

    @property
    def seconds(self) -> int:
        return len(self.rates)

    @property
    def demand(self) -> Floats:
        """Workers that the load keeps at work, in each second."""
        return self.rates * self.service


# From so many jobs a second on, single jobs are not told apart.
CROWD = 1000.0


def make(name: str, rates: Floats, service: float, seed: int, spread: float = 0.5) -> Load:
    """Poisson arrivals at these rates, service times of a gamma distribution."""
    random = np.random.default_rng([seed, len(rates)])
    counts = random.poisson(rates).astype(np.float64)
    if rates.max() > CROWD:
        return Load(name, rates, counts, service, None)
    seconds = np.repeat(np.arange(len(rates)), counts.astype(np.int64))
    arrivals = np.sort(seconds + random.random(len(seconds)))
    services = random.gamma(1 / spread**2, service * spread**2, len(seconds))
    return Load(name, rates, counts, service, (arrivals, services))


def steady(seed: int, *, demand: float = 8.0, service: float = 0.5, hours: float = 3.0) -> Load:
    """Nothing for five minutes, and from then on always the same: work for `demand` workers."""
    rates = np.full(int(hours * HOUR), demand / service)
    rates[:300] = 0.0
    return make("steady", rates, service, seed)


def bursty(seed: int, *, service: float = 0.5, hours: float = 6.0, every: float = 1200.0) -> Load:
    """A trickle, and now and then some thousand jobs within half a minute; nothing at all in the middle third."""
    random = np.random.default_rng([seed, 1])
    rates = np.full(int(hours * HOUR), 0.5)
    for start in np.cumsum(random.exponential(every, int(3 * hours * HOUR / every))):
        rates[int(start) : int(start) + 30] += random.uniform(500, 3000) / 30
    third = len(rates) // 3
    rates[third : 2 * third] = 0.0
    return make("bursty", rates, service, seed)


def daily(seed: int, *, peak: float = 15.0, service: float = 0.5, hours: float = 24.0) -> Load:
    """A day: almost nothing at night, two peaks, and a random walk around that."""
    rates = _day(seed, int(hours * HOUR)) * peak / service
    return make("daily", rates, service, seed)


def runaway(seed: int, *, cap: int = 20, service: float = 0.5, hours: float = 4.0) -> Load:
    """Twice what the largest fleet can do for an hour, then a trickle."""
    seconds = int(hours * HOUR)
    at = np.arange(seconds)
    rates = np.where(at < 0.5 * HOUR, 2.0, np.where(at < 1.5 * HOUR, 2 * cap / service, 2.0))
    return make("runaway", rates, service, seed)


def sparse(seed: int, *, service: float = 0.5, hours: float = 8.0) -> Load:
    """Four times an hour, somebody looks at ten photos within a minute."""
    random = np.random.default_rng([seed, 2])
    rates = np.zeros(int(hours * HOUR))
    for start in random.uniform(0, len(rates) - 60, int(4 * hours)):
        rates[int(start) : int(start) + 60] += 10 / 60
    return make("sparse", rates, service, seed)


def billion(seed: int, *, service: float = 0.05, hours: float = 24.0) -> Load:
    """A billion images in a day of two peaks."""
    rates = _day(seed, int(hours * HOUR))
    return make("billion", rates * 1e9 * hours / 24 / rates.sum(), service, seed)


def _day(seed: int, seconds: int) -> Floats:
    """0..1 or so for every second of a day."""
    random = np.random.default_rng([seed, 3])
    hour = np.arange(seconds) / HOUR % 24
    shape = 0.02 + 0.7 * np.exp(-(((hour - 11) / 2.5) ** 2)) + 0.95 * np.exp(-(((hour - 19) / 2.2) ** 2))
    minutes = seconds // 60 + 2
    walk = np.zeros(minutes)
    for minute, step in enumerate(random.normal(0, 0.06, minutes - 1)):
        walk[minute + 1] = 0.95 * walk[minute] + step
    restless = np.exp(np.interp(np.arange(seconds), np.arange(minutes) * 60.0, walk))
    day: Floats = np.asarray(shape * restless, dtype=np.float64)
    return day
