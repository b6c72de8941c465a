"""Figures of the console, measured in a real browser: how soon an alert is seen, what the page weighs, what it needs.

`python -m appliance.lab.bench.console` prints them as JSON. Needs Chromium and the package `playwright`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import multiprocessing
import os
import secrets
import socket
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from pydantic import JsonValue

from appliance.alerts.messages import Alert, EntryRef, ModelRefs, TrackRef, new_id
from appliance.audit.record import sink
from appliance.console.server import serve
from appliance.console.settings import ConsoleSettings
from appliance.core.clock import utc_now
from appliance.core.errors import LfrError
from appliance.core.telemetry import Meter
from appliance.stream import hub
from appliance.stream.outbox import Outbox
from appliance.stream.settings import HubSettings

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run")

_WATCH = """() => { window.seen = {};
new MutationObserver(() => requestAnimationFrame(() => { const now = Date.now();
  for (const card of document.querySelectorAll('.cards li')) window.seen[card.dataset.id] ??= now; }))
  .observe(document.querySelector('.queue'), {childList: true, subtree: true}); }"""


def _picture(wh: tuple[int, int], seed: int) -> bytes:
    coarse = np.random.default_rng(seed).integers(0, 255, (9, 16, 3)).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", cv2.resize(coarse, wh))[1])


def _alert(number: int) -> Alert:
    now = utc_now()
    return Alert(
        id=new_id(),
        deployment="bench",
        camera="north",
        captured_at=now,
        entry=EntryRef(id=f"N-{number}", category="bench", response="amber", label=f"Entry {number}"),
        score=0.7,
        threshold=0.55,
        track=TrackRef(id=number, first_seen=now, frames=5),
        face_xyxy=(100, 100, 200, 220),
        scene_wh=(1280, 720),
        models=ModelRefs(detector="bench", embedder="bench"),
    )


def _send(outbox: Outbox, count: int, pictures: list[bytes], pause_s: float, start: int) -> None:
    for i in range(count):
        outbox.send_alert(_alert(start + i), pictures)
        until = time.monotonic() + pause_s
        while time.monotonic() < until or outbox.pending > 100:
            outbox.pump(0.005)
    if not outbox.drained(30):
        raise LfrError("The hub did not take every alert of the measurement.")


def missing(chromium: str = CHROMIUM) -> LfrError | None:
    """What has to be installed before anything can be measured, or None."""
    if importlib.util.find_spec("playwright") is None:
        return LfrError("playwright is missing.", "pip install playwright")
    if not Path(chromium).exists():
        return LfrError(f"{chromium} is missing.", "apt install chromium")
    return None


def measure(alerts: int = 200, many: int = 2000, chromium: str = CHROMIUM) -> dict[str, JsonValue]:
    """Measure and return the figures.

    `visible_ms` is from the hub's `published_at` to the frame in which the browser drew the card, over `alerts` alerts
    with pictures of realistic size; memory is the resident set of the console process before the first alert and
    after `many` more.

    Raises
    ------
    LfrError
        When Chromium or playwright is missing, or the console does not open.
    """
    if (lacks := missing(chromium)) is not None:
        raise lacks
    from playwright.sync_api import sync_playwright

    spawn = multiprocessing.get_context("spawn")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lfr-", dir="/tmp")))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        publish, replay, token = f"ipc://{folder}/pub", f"ipc://{folder}/replay", secrets.token_urlsafe(16)
        hub_settings = HubSettings(
            state_dir=folder / "state",
            runtime=folder,
            publish=publish,
            replay=replay,
            deployment="bench",
            cooldown_s=0,
            audit=sink,
            supervised=False,
        )
        settings = ConsoleSettings(f"127.0.0.1:{port}", publish, replay, folder / "users.json", demo_token=token)
        for target, argument in ((hub.serve, hub_settings), (serve, settings)):
            process: Any = spawn.Process(target=target, args=(argument,), daemon=True)
            process.start()
            stack.callback(process.join, 5)
            stack.callback(process.terminate)
        _wait_for(settings.url)
        outbox = stack.enter_context(Outbox(hub_settings.cameras, "north", Meter()))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        stack.callback(browser.close)
        page = browser.new_page()
        page.goto(f"{settings.url}?demo={token}")
        page.wait_for_selector("#banner:not([data-level=wait])")
        page.evaluate(_WATCH)
        weight = _page_weight(page)
        memory_before = psutil.Process(process.pid).memory_info().rss
        pictures = [_picture((1280, 720), 1), _picture((256, 256), 2), _picture((256, 256), 3)]
        _send(outbox, alerts, pictures, 0.1, 0)
        page.wait_for_timeout(1500)
        seen = page.evaluate("window.seen")
        published = _all_published(page)
        waits = sorted(seen[key] - published[key] for key in seen if key in published)
        _send(outbox, many, [_picture((160, 90), i) for i in range(3)], 0, alerts)
        page.wait_for_timeout(3000)
        memory_after = psutil.Process(process.pid).memory_info().rss
        heap = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize : 0")
    return {
        "alerts": len(waits),
        "visible_ms": {"p50": _share(waits, 0.5), "p99": _share(waits, 0.99)},
        "page_bytes": weight,
        "console_rss_mb": {
            "before": round(memory_before / 1e6, 1),
            f"after_{many + alerts}": round(memory_after / 1e6, 1),
        },
        "page_heap_mb": round(heap / 1e6, 1),
        "cpu_count": os.cpu_count(),
    }


def _all_published(page: Any) -> dict[str, float]:
    """When each alert was published, milliseconds since the epoch, by the history's pages."""
    script = """async () => { const found = {}; let before = 0;
      do { const data = await (await fetch(`/api/history?before=${before}`)).json();
        for (const one of data.alerts) found[one.alert.id] = Date.parse(one.alert.published_at);
        before = data.next; } while (before);
      return found; }"""
    return dict(page.evaluate(script))


def _page_weight(page: Any) -> int:
    """Bytes of the page and everything it loads before the first alert, as they travel."""
    script = """() => performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
      .filter((entry) => !entry.name.includes('/api/')).reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
    return int(page.evaluate(script))


def _share(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else float("nan")


def _wait_for(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}signin", timeout=1).close()  # noqa: S310  our own address
            return
        time.sleep(0.05)
    raise LfrError("The console did not open within 30 seconds.")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(), indent=1) + "\n")
