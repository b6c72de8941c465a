"""The page in a real browser: what an officer sees, hears and presses.

Needs Debian's Chromium (apt install chromium). Screenshots go to the folder LFR_SCREENSHOTS, else to a temporary one;
those of the README are made by `LFR_SCREENSHOTS=docs/screenshots pytest tests/system/test_console_in_browser.py`.
"""

import os
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from console_browser import ARGUMENTS, CHROMIUM, MISSING, snap
from console_stage import PASSWORD, open_stage
from present import present
from relay import Relay
from waiting import until

from appliance.alerts.messages import CameraState, Degradation
from appliance.core.clock import utc_now

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.timeout(180)]
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
expect = playwright_api.expect
expect.set_options(timeout=20_000)  # it returns as soon as it is so; a busy machine may need longer than the 5 s of old

DESK = {"width": 1440, "height": 900}
TABLET = {"width": 1024, "height": 768}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def street() -> Iterator[Any]:
    with open_stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = Path(os.environ.get("LFR_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser: Any, street: Any) -> Iterator[Any]:
    """Opens signed-in pages; at the end of the test none of them may have logged an error that was not expected."""
    opened, errors = [], []

    def open_one(name: Any, path: str = "/", expected: Any = (), **context: Any) -> Any:
        where = browser.new_context(**{"viewport": DESK, "reduced_motion": "reduce", **context})
        if name:
            where.add_cookies([cookie_of(street, name)])
        opened.append(where)
        page = where.new_page()
        page.set_default_timeout(20_000)

        def note(text: Any) -> None:
            if not any(part in text for part in expected):
                errors.append(f"{name}: {text}")

        page.on("console", lambda message: note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.goto(street.url + (path if name else "/signin"))
        if name:
            page.wait_for_selector("#banner:not([data-level=wait])")
        return page

    yield open_one
    for where in opened:
        where.close()
    assert errors == []


_cookies: dict[str, str] = {}


def cookie_of(street: Any, name: Any) -> Any:
    """A session for a browser that shows something else than the sign-in; one for each name."""
    if name not in _cookies:
        with street.client(name) as client:
            _cookies[name] = client.cookies["lfr-session"]
    return {"name": "lfr-session", "value": _cookies[name], "url": street.url}


def sign_in(page: Any, name: Any, password: Any = PASSWORD) -> None:
    page.fill("#name", name)
    page.fill("#password", password)
    page.click("button[type=submit]")


def card(page: Any, alert: Any) -> Any:
    return page.locator(f'.cards li[data-id="{alert.id}"]')


def opened_alert(page: Any, alert: Any) -> Any:
    return page.locator(f'#centre img[src^="/api/alerts/{alert.id}/face.jpg"]')


def look_at(page: Any, alert: Any) -> None:
    card(page, alert).locator("button").click()
    expect(opened_alert(page, alert)).to_be_visible()


def pictures_are_there(page: Any, where: Any = "#centre") -> None:
    """Wait until every picture has loaded (the page's policy forbids the waiting that Playwright would do by eval)."""
    script = f"""() => {{ const images = [...document.querySelectorAll('{where} img')].filter((i) => i.src);
        return images.length > 0 && images.every((image) => image.complete && image.naturalWidth > 0); }}"""
    until(lambda: page.evaluate(script), "every picture has loaded")


def decide_everything(street: Any) -> None:
    """So that the next alert finds nothing waiting."""
    with street.client("sam") as sam:
        for case in sam.get("/api/history?state=undecided").json()["alerts"]:
            alert_id = case["alert"]["id"]
            body = {"id": f"tidy-{alert_id}", "kind": "operator", "value": "no_match"}
            assert sam.post(f"/api/alerts/{alert_id}/decisions", json=body).status_code == 200


def shown_after_s(page: Any, street: Any) -> float:
    """How long a new alert needs to the page."""
    alert = street.publish(1, quick=True)
    started = time.monotonic()
    while card(page, alert).count() == 0:
        assert time.monotonic() - started < 20, "it did not come"
        time.sleep(0.02)
    return time.monotonic() - started


def test_an_alert_that_arrives_while_looking_is_there_within_a_second_and_opens_by_itself(
    open_page: Any, street: Any, shots: Any
) -> None:
    page = open_page("anna")
    expect(page.locator(".watching")).to_be_visible()
    snap(page, shots / "watching.jpg")
    street.publish(1)
    page.wait_for_selector(".headline")
    decide_everything(street)
    page.reload()
    expect(page.locator(".watching")).to_be_visible()
    alert = street.publish(1)
    expect(opened_alert(page, alert)).to_be_visible()
    expect(page.locator("#announce")).to_contain_text("New alert: green, Missing")
    assert "ringing" in page.locator("body").get_attribute("class")
    pictures_are_there(page)
    left, right = (page.locator("#centre .face-frame").nth(i).bounding_box() for i in range(2))
    assert (left["width"], left["height"], left["y"]) == (right["width"], right["height"], right["y"])
    assert left["width"] >= 300
    snap(page, shots / "alert-dark.jpg")
    # Whoever else is at work on this machine can only make it later.
    assert min(shown_after_s(page, street) for _ in range(5)) < 1.0


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (820, 1180)])
def test_on_a_tablet_both_faces_are_whole_beside_the_answers(
    open_page: Any, street: Any, width: Any, height: Any
) -> None:
    alert = street.publish(1, quick=True)
    street.settled()
    page = open_page("anna", viewport={"width": width, "height": height})
    look_at(page, alert)
    room = page.locator("#centre").bounding_box()
    for i in range(2):
        box = page.locator("#centre .face-frame").nth(i).bounding_box()
        assert box["width"] > 200
        assert box["y"] + box["height"] <= room["y"] + room["height"]
    for name in ("match", "no_match", "cannot_tell"):
        box = page.locator(f"#panel [data-key={name}]").bounding_box()
        assert box["y"] + box["height"] <= height


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_serious(open_page: Any, street: Any, theme: Any) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe is missing: pip install axe-core-python")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    alert = street.publish(8)
    street.settled()
    found = []

    def check(page: Any, where: Any) -> None:
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page.add_style_tag(content="* { animation: none !important; transition: none !important; }")
        page.evaluate(script)
        only = "" if theme == "dark" else "runOnly: ['color-contrast'],"
        result = page.evaluate(f"axe.run({{{only} resultTypes: ['violations']}})")
        for violation in result["violations"]:
            if violation["impact"] in {"serious", "critical"}:
                nodes = [node["target"] for node in violation["nodes"]][:4]
                found.append(f"{where}: {violation['id']}: {nodes}")

    page = open_page("sam", bypass_csp=True)
    look_at(page, alert)
    check(page, "alert")
    page.keyboard.press("m")
    expect(page.locator(".choice")).to_be_visible()
    check(page, "reasons")
    page.keyboard.press("Escape")
    for path in ("/live", "/history", f"/alerts/{alert.id}") if theme == "dark" else ("/history",):
        page.goto(street.url + path)
        page.wait_for_selector("#banner:not([data-level=wait])")
        page.wait_for_timeout(200)
        check(page, path)
    phone = open_page("ben", bypass_csp=True, viewport=PHONE)
    card(phone, alert).locator("button").click()
    check(phone, "phone")
    check(open_page("", bypass_csp=True), "sign-in")
    assert found == []


def test_from_arrival_to_a_recorded_decision_it_takes_two_keys_and_no_help(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("anna")
    expect(page.locator("#watching")).to_have_text("Watching")
    expect(page.locator(".watching")).to_contain_text("If it is the same person press M, if not N")
    street.publish(2, quick=True)
    alert = street.publish(1, quick=True)  # the second comes while the first is looked at
    started = time.monotonic()
    expect(page.locator("#panel [data-key=match]")).to_contain_text("Match")
    page.keyboard.press("m")
    expect(page.locator(".choice .primary")).to_contain_text("Record “Match”")
    page.keyboard.press("Enter")
    expect(page.locator("#panel .stands[data-value=match]")).to_be_visible()
    assert time.monotonic() - started < 20
    expect(page.locator("#panel .next")).to_contain_text("1 to decide")
    page.keyboard.press("g")
    expect(opened_alert(page, alert)).to_be_visible()
    page.keyboard.press("Shift+N")
    expect(page.locator("#panel .next")).to_contain_text("none waits")


def test_an_alert_is_decided_and_undone_by_keyboard_alone(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("anna")
    alert = street.publish()
    expect(opened_alert(page, alert)).to_be_visible()
    panel = page.locator("#panel")
    page.keyboard.press("t")
    expect(panel).to_contain_text("Taken")
    page.keyboard.press("m")
    expect(panel).to_contain_text("Match – why?")
    page.keyboard.press("Escape")
    expect(panel).not_to_contain_text("why?")
    page.keyboard.press("n")
    page.keyboard.press("2")
    expect(panel).to_contain_text("Marks differ")
    expect(card(page, alert)).to_contain_text("No match")
    page.keyboard.press("u")
    expect(panel.locator(".answers").first).to_be_visible()
    page.keyboard.press("m")
    page.keyboard.press("/")
    page.keyboard.type("scar on the left cheek, not m or n")
    page.keyboard.press("Enter")
    expect(panel).to_contain_text("scar on the left cheek")
    page.keyboard.press("p")
    expect(panel).to_contain_text("Passed on")
    page.keyboard.press("o")
    page.keyboard.press("4")
    expect(panel).to_contain_text("Arrested")
    with street.client("sam") as sam:
        decisions = sam.get(f"/api/alerts/{alert.id}").json()["decisions"]
    assert [d["value"] for d in decisions] == ["taken", "no_match", "undo", "match", "passed_on", "arrested"]
    assert decisions[1]["reason"] == "Marks differ (scar, tattoo, mole)"
    assert 0 < decisions[1]["seconds_taken"] < 60
    assert decisions[2]["undoes"] == decisions[1]["id"]


def test_one_key_with_shift_records_at_once_and_nothing_is_decided_by_itself(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("anna")
    alert = street.publish()
    expect(opened_alert(page, alert)).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("1")
    time.sleep(0.3)
    with street.client("sam") as sam:
        assert sam.get(f"/api/alerts/{alert.id}").json()["decisions"] == []
    page.keyboard.press("Shift+C")
    expect(card(page, alert)).to_contain_text("Cannot tell")


def decisions_of(street: Any, alert: Any) -> Any:
    with street.client("sam") as sam:
        return [(d["value"], d["reason"]) for d in sam.get(f"/api/alerts/{alert.id}").json()["decisions"]]


def test_enter_on_another_button_is_that_buttons_while_a_decision_waits_for_its_reason(
    open_page: Any, street: Any
) -> None:
    decide_everything(street)
    page = open_page("anna")
    alert = street.publish(quick=True)
    expect(opened_alert(page, alert)).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(".choice")).to_be_visible()
    page.focus("#tool-sound")
    page.keyboard.press("Enter")
    expect(page.locator("#tool-sound")).to_contain_text("Muted")
    expect(page.locator(".choice")).to_be_visible()
    assert decisions_of(street, alert) == []


def test_a_double_click_on_an_answer_does_not_choose_the_reason_that_appears_under_it(
    open_page: Any, street: Any
) -> None:
    decide_everything(street)
    page = open_page("anna")
    alert = street.publish(quick=True)
    expect(opened_alert(page, alert)).to_be_visible()
    for name, title in (("match", "Match – why?"), ("no_match", "No match – why?")):
        page.dblclick(f"[data-key={name}]")
        expect(page.locator(".choice h2")).to_have_text(title)
        page.wait_for_timeout(200)
        assert decisions_of(street, alert) == []
        page.keyboard.press("Escape")


def test_a_new_alert_never_displaces_the_one_that_is_looked_at_and_nothing_jumps(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("anna")
    looked_at = street.publish(2)
    expect(opened_alert(page, looked_at)).to_be_visible()
    page.keyboard.press("m")
    page.evaluate(
        """() => { window.shifts = []; new PerformanceObserver((list) => { for (const entry of list.getEntries())
        for (const source of entry.sources) if (source.node && document.querySelector('#centre, #panel').parentNode
        .querySelector('#centre, #panel') && !source.node.closest?.('.queue')) window.shifts.push(source.node.outerHTML
        || source.node.textContent); })
        .observe({type: 'layout-shift', buffered: false}); }"""
    )
    for person in (3, 4, 5):
        newer = street.publish(person)
    expect(card(page, newer)).to_be_visible()
    time.sleep(0.3)
    expect(opened_alert(page, looked_at)).to_be_visible()
    expect(page.locator("#panel")).to_contain_text("Match – why?")
    assert page.evaluate("window.shifts") == []
    assert page.locator(".cards li").first.get_attribute("data-id") == newer.id


@pytest.mark.parametrize("width", [1440, 1300, 1150, 1024])
def test_a_count_that_gains_a_digit_moves_nothing_in_the_header(open_page: Any, street: Any, width: Any) -> None:
    decide_everything(street)
    page = open_page("sam", viewport={"width": width, "height": 900})
    cameras = street.cameras

    def boxes(people: Any, alerts: Any) -> Any:
        """Where everything in the header is when the status tells these counts."""
        street.cameras = [camera.model_copy(update={"people_seen": people}) for camera in cameras]
        street.published = alerts
        expect(page.locator("#vital-people")).to_have_text(f"{2 * people:,}")
        expect(page.locator("#vital-alerts")).to_have_text(f"{alerts:,}")
        return page.evaluate(
            """() => [...document.querySelectorAll('.top *')].filter((one) => one.checkVisibility()).map((one) => {
            const box = one.getBoundingClientRect(); return [one.id || one.className, box.x, box.width]; })"""
        )

    before = street.published
    try:
        small = boxes(3, 9)
        for people, alerts in ((30, 10), (4_000, 100), (40_000, 1_000)):
            assert boxes(people, alerts) == small
        for _ in range(10):
            street.publish(quick=True)
        expect(page.locator("#count-open")).to_have_text("10")
        assert boxes(3, 9) == small
        assert page.evaluate("document.querySelector('.top').scrollWidth <= innerWidth")
    finally:
        street.cameras, street.published = cameras, before + 10


def test_cards_do_not_move_under_the_pointer(open_page: Any, street: Any) -> None:
    page = open_page("anna")
    known = street.publish()
    expect(card(page, known)).to_be_visible()
    page.clock.install()
    page.clock.pause_at(utc_now() + timedelta(seconds=1))  # the pointer moved just now until it goes on
    card(page, known).hover()
    before = card(page, known).bounding_box()["y"]
    newer = street.publish()
    expect(page.locator("#queue-new")).to_have_text("1 new ↑")
    assert card(page, known).bounding_box()["y"] == before
    page.clock.resume()  # a pointer that rests holds nothing back for long
    expect(card(page, newer)).to_be_visible()


def test_two_windows_agree_at_once_and_the_second_to_decide_is_told_who_was_first(open_page: Any, street: Any) -> None:
    decide_everything(street)
    anna, ben = open_page("anna"), open_page("ben", expected=["409"])
    alert = street.publish()
    for page in (anna, ben):
        expect(opened_alert(page, alert)).to_be_visible()
    anna.keyboard.press("t")
    expect(ben.locator("#panel")).to_contain_text("anna")
    expect(ben.locator("body")).not_to_have_class(re.compile("ringing"))
    ben.keyboard.press("n")
    ben.route("**/api/stream*", lambda route: route.abort())
    with street.client("anna") as client:  # decided in the moment before ben's page hears of it
        ben.evaluate("window.stop()")
        body = {"id": f"first-{alert.id}", "kind": "operator", "value": "match"}
        answer = client.post(f"/api/alerts/{alert.id}/decisions", json=body)
        assert answer.status_code == 200
        late = {"id": f"late-{alert.id}", "kind": "operator", "value": "no_match"}
        told = ben.evaluate(
            """async ([id, body]) => { const answer = await fetch(`/api/alerts/${id}/decisions`, {method: 'POST',
            headers: {'content-type': 'application/json', 'x-csrf-token': document.body.dataset.csrf},
            body: JSON.stringify(body)}); return [answer.status, (await answer.json()).error]; }""",
            [alert.id, late],
        )
    assert told[0] == 409
    assert told[1]["standing"]["by"] == "anna"
    expect(anna.locator("#panel .stands[data-value=match]")).to_be_visible()


def test_a_conflict_is_a_clear_sentence_on_the_page(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("ben", expected=["409"])
    alert = street.publish()
    expect(opened_alert(page, alert)).to_be_visible()

    answers = []

    def late(route: Any) -> None:  # hold ben's decision back until sam's stands
        with street.client("sam") as sam:
            body = {"id": f"sam-{alert.id}", "kind": "operator", "value": "match"}
            answers.append(sam.post(f"/api/alerts/{alert.id}/decisions", json=body))
        route.continue_()

    page.route("**/decisions", late)
    page.keyboard.press("n")
    with page.expect_response("**/decisions"):
        page.keyboard.press("1")
    assert [answer.status_code for answer in answers] == [200], [answer.text for answer in answers]
    message = page.locator(".panel-message")
    expect(message).to_contain_text(re.compile(r"sam decided first: “Match” at \d\d:\d\d:\d\d"))
    expect(message).to_contain_text("Your “No match” was not recorded")
    expect(page.locator("#panel .stands[data-value=match]")).to_be_visible()


def test_a_conflict_on_an_alert_that_is_no_longer_looked_at_names_it(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("ben", expected=["409"])
    alert = street.publish(2, quick=True)
    expect(opened_alert(page, alert)).to_be_visible()

    def late(route: Any) -> None:
        with street.client("sam") as sam:
            body = {"id": f"sam-{alert.id}", "kind": "operator", "value": "match"}
            sam.post(f"/api/alerts/{alert.id}/decisions", json=body)
        route.continue_()

    page.route("**/decisions", late)
    page.evaluate(
        """() => { document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'N', shiftKey: true, bubbles: true}));
        document.querySelector('.tabs a[data-view=history]').click(); }"""
    )
    toast = page.locator(".toast[data-level=bad]")
    expect(toast).to_contain_text("sam decided first: “Match”")
    expect(toast).to_contain_text(f"Theft, {alert.entry.label}, camera north, ")


def test_what_is_no_match_is_not_passed_on_while_that_decision_is_still_on_its_way(open_page: Any, street: Any) -> None:
    decide_everything(street)
    page = open_page("ben", expected=["ERR_FAILED"])
    alert = street.publish(quick=True)
    expect(opened_alert(page, alert)).to_be_visible()
    page.route("**/decisions", lambda route: route.abort())
    page.keyboard.press("Shift+N")
    expect(page.locator(".panel-unsent")).to_contain_text("No match: not sent yet")
    expect(page.locator("#panel [data-key=pass]")).to_be_disabled()
    page.keyboard.press("p")
    page.unroute("**/decisions")
    expect(page.locator("#panel .stands[data-value=no_match]")).to_be_visible()
    assert [value for value, _ in decisions_of(street, alert)] == ["no_match"]


def test_after_the_hub_was_killed_the_page_says_so_and_catches_up_without_loss_or_repetition(
    open_page: Any, street: Any
) -> None:
    page, idle = open_page("anna", expected=["503"]), open_page("eve", viewport=PHONE)
    before = street.publish(quick=True)
    expect(card(page, before)).to_be_visible()
    look_at(page, before)
    street.settled()
    street.kill_hub()
    missed = [street.publish(quick=True) for _ in range(3)]
    expect(page.locator("#banner-text")).to_contain_text(
        re.compile(r"hears nothing from the appliance. What you see is .* old"), timeout=30_000
    )
    assert page.locator("#banner").get_attribute("data-level") == "bad"
    expect(idle.locator("#watching")).to_have_text("Nothing is heard")
    page.keyboard.press("n")
    page.keyboard.press("1")
    expect(page.locator(".panel-unsent")).to_contain_text("not sent yet")
    street.start_hub()
    for alert in missed:
        expect(card(page, alert)).to_have_count(1, timeout=30_000)
    expect(page.locator("#banner-text")).to_have_text("Everything works.", timeout=30_000)
    expect(card(page, before)).to_contain_text("No match", timeout=30_000)
    ids = page.locator(".cards li").evaluate_all("(cards) => cards.map((card) => card.dataset.id)")
    assert len(ids) == len(set(ids))
    with street.client("sam") as sam:
        assert len(sam.get(f"/api/alerts/{before.id}").json()["decisions"]) == 1


def test_a_page_that_lost_the_console_takes_up_where_it_was(open_page: Any, street: Any) -> None:
    page = open_page("anna", expected=["ERR_INTERNET_DISCONNECTED", "ERR_"])
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    missed = street.publish(quick=True)
    page.wait_for_timeout(300)
    page.context.set_offline(False)
    expect(card(page, missed)).to_have_count(1)


def test_while_the_console_is_away_the_page_says_how_old_it_is_and_a_dead_connection_does_not_hold_it_up(
    open_page: Any, street: Any
) -> None:
    with Relay(street.port) as relay:
        page = open_page("anna", expected=["ERR_"])
        page.goto(street.url.replace(str(street.port), str(relay.port)))
        expect(page.locator("#banner-text")).to_have_text("Everything works.")
        relay.let_down()  # what is under way is never answered: a network that drops everything
        text = page.locator("#banner-text")
        expect(text).to_contain_text("No connection to the console", timeout=30_000)
        with page.expect_request("**/api/stream*", timeout=30_000):
            relay.refuse()
        ages = []
        for _ in range(10):
            page.wait_for_timeout(250)
            ages.append(int(present(re.search(r"What you see is (\d+) s old", text.inner_text()))[1]))
        assert ages == sorted(ages)
        assert ages[0] >= 5


def test_a_browser_with_many_pages_open_still_decides_and_the_oldest_page_says_that_it_rests(
    open_page: Any, street: Any
) -> None:
    decide_everything(street)
    oldest = open_page("anna")
    pages = [oldest]
    for _ in range(6):
        pages.append(oldest.context.new_page())
        pages[-1].goto(street.url)
        pages[-1].wait_for_selector("#banner[data-level=good]")
    alert = street.publish(quick=True)
    expect(opened_alert(pages[-1], alert)).to_be_visible()
    pages[-1].keyboard.press("Shift+N")
    expect(card(pages[-1], alert)).to_contain_text("No match")
    expect(oldest.locator("#banner-text")).to_contain_text("too many pages open")
    expect(card(oldest, alert)).to_have_count(0)
    oldest.bring_to_front()
    oldest.keyboard.press("j")
    expect(card(oldest, alert)).to_contain_text("No match")
    expect(oldest.locator("#banner")).to_have_attribute("data-level", "good")


def test_an_engagement_officer_decides_on_a_phone_through_a_dropout(open_page: Any, street: Any, shots: Any) -> None:
    decide_everything(street)
    page = open_page(
        "eve", viewport=PHONE, is_mobile=True, has_touch=True, device_scale_factor=2, expected=["ERR_INTERNET"]
    )
    alert = street.publish(6)
    street.settled()
    expect(page.locator(".cards li")).to_have_count(page.locator(".cards li").count())
    expect(card(page, alert)).to_have_count(0)
    with street.client("anna") as anna:
        until(lambda: anna.get(f"/api/alerts/{alert.id}").status_code == 200)
        for kind, value in (("operator", "match"), ("passed_on", "passed_on")):
            body = {"id": f"{kind[:4]}-{alert.id}", "kind": kind, "value": value}
            assert anna.post(f"/api/alerts/{alert.id}/decisions", json=body).status_code == 200
    expect(card(page, alert)).to_be_visible()
    card(page, alert).locator("button").tap()
    expect(opened_alert(page, alert)).to_be_visible()
    pictures_are_there(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for i in range(2):
        box = page.locator("#centre .face-frame").nth(i).bounding_box()
        assert box["width"] > 170
        assert box["y"] + box["height"] < PHONE["height"]
    for name in ("Engage", "Do not engage"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= PHONE["height"]
    expect(page.get_by_text("All details")).to_have_count(0)  # which this role has no page for
    snap(page, shots / "phone.jpg")
    page.context.set_offline(True)
    page.get_by_role("button", name="Do not engage", exact=True).tap()
    page.get_by_role("button", name="Not found").tap()
    expect(page.locator(".panel-unsent")).to_contain_text("Do not engage: not sent yet")
    page.locator(".panel-unsent").scroll_into_view_if_needed()
    snap(page, shots / "phone-not-sent.jpg")
    page.context.set_offline(False)
    expect(page.locator('#panel .stands[data-value="do_not_engage"]')).to_be_visible(timeout=30_000)
    with street.client("sam") as sam:
        decisions = sam.get(f"/api/alerts/{alert.id}").json()["decisions"]
    assert [d["value"] for d in decisions] == ["match", "passed_on", "do_not_engage"]


def test_an_alert_that_opens_by_itself_on_a_tablet_rings_until_the_engagement_officer_is_there(
    open_page: Any, street: Any
) -> None:
    decide_everything(street)
    page = open_page("eve", viewport=TABLET)
    for case in page.locator(".cards li.fresh").all():
        case.locator("button").click()
    alert = street.publish(quick=True)
    street.settled()
    with street.client("sam") as sam:
        path = f"/api/alerts/{alert.id}/decisions"
        until(lambda: sam.get(f"/api/alerts/{alert.id}").status_code == 200)
        sent = {"id": f"pass-1-{alert.id}", "kind": "passed_on", "value": "passed_on"}
        assert sam.post(path, json=sent).status_code == 200
        expect(card(page, alert)).to_be_visible()
        page.wait_for_timeout(400)
        expect(page.locator("body")).to_have_class(re.compile("ringing"))
        card(page, alert).locator("button").click()
        expect(page.locator("body")).not_to_have_class(re.compile("ringing"))
        back = {"id": f"back-{alert.id}", "kind": "undo", "value": "undo", "undoes": sent["id"]}
        assert sam.post(path, json=back).status_code == 200
        expect(card(page, alert)).to_have_count(0)
        assert sam.post(path, json={**sent, "id": f"pass-2-{alert.id}"}).status_code == 200
    expect(page.locator("body")).to_have_class(re.compile("ringing"))


def test_the_mute_is_counted_down_and_ends_by_itself(open_page: Any, street: Any) -> None:
    page = open_page("anna")
    page.clock.install()
    page.click("#tool-sound")
    expect(page.locator("#tool-sound")).to_contain_text(re.compile(r"Muted [12]:\d\d"))
    page.clock.fast_forward(121_000)
    expect(page.locator("#tool-sound")).to_have_text("Sound on")


def test_wrong_passwords_lead_to_a_lock_out_that_says_how_long(open_page: Any, street: Any, shots: Any) -> None:
    street.users.add("guess", "viewer", PASSWORD)
    page = open_page("", expected=["403", "429"])
    snap(page, shots / "sign-in.jpg")
    for _ in range(5):
        sign_in(page, "guess", "wrong wrong wrong")
    expect(page.locator("[role=alert]")).to_contain_text("wait 30 seconds")
    sign_in(page, "guess")
    expect(page.locator("[role=alert]")).to_contain_text("Too many attempts")
    expect(page.locator("#name")).to_be_visible()


def test_no_picture_is_shown_to_a_browser_without_a_session(open_page: Any, street: Any) -> None:
    alert = street.publish(quick=True)
    street.settled()
    page = open_page("", expected=["401"])
    for name in ("face", "photo", "scene"):
        assert page.goto(f"{street.url}/api/alerts/{alert.id}/{name}.jpg").status == 401
    page.goto(street.url + "/alerts/" + alert.id)
    assert page.url.startswith(street.url + "/signin")


def test_signing_out_leaves_nothing_on_the_screen(open_page: Any, street: Any) -> None:
    page = open_page("", expected=["401"])  # pictures that were on their way
    sign_in(page, "vic")
    page.wait_for_selector("#banner:not([data-level=wait])")
    page.click("text=Sign out")
    expect(page.locator("#password")).to_be_visible()
    page.go_back()
    expect(page.locator("#password")).to_be_visible()


def test_a_session_that_ends_takes_the_alert_off_the_screen(open_page: Any, street: Any) -> None:
    street.users.add("gone", "operator", PASSWORD)
    page = open_page("gone", expected=["401"])
    alert = street.publish(quick=True)
    look_at(page, alert)
    street.users.remove("gone")
    expect(page.locator("[role=alert]")).to_have_text("Your session has ended. Sign in again.")
    assert alert.entry.label not in page.content()


def test_a_session_whose_hours_end_does_not_ask_for_a_key_that_would_not_help(browser: Any) -> None:
    with open_stage(session_hours=0.05) as stage, stage.client("anna") as client:
        where = browser.new_context(viewport=DESK)
        where.add_cookies([{"name": "lfr-session", "value": client.cookies["lfr-session"], "url": stage.url}])
        page = where.new_page()
        page.goto(stage.url)
        expect(page.locator("#banner-text")).to_contain_text("You will be signed out in 2:")
        expect(page.locator("#banner-text")).to_contain_text("sign out and in again before that")
        where.close()


def test_the_live_view_shows_pictures_and_says_what_is_wrong(open_page: Any, street: Any, shots: Any) -> None:
    good = street.cameras[1]
    street.previews = True
    page = open_page("sam", "/live")
    image = page.locator(".tile", has_text="north").locator("img")
    pictures_are_there(page, ".tile")
    north = page.locator(".tile", has_text="north")
    expect(north.locator(".tile-stamp")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d$"))
    expect(north).not_to_have_class(re.compile("old"))
    first = image.get_attribute("src")
    expect(image).not_to_have_attribute("src", first)
    street.cameras[1] = CameraState(name="south", state="starting", since=utc_now(), people_seen=987, alerts=2)
    try:
        expect(page.locator("#banner-text")).to_have_text("Camera south sees nobody yet: it is starting.")
    finally:
        street.cameras[1] = good
    street.cameras[1] = CameraState(
        name="south",
        state="reconnecting",
        since=utc_now() - timedelta(seconds=42),
        detail="The camera does not answer; trying again.",
        people_seen=987,
        alerts=2,
    )
    street.degraded = [
        Degradation(code="camera", text="Camera south gives no pictures.", severity="critical"),
        Degradation(code="provider", text="The GPU is not used: recognition runs on the CPU."),
    ]
    try:
        expect(page.locator("#banner-text")).to_have_text("Camera south gives no pictures.")
        expect(page.locator(".tile", has_text="south").locator(".tile-state")).to_contain_text(
            re.compile(r"Reconnecting for (4[2-9]|5\d) s|Reconnecting for 1 min")
        )
        expect(page.locator(".tile", has_text="south")).to_have_class(re.compile("old"))
        snap(page, shots / "live-degraded.jpg")
        page.click("#banner-more")
        expect(page.locator("#banner-text")).to_contain_text("runs on the CPU")
    finally:
        street.cameras[1] = good
        street.degraded = []
        street.previews = False


def test_history_is_filtered_and_leads_to_the_story_and_its_export(open_page: Any, street: Any, shots: Any) -> None:
    alert = street.publish(7)
    street.settled()
    with street.client("anna") as anna:
        until(lambda: anna.get(f"/api/alerts/{alert.id}").status_code == 200)
        body = {"kind": "operator", "value": "match", "reason": "Clear likeness", "seconds_taken": 3.4}
        path = f"/api/alerts/{alert.id}/decisions"
        assert anna.post(path, json={**body, "id": f"match-{alert.id}"}).status_code == 200
    page = open_page("sam", "/history")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.select_option("select[name=state]", "match")
    expect(page.locator(".history-count")).to_have_text(re.compile(r"^\d+ alerts?$"))
    expect(page.locator(f'tr[data-id="{alert.id}"]')).to_be_visible()
    snap(page, shots / "history.jpg")
    page.locator(f'tr[data-id="{alert.id}"] a').click()
    expect(page.locator(".timeline")).to_contain_text("Clear likeness")
    pictures_are_there(page, ".details-looks")
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == f"alert-{alert.id}.zip"
    expect(page.locator("#export-hash")).to_contain_text(re.compile("[0-9a-f]{64}"))
    snap(page, shots / "story.jpg")


def test_twenty_alerts_in_a_minute_stay_legible(open_page: Any, street: Any, shots: Any) -> None:
    decide_everything(street)
    for i in range(20):
        street.publish(20 + i, at=utc_now() - timedelta(seconds=3 * (20 - i)))
    street.settled()
    page = open_page("anna")
    expect(page.locator("#queue-open-count")).to_have_text("20")
    seen = page.locator("#queue-open li").evaluate_all(
        "(cards) => cards.filter((card) => card.getBoundingClientRect().bottom <= innerHeight).length"
    )
    assert seen >= 10
    pictures_are_there(page)
    snap(page, shots / "queue-20.jpg")
    page.keyboard.press("l")
    snap(page, shots / "alert-light.jpg")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()


def test_with_two_thousand_alerts_in_the_journal_a_page_opens_decides_and_says_that_there_are_more(
    open_page: Any, street: Any
) -> None:
    for i in range(2000):
        street.publish(quick=True)
        if i % 50 == 49:
            street.settled()
    newest = street.publish(quick=True)
    street.settled()
    started = time.monotonic()
    page = open_page("sam")
    expect(opened_alert(page, newest)).to_be_visible()
    assert time.monotonic() - started < 30
    expect(page.locator("#count-open")).to_have_text("300+")
    expect(page.locator("#queue-older")).to_be_visible()
    page.keyboard.press("Shift+N")
    expect(card(page, newest)).to_contain_text("No match")
    page.goto(street.url + "/history")
    expect(page.locator(".history-count")).to_have_text(re.compile(r"^2,\d\d\d alerts$"))
