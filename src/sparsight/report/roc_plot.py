"""The ROC curve as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sparsight.files import atomic_path

from .model_card import counted

if TYPE_CHECKING:
    from sparsight.evaluation import Evaluation


def draw_roc(path: Path, result: Evaluation) -> None:
    """Draw the ROC curve averaged over images, linear and with its low false positive rates spread.

    Parameters
    ----------
    path
        File to write; its suffix (.png, .svg, .pdf) chooses the format.
    result
        What was evaluated.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.8), layout="constrained")
    linear, logarithmic = figure.subplots(1, 2, sharey=True)
    curve = result.roc
    for axes in (linear, logarithmic):
        axes.plot(curve.fpr, curve.tpr, color="#d95f1e", linewidth=2, zorder=3)
        axes.plot([result.fpr], [result.tpr], "o", color="#22344e", markersize=8, zorder=4)
        axes.grid(alpha=0.25)
        axes.set_xlabel("false positive rate")
        axes.spines[["top", "right"]].set_visible(False)
    linear.plot([0, 1], [0, 1], color="#9aa6b5", linestyle=":", linewidth=1)
    linear.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), ylabel="true positive rate")
    linear.set_title(f"ROC curve, mean of {counted(result.n_images, 'image')}", loc="left", fontsize=11)
    # Below one false pixel in 10,000 there is nothing to read off.
    logarithmic.set(xscale="log", xlim=(1e-4, 1))
    logarithmic.set_title("the same, low rates spread", loc="left", fontsize=11)
    linear.text(
        0.97,
        0.05,
        f"pixel AUROC  {result.pixel_auroc:.3f}\n"
        f"pooled  {result.pixel_auroc_pooled:.3f}\n"
        f"AUPRO (30 %)  {result.aupro:.3f}\n"
        f"at threshold {result.threshold:.4g} (dot):\n"
        f"TPR {result.tpr:.3f}, FPR {result.fpr:.2g}",
        ha="right",
        va="bottom",
        fontsize=9.5,
        linespacing=1.5,
        color="#22344e",
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
