"""Painted grounds, from which a cut-out method is learned and tested.

Promises `BUSY` and `PLAIN`: painters by name. Each takes a height and a width in pixels and a generator, and returns a
float32 picture (H, W, 3), RGB, 0 to 1, that depends on nothing else. Refuses nothing.

paint       what the painters share: colours, noise, a canvas
patterns    bricks, boards, cloth, tiles
scattered   shapes at random places, and noise
nature      leaves, stones, water, sky
rooms       shelves and rooms
streets     streets and lights
drawn       the project's own surfaces and scenes
plain       one colour, evenly or unevenly lit
"""

from functools import partial

from grounds import nature, patterns, plain, rooms, scattered, streets
from grounds.drawn import scene, surface
from grounds.paint import Ground, blurred, bounded

__all__ = ["BUSY", "PLAIN", "Ground"]

_BUSY: dict[str, Ground] = {
    "bricks": patterns.bricks,
    "planks": patterns.planks,
    "woven cloth": patterns.woven_cloth,
    "stripes": patterns.stripes,
    "shaded stripes": patterns.shaded_stripes,
    "checks": patterns.checks,
    "plaid": patterns.plaid,
    "wallpaper": patterns.wallpaper,
    "roof tiles": patterns.roof_tiles,
    "herringbone": patterns.herringbone,
    "clutter": scattered.clutter,
    "blurred clutter": partial(blurred, scattered.clutter),
    "rectangles": scattered.rectangles,
    "circles": scattered.circles,
    "terrazzo": scattered.terrazzo,
    "stained glass": scattered.stained_glass,
    "carpet": scattered.carpet,
    "marbling": scattered.marbling,
    "grain": scattered.grain,
    "coloured blocks": scattered.coloured_blocks,
    "pink noise": scattered.pink_noise,
    "foliage": nature.foliage,
    "blurred foliage": partial(blurred, nature.foliage),
    "bush": nature.bush,
    "fallen leaves": nature.fallen_leaves,
    "pebbles": nature.pebbles,
    "ripples": nature.ripples,
    "clouds": nature.clouds,
    "fence": nature.fence,
    "shelves": rooms.shelves,
    "faded shelves": rooms.faded_shelves,
    "blurred shelves": partial(blurred, rooms.shelves),
    "bottles": rooms.bottles,
    "books": rooms.books,
    "kitchen": rooms.kitchen,
    "market": rooms.market,
    "room": rooms.room,
    "street": streets.street,
    "alley": streets.alley,
    "lights": streets.lights,
    "night lights": streets.night_lights,
    "wooden surface": partial(surface, "wood"),
    "stone surface": partial(surface, "stone"),
    "linen surface": partial(surface, "linen"),
    "bare ground": partial(surface, "ground"),
    "drawn nature": partial(scene, "nature"),
    "drawn room": partial(scene, "indoors"),
    "drawn town": partial(scene, "town"),
}
_PLAIN: dict[str, Ground] = {
    "one colour": plain.one_colour,
    "slope": plain.slope,
    "dark corners": plain.dark_corners,
    "paper": plain.paper,
    "sweep": plain.sweep,
    "table": plain.table,
    "wash": plain.wash,
    "plain surface": partial(surface, "plain"),
    "drawn studio": partial(scene, "studio"),
}

BUSY: dict[str, Ground] = {name: partial(bounded, ground) for name, ground in _BUSY.items()}
PLAIN: dict[str, Ground] = {name: partial(bounded, ground) for name, ground in _PLAIN.items()}
