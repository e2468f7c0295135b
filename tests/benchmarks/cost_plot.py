"""The plot of "calls and cost": what a thousand pictures cost with each model, by what they are paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def draw(bills: Mapping[str, Mapping[str, float]], lines: Sequence[str], target: float) -> None:
    """Draw it: dollars a thousand pictures by model and line, `lines` from the dearest on, beside the target."""
    colours = ("#1f6feb", "#e8a33d", "#2da44e", "#8250df", "#c93c37", "#0a7ea4", "#bf8700", "#9aa4b0", "#6e7781")
    shown, rest = lines[: len(colours) - 1], lines[len(colours) - 1 :]
    with plots.drawing("cost", "$ per 1,000 pictures", "", width=9, height=4.2) as axes:
        models = list(bills)[::-1]
        left = dict.fromkeys(models, 0.0)
        for colour, name in zip(colours, (*shown, "others"), strict=False):
            width = {
                model: sum(bills[model].get(one, 0) for one in (rest if name == "others" else (name,)))
                for model in models
            }
            axes.barh(
                models,
                [width[model] for model in models],
                left=[left[model] for model in models],
                color=colour,
                label=name,
            )
            left = {model: left[model] + width[model] for model in models}
        axes.axvline(target, color=plots.LIMIT, linestyle="--", linewidth=1.5)
        axes.text(target, len(models) - 0.45, " target", color=plots.LIMIT, va="bottom")
        axes.legend(loc="upper center", bbox_to_anchor=(0.4, -0.16), ncols=5, frameon=False, fontsize=9)
        axes.grid(visible=False, axis="y")
