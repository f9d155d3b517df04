"""How the rule that sizes the fleet does against AWS target tracking and against an oracle, on simulated loads.

    python benchmarks/scaling_simulation.py [--plot docs/scaling.png] [--seeds 11 12 13]

Prints a table; a figure is the median of the seeds. The rule's constants were chosen on seeds 1 and 2.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from simulation import loads
from simulation.fleet import Outcome, Place, Scaler, simulate
from simulation.loads import Load
from simulation.rules import Oracle, Ours, TargetTracking

EC2 = Place("20 instances", most=20, start=90.0, latency=10.0, lag=5.0, noise=0.05)
CROWD = Place("2,500 instances", most=2500, start=90.0, latency=10.0, lag=5.0, noise=0.05)
MACHINE = Place("8 processes", most=8, start=0.8, latency=2.0)


@dataclass(frozen=True)
class Case:
    """aws: whether AWS's rule could be used there at all."""

    title: str
    place: Place
    load: Callable[[int], Load]
    aws: bool = True


CASES = (
    Case("steady", EC2, loads.steady),
    Case("bursty", EC2, loads.bursty),
    Case("daily", EC2, loads.daily),
    Case("runaway", EC2, loads.runaway),
    Case("sparse", EC2, loads.sparse),
    Case("a billion a day", CROWD, loads.billion),
    Case("bursty, one machine", MACHINE, partial(loads.bursty, service=0.035), aws=False),
)


def rules(case: Case, load: Load) -> list[Scaler]:
    ours = Ours(case.place) if case.aws else Ours(case.place, every=0.2)
    theirs: list[Scaler] = [TargetTracking(case.place, load.service)] if case.aws else []
    return [ours, *theirs, Oracle(case.place, load)]


def run(task: tuple[int, int]) -> list[Outcome]:
    """The outcomes of all rules in one case with one seed."""
    number, seed = task
    case = CASES[number]
    load = case.load(seed)
    outcomes = [simulate(load, case.place, rule, seed=seed) for rule in rules(case, load)]
    return [replace(outcome, load=case.title) for outcome in outcomes]


@dataclass(frozen=True)
class Row:
    """What came of a rule in one case; hours: of instances."""

    case: str
    rule: str
    middle: float
    late: float
    hours: float
    idle: float
    turns: float


def row(outcomes: Sequence[Outcome]) -> Row:
    """The medians of several seeds."""
    return Row(
        outcomes[0].load,
        outcomes[0].rule,
        statistics.median(one.percentile(0.5) for one in outcomes),
        statistics.median(one.percentile(0.99) for one in outcomes),
        statistics.median(one.paid / 3600 for one in outcomes),
        statistics.median((one.paid - one.worked) / 3600 for one in outcomes),
        statistics.median(one.turns for one in outcomes),
    )


def print_rows(rows: Sequence[Row]) -> None:
    print("| load | rule | p50, s | p99, s | instance-hours | of them idle | turns |")
    print("|---|---|---|---|---|---|---|")
    for one in rows:
        print(
            f"| {one.case} | {one.rule} | {one.middle:,.1f} | {one.late:,.1f} | {one.hours:,.1f} "
            f"| {one.idle:,.1f} | {one.turns:.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--plot", type=Path, help="a PNG to draw; it needs matplotlib")
    options = parser.parse_args()
    tasks = [(number, seed) for number in range(len(CASES)) for seed in options.seeds]
    with ProcessPoolExecutor() as pool:
        outcomes = list(pool.map(run, tasks))
    seeds = len(options.seeds)
    rows, first = [], []
    for start in range(0, len(outcomes), seeds):
        first.append(outcomes[start])
        rows += [row(same) for same in zip(*outcomes[start : start + seeds], strict=True)]
    print_rows(rows)
    if options.plot:
        from simulation.plot import draw

        demands = [case.load(options.seeds[0]) for case in CASES]
        draw(options.plot, first, demands, rows)
    if any(one.waiting for some in outcomes for one in some):
        sys.exit("some jobs were never answered")


if __name__ == "__main__":
    main()
