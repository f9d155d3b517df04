"""The outcomes as a picture: the sizes over the first load of each kind, latency and cost beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simulation.fleet import Outcome
from simulation.loads import Load

_COLORS = {"Visage": "#1d5fd1", "AWS target tracking": "#e08a00", "oracle": "#2f9e62"}
_GRAY, _LIGHT, _INK = "#6b7280", "#e7e9ee", "#1f2937"


class Figures(Protocol):
    """What is drawn as bars; seconds and instance-hours."""

    @property
    def case(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def late(self) -> float: ...
    @property
    def hours(self) -> float: ...


def draw(path: Path, outcomes: Sequence[Sequence[Outcome]], loads: Sequence[Load], figures: Sequence[Figures]) -> None:
    """One row for each load: outcomes and load of one seed, figures of all."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "text.color": _INK, "axes.labelcolor": _INK})
    figure, grid = plt.subplots(
        len(loads), 3, figsize=(12, 1.75 * len(loads) + 0.9), gridspec_kw={"width_ratios": [4.6, 1.25, 1.25]}
    )
    for number, (some, load) in enumerate(zip(outcomes, loads, strict=True)):
        name = some[0].load
        _sizes(grid[number, 0], some, load)
        mine = [one for one in figures if one.case == name]
        _bars(grid[number, 1], [(one.rule, one.late) for one in mine], "s")
        _bars(grid[number, 2], [(one.rule, one.hours) for one in mine], "h")
    grid[0, 1].set_title("latency, 99th percentile", fontsize=9, loc="left", pad=8)
    grid[0, 2].set_title("instance-hours paid", fontsize=9, loc="left", pad=8)
    grid[-1, 0].set_xlabel("hours")
    lines = [Line2D([], [], color=color, lw=2, label=name) for name, color in _COLORS.items()]
    handles = [*lines, Patch(color=_LIGHT, label="work arriving, in workers")]
    figure.legend(handles=handles, loc="upper left", ncols=4, frameon=False, bbox_to_anchor=(0.035, 0.998), fontsize=9)
    figure.tight_layout(rect=(0, 0, 1, 0.972), h_pad=1.1, w_pad=1.2)
    figure.savefig(path, dpi=110, pil_kwargs={"optimize": True})
    plt.close(figure)


def _sizes(axes: Axes, outcomes: Sequence[Outcome], load: Load) -> None:
    hours = np.arange(load.seconds) / 3600
    width = max(60, load.seconds // 400)
    demand = np.convolve(load.demand, np.ones(width) / width, mode="same")
    axes.fill_between(hours[:: width // 4], demand[:: width // 4], color=_LIGHT, lw=0)
    top = 0
    for outcome in reversed(outcomes):  # ours on top
        at, size = np.array(outcome.sizes).T
        turning = np.flatnonzero(np.diff(size, prepend=-1, append=-1)[:-1])
        ours = outcome.rule == "Visage"
        axes.step(
            np.append(at[turning], at[-1]) / 3600, np.append(size[turning], size[-1]), where="post",
            color=_COLORS[outcome.rule], lw=1.5 if ours else 1.0, alpha=1.0 if ours else 0.85,
        )  # fmt: skip
        top = max(top, int(size.max()))
    axes.set_xlim(0, load.seconds / 3600 + 0.5)
    axes.set_ylim(0, top * 1.12)
    axes.set_title(outcomes[0].load, fontsize=10, fontweight="bold", loc="left", pad=5)
    axes.set_ylabel("workers")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    _plain(axes)


def _bars(axes: Axes, values: Sequence[tuple[str, float]], unit: str) -> None:
    """Bars from zero, each with its value written at its end."""
    most = max(value for _, value in values)
    for place, (rule, value) in enumerate(values):
        axes.barh(-place, value, color=_COLORS[rule], height=0.62)
        axes.text(value + most * 0.03, -place, f"{_short(value)} {unit}", va="center", fontsize=8.5)
    axes.set_xlim(0, most * 1.45)
    axes.set_ylim(-2.6, 0.6)
    axes.set_xticks([])
    axes.set_yticks([])
    _plain(axes)
    axes.spines["bottom"].set_visible(False)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c4c9d2")
    axes.tick_params(colors=_GRAY, labelsize=8, length=2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _short(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
