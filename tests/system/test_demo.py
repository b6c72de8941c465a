"""`lfr demo` as somebody meets it for the first time: a terminal, an address, a page that needs no explanation.

Its picture of an alert is the README's: `LFR_SCREENSHOTS=docs/screenshots pytest tests/system/test_demo.py`.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from appliance_run import ENVIRONMENT
from console_browser import ARGUMENTS, CHROMIUM, MISSING, snap

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

ROOT = Path(__file__).parents[2]
COLUMNS = 80


class Terminal:
    """A command in a terminal of 80 columns; what it printed so far, without colours."""

    def __init__(self, *command: str, cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
        environment = {**ENVIRONMENT, "TERM": "xterm", "PYTHONPATH": str(ROOT), "LFR_MODELS": str(MODELS)}
        for name in ("COLUMNS", "NO_COLOR"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.text = ""

    def read(self, timeout_s: float) -> None:
        """Take in what it prints for so long, or until it ends."""
        until = time.monotonic() + timeout_s
        while (left_s := until - time.monotonic()) > 0:
            if select.select([self._ours], [], [], left_s)[0]:
                try:
                    came = os.read(self._ours, 65536)
                except OSError:  # the other end is closed: it has ended
                    return
                self.text += re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|\]8;[^\x1b]*\x1b\\)", "", came.decode(errors="replace"))

    def wait_for(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """Read until it has printed something."""
        until = time.monotonic() + timeout_s
        while not (found := re.search(pattern, self.text)):
            assert self.process.poll() is None, self.text
            assert time.monotonic() < until, self.text
            self.read(0.2)
        return found


MODELS = Path(os.environ.get("LFR_MODELS") or ROOT / "models").resolve()


@pytest.mark.timeout(300)
def test_the_demo_opens_on_the_console_signed_in_and_runs_until_it_is_stopped(folder: Path, tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api")
    api.expect.set_options(timeout=20_000)
    shots = Path(os.environ.get("LFR_SCREENSHOTS") or tmp_path)
    shots.mkdir(parents=True, exist_ok=True)
    terminal = Terminal(
        sys.executable, "-m", "appliance", "demo", "--no-browser", "--folder", str(folder / "demo"), cwd=folder
    )
    try:
        address = terminal.wait_for(r"(http://127\.0\.0\.1:\d+/\?demo=\S+)\s", 90)[1]
        with api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
            page.goto(address)
            api.expect(page.locator("#where-deployment")).to_contain_text("demonstration")
            api.expect(page.locator("#panel [data-key=match]")).to_be_visible(timeout=60_000)
            arrived = time.monotonic()
            page.keyboard.press("m")
            page.keyboard.press("Enter")
            api.expect(page.locator("#panel .stands[data-value=match]")).to_be_visible()
            assert time.monotonic() - arrived < 20
            # The next one opens by itself if it comes while none waits, else on a key.
            undecided = page.locator("#panel [data-key=match]")
            waits = page.locator("#panel .next small", has_text="to decide")
            api.expect(undecided.or_(waits).first).to_be_visible(timeout=60_000)
            if waits.is_visible():
                page.keyboard.press("g")
            api.expect(undecided).to_be_visible()
            page.wait_for_timeout(600)
            snap(page, shots / "alert-demo.jpg")
            page.goto(address.partition("?")[0] + "live")
            picture = page.locator(".tile[data-picture=true] img")
            api.expect(picture).to_be_visible()
            first = picture.get_attribute("src")
            api.expect(picture).not_to_have_attribute("src", first)
            snap(page, shots / "live-demo.jpg")
            browser.close()
        terminal.wait_for(r"people seen ([2-9]|\d\d)", 60)
        assert terminal.process.poll() is None
        terminal.process.send_signal(signal.SIGINT)
        terminal.read(40)  # until it has left
        assert terminal.process.wait(20) == 0, terminal.text
    finally:
        if terminal.process.poll() is None:
            terminal.process.terminate()
            terminal.read(15)
            terminal.process.kill()
        terminal.process.wait()
    assert "alerts for anybody else: 0" in terminal.text
    assert sorted(one.name for one in (folder / "demo").iterdir()) == ["alerts", "lfr.yaml", "run.log"]
