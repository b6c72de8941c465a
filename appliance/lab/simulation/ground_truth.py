"""Who passes and who was where in a simulated street: read off the simulation itself, never off a recognition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from appliance.core.errors import SourceUnusable
from appliance.lab.simulation.street import open_street
from appliance.lab.simulation.street_options import StreetSettings
from appliance.lab.simulation.timetable import Pass
from appliance.vision.boxes import intersection_over_union
from appliance.vision.redactor import SAME_FACE_IOU


def list_passes(source: str, until_s: float | None = None) -> list[Pass]:
    """Who passes when in a `street:` source, in order of entering.

    Parameters
    ----------
    until_s
        Only those who have left by then, media time; needed where the source has no end.

    Raises
    ------
    SourceUnusable
        As `open_street`; or the source has no end and `until_s` is not given.
    """
    settings = StreetSettings.parse(source)
    if settings.loop and not settings.seconds and until_s is None:
        raise SourceUnusable(f"{source} never ends.", "Give seconds=.")
    passes = []
    for walk in settings.walks():
        if until_s is not None and walk.enter_s > until_s:
            break
        if walk.photo is not None and (until_s is None or walk.leave_s <= until_s):
            passes.append(Pass(walk.index, walk.person, walk.photo, walk.enter_s, walk.leave_s, walk.peak_px))
    return passes


class GroundTruth:
    """Who was where in a `street:` source: read off the simulation itself, never off a recognition."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._reader = open_street(source)
        self._reader.open()

    def who(self, media_s: float, box_xyxy: Sequence[float], scene_wh: tuple[int, int]) -> str:
        """The person whose face a box is on; empty when it is on nobody's.

        Parameters
        ----------
        media_s
            The moment, seconds from the beginning.
        box_xyxy, scene_wh
            Box in pixels of a picture of this width and height (the published scene may be smaller than the frame).
        """
        if self._reader.media_s > media_s:
            self._reader.open()
        while self._reader.media_s < media_s - 0.5 / self._reader.fps and self._reader.advance():
            pass
        shape = self._reader.shape
        scale = 1.0 if shape is None or not scene_wh[0] else shape[1] / scene_wh[0]
        there = self._reader.in_view()
        if not there:
            return ""
        overlaps = intersection_over_union(np.asarray(box_xyxy) * scale, np.array([one.box_xyxy for one in there]))
        best = int(overlaps.argmax())
        return there[best].person if overlaps[best] > SAME_FACE_IOU else ""
