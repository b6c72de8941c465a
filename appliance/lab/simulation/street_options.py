"""What a `street:` source says: who passes, when, and through which camera."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.camera.sources.options import SourceOptions
from appliance.core.errors import SourceUnusable
from appliance.lab.simulation.portraits import choose_photo, list_people
from appliance.lab.simulation.scenery import View
from appliance.lab.simulation.timetable import Walk, passing_walks

ALLOWED = {
    "faces": "folder with one folder of photos a person; default: two public-domain portraits",
    "people": "how many pass",
    "order": "who passes: NAME,NAME,… or @FILE with one name a line; instead of people",
    "photo": "first, last or random photo of a person",
    "seed": "whole number; another one is another day",
    "gap": "seconds between two people",
    "loop": "1 for again and again",
    "seconds": "ends after so long; nobody comes who could not have passed by then",
    "extras": "people a minute who walk away",
    "fps": "frames a second",
    "size": "WIDTHxHEIGHT",
    "noise": "1 is that of a usual camera, 0 none",
    "quality": "of the compression, 20 to 100 (none)",
}
_MAX_NAMES = 100_000


@dataclass(frozen=True)
class StreetSettings:
    """A street as its source asks for it; the names are those of `ALLOWED`.

    Attributes
    ----------
    people
        Name and photo of everybody who passes, in their order.
    gap_s
        Seconds between two people, about.
    seconds
        Length, media time; 0 for as long as it takes.
    extras
        People a minute who walk away.
    """

    view: View
    people: tuple[tuple[str, Path], ...]
    seed: int
    gap_s: float
    loop: bool
    seconds: float
    extras: float
    fps: float
    noise: float
    quality: int

    @classmethod
    def parse(cls, source: str) -> StreetSettings:
        """Read a source such as `street:?people=8&seed=1`.

        Raises
        ------
        SourceUnusable
            An option is unknown or not allowed, or there are no such people.
        """
        head, _, query = source.partition("?")
        if head.lower() != "street:":
            raise SourceUnusable(f"{source} is not a street.", "It looks like street:?people=8&seed=1.")
        options = SourceOptions("street:", query, ALLOWED)
        seed = options.whole("seed", 1, 0, 2**31)
        return cls(
            view=View(options.size("size", (1280, 720))),
            people=_people(options, seed),
            seed=seed,
            gap_s=options.number("gap", 2.2, 0.2, 3600),
            loop=options.flag("loop"),
            seconds=options.number("seconds", 0, 1, 86_400),
            extras=options.number("extras", 5, 0, 60),
            fps=options.number("fps", 25, 1, 120),
            noise=options.number("noise", 1, 0, 8),
            quality=options.whole("quality", 80, 20, 100),
        )

    def walks(self) -> Iterator[Walk]:
        """The ways of those who pass, by time of entering."""
        return passing_walks(self.people, self.view, self.seed, self.gap_s, self.loop, self.seconds or None)


def _people(options: SourceOptions, seed: int) -> tuple[tuple[str, Path], ...]:
    folder = Path(options.text("faces")).expanduser() if options.text("faces") else None
    known = list_people(folder)
    which = options.choice("photo", "last", ("first", "last", "random"))
    rng = random.Random(f"{seed}/people")  # noqa: S311
    order = options.text("order")
    if order.startswith("@"):
        try:
            with Path(order[1:]).expanduser().open(encoding="utf-8") as file:
                names = [line.strip() for _, line in zip(range(_MAX_NAMES), file, strict=False) if line.strip()]
        except (OSError, UnicodeDecodeError):
            raise SourceUnusable(f"{order[1:]} cannot be read as a list of names.", "Give order=@FILE.") from None
    elif order:
        names = [name.strip() for name in order.split(",") if name.strip()]
    else:
        count = options.whole("people", 2 if folder is None else min(8, len(known)), 1, _MAX_NAMES)
        if folder is None:
            names = [sorted(known)[i % len(known)] for i in range(count)]
        elif count <= len(known):
            names = rng.sample(sorted(known), count)
        else:
            raise SourceUnusable(f"{folder} holds {len(known)} people, not {count}.", "Ask for fewer with people=.")
    unknown = sorted(set(names) - set(known))
    if unknown or not names:
        raise SourceUnusable(
            f"street: nobody is called {', '.join(unknown[:5]) or 'that'} here.", f"order= names people of {folder}."
        )
    return tuple((name, choose_photo(known[name], which, rng)) for name in names)
