"""Painters of things with known masks, from which a cut-out method is learned and on which it is tested.

A painter takes the height and the width of a frame in pixels and a generator. It returns colours (float32 (H, W, 3),
0 to 1, defined wherever the cover is above 0) and cover (float32 (H, W), 0 to 1, antialiased). Place, size,
proportions, colours and material are drawn from the generator, nothing else; no ground and no shadow is painted.

outlines     points of simple shapes
canvas       from outlines to colours and cover
materials    colours, lights and surfaces
household, belongings, tools, figures, shapes: the drawings
painting     from a drawing to a painter
"""

from subjects import belongings, figures, household, shapes, tools
from subjects.canvas import Painted
from subjects.painting import Painter, painter

__all__ = ["STANDING", "SUBJECTS", "Painted", "Painter"]

SUBJECTS: dict[str, Painter] = {
    "bottle": painter(household.bottle),
    "mug": painter(household.mug),
    "cup": painter(household.cup),
    "teapot": painter(household.teapot),
    "vase": painter(household.vase),
    "chair": painter(household.chair),
    "lamp": painter(household.lamp),
    "plant": painter(household.plant),
    "shoe": painter(belongings.shoe, 10),
    "bag": painter(belongings.bag),
    "watch": painter(belongings.watch, 40),
    "headphones": painter(belongings.headphones, 15),
    "umbrella": painter(belongings.umbrella, 20),
    "wrench": painter(tools.wrench, 60),
    "guitar": painter(tools.guitar, 30),
    "bicycle": painter(tools.bicycle),
    "cat": painter(figures.cat),
    "teddy": painter(figures.teddy, 8),
    "bust": painter(figures.bust, stands=True),
    "person": painter(figures.person, stands=True),
    "longhair": painter(figures.longhair, stands=True),
    "disc": painter(shapes.disc),
    "ellipse": painter(shapes.ellipse),
    "polygon": painter(shapes.polygon),
    "star": painter(shapes.star),
    "blobs": painter(shapes.blobs),
    "ring": painter(shapes.ring),
    "box": painter(shapes.box, 45),
    "cushion": painter(shapes.cushion, 45),
}
STANDING: frozenset[str] = frozenset({"bust", "person", "longhair"})
