"""A receiver operating characteristic as a picture."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from visage.core.accuracy.verification import Roc, Verification
from visage.core.errors import StorageError


def draw_roc(curve: Roc, result: Verification, title: str, path: Path) -> None:
    """Write the curve as a PNG: false accepts on a logarithmic axis, because what matters happens at the left.

    Raises `StorageError` where `path` cannot be written.
    """
    mpl.use("agg")
    figure = Figure(figsize=(7, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    smallest = min(1e-3, float(curve.false_accept[curve.false_accept > 0].min(initial=1e-3)))
    axes.step(np.maximum(curve.false_accept, smallest / 2), curve.true_accept, where="post", color="#0a7d5a", lw=2)
    for point in result.true_accept:
        axes.plot(point.wanted, point.rate, "o", color="#d65428")
        axes.annotate(
            f"{point.rate:.3f} at {point.wanted:g}", (point.wanted, point.rate), xytext=(8, -14),
            textcoords="offset points", fontsize=9,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(smallest / 2, 1)
    axes.set_ylim(min(0.9, float(np.min([point.rate for point in result.true_accept])) - 0.05), 1.005)
    axes.set_xlabel("false accept rate (different people taken for one)")
    axes.set_ylabel("true accept rate (one person recognized)")
    axes.set_title(
        f"{title}\naccuracy {result.accuracy:.2%} ({result.low:.2%} to {result.high:.2%}), "
        f"equal error rate {result.equal_error:.2%}", fontsize=10,
    )  # fmt: skip
    axes.grid(visible=True, which="both", alpha=0.25)
    try:
        figure.savefig(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
