"""What tests that drive a browser share: where it is, how it is started, and pictures small enough to be committed."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from present import image_of

CHROMIUM = Path(os.environ.get("LFR_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
LARGEST_BYTES = 150_000
WIDEST_PX = 1200


def _missing() -> str:
    if importlib.util.find_spec("playwright") is None:
        return "playwright is missing: pip install playwright"
    return "" if CHROMIUM.exists() else f"{CHROMIUM} is missing: apt install chromium"


MISSING = _missing()  # what to install, or nothing


def snap(page: Any, path: Path) -> None:
    """Write what a page shows as a JPEG of at most 150 kB and 1200 px."""
    image = image_of(page.screenshot())
    if image.shape[1] > WIDEST_PX:
        wh = (WIDEST_PX, round(image.shape[0] * WIDEST_PX / image.shape[1]))
        image = cv2.resize(image, wh, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    for quality in (80, 72, 64, 50):
        content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(content) <= LARGEST_BYTES:
            break
    path.write_bytes(content)
