// Joins the parts: which view is shown, which alert is looked at, what a key does.

import { Alarm } from "./alarm.js";
import { Banner } from "./banner.js";
import { AlertDetails } from "./details.js";
import { $, announce, h, say, toast } from "./dom.js";
import { fillHelp } from "./help.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { Outbox } from "./outbox.js";
import { Panel } from "./panel.js";
import { facts, headline, pair, scene, tickAges } from "./picture.js";
import { Queue } from "./queue.js";
import { Store } from "./store.js";
import { openStream } from "./stream.js";
import { category, clock, VALUES } from "./words.js";

const RELEASE_MS = 15_000; // a decided alert makes room for a new one when nobody has touched anything for so long

const { user, role, permissions, csrf } = document.body.dataset;
const me = { name: user, role, csrf, permissions: new Set(permissions.split(" ")) };
const street = !me.permissions.has("alerts"); // an engagement officer: sees what was passed on
const store = new Store();
const outbox = new Outbox(me.name, csrf);
let selected = null;
let touchedAt = performance.now();
let view = "alerts";
const narrow = matchMedia("(max-width: 760px)");
const seenHere = new Set();

/** Whether a case still waits for this person. */
const isOpen = (kase) => kase.waits[street ? "engagement" : "operator"];

/** The alerts that ring here: nobody has taken them, or for the street, this officer has not opened them. */
function ringing() {
  if (!me.permissions.has("taken") && !street) return [];
  return [...store.cases.values()].filter((kase) => isOpen(kase)
    && (street ? !seenHere.has(kase.alert.id) : !kase.standing.taken && !outbox.of(kase.alert.id).length));
}

const queue = new Queue(store, outbox, { select: (id, byHand) => select(id, byHand), selected: () => selected, isOpen });
const panel = new Panel(store, outbox, me, {
  selected: () => selected, next: () => select(queue.newestOpen(), true), waiting: () => queue.openCount(),
});
const banner = new Banner(store);
const alarm = new Alarm(ringing);
const live = new Live(store);
const history = new History(store, (href) => go(href));
const details = new AlertDetails(store, me);

// the alert that is looked at

function select(id, byHand = false) {
  const kase = id ? store.cases.get(id) : null;
  const changed = selected !== (kase ? id : null);
  selected = kase ? id : null;
  if (kase) {
    if (!store.seenAt.has(id)) store.seenAt.set(id, performance.now());
    if (byHand) {
      seenHere.add(id);
      document.body.classList.add("detail");
    }
  } else {
    document.body.classList.remove("detail");
  }
  if (changed) drawCentre();
  queue.draw();
  if (kase) queue.reveal(id);
  if (changed) panel.reset();
  if (byHand && narrow.matches) scrollTo(0, 0);
  alarm.tick();
}

/** The idle page claims nothing that it cannot know. */
function watchingText() {
  return store.connected && store.link?.hub === "connected" ? "Watching" : "Nothing is heard";
}

for (const name of ["link", "connected"]) {
  store.addEventListener(name, () => { if ($("watching")) say($("watching"), watchingText()); });
}

function drawCentre() {
  const centre = $("centre");
  const kase = store.cases.get(selected);
  if (!kase) {
    const text = street ? "Alerts that are passed on to you open here." : "The next alert opens here by itself.";
    centre.replaceChildren(h("div", { class: "watching" },
      h("div", { class: "watching-frame", "aria-hidden": "true" }), h("h2", { id: "watching" }, watchingText()), h("p", {}, text),
      street ? null : h("p", { class: "watching-how" }, "You will see the camera's face beside the watchlist photo. If it is the same person press ",
        h("kbd", {}, "M"), ", if not ", h("kbd", {}, "N"), "; if you cannot tell, ", h("kbd", {}, "C"), ".")));
    return;
  }
  centre.replaceChildren(
    h("button", { type: "button", class: "back quiet", onclick: () => select(null) }, "‹ All alerts"),
    headline(kase), pair(kase), h("div", { class: "below" }, scene(kase), facts(kase)));
  centre.scrollTop = 0;
  tickAges(centre, store);
}

function step(direction) {
  const id = selected ? queue.neighbour(selected, direction) : queue.newestOpen() || queue.neighbour(null, 1);
  if (id) select(id, true);
}

/** A new alert opens by itself only when nobody looks at one that waits for them. */
function maybeOpen(id) {
  if (view !== "alerts" || (narrow.matches && document.body.classList.contains("detail"))) return;
  const kase = store.cases.get(selected);
  if (!kase) {
    if (!narrow.matches) select(id);
    return;
  }
  const idle = performance.now() - touchedAt > RELEASE_MS;
  if (!isOpen(kase) && idle && !panel.chosen && !outbox.of(selected).length) select(id);
}

store.addEventListener("case", ({ detail: { kase, old } }) => {
  const id = kase.alert.id;
  if (!old && isOpen(kase)) {
    queue.arrived(id);
    const warnings = kase.alert.entry.warnings.length ? `, warning ${kase.alert.entry.warnings.join(", ")}` : "";
    announce(`New alert: ${kase.alert.entry.response}, ${category(kase.alert.entry.category)}${warnings}, camera ${kase.alert.camera}`);
    if (!street || !seenHere.has(id)) alarm.now();
  }
  if (old && id === selected) {
    const known = new Set(old.decisions.map((decision) => decision.id));
    for (const decision of kase.decisions.filter((one) => !known.has(one.id) && one.by !== me.name)) {
      const back = kase.decisions.find((one) => one.id === decision.undoes);
      toast(back ? `${decision.by} took back “${VALUES[back.value]}”.` : `${decision.by}: ${VALUES[decision.value]}, ${clock(decision.at)}.`);
    }
    if (panel.chosen && kase.standing[panel.chosen.kind]) panel.chosen = null;
  }
  queue.draw();
  if (id === selected) panel.draw();
  else panel.tellWaiting();
  if (!old && isOpen(kase)) maybeOpen(id);
});
store.addEventListener("replaced", ({ detail: { fresh, first } }) => {
  if (selected && !store.cases.has(selected)) selected = null;
  queue.draw();
  drawCentre();
  panel.draw();
  const open = queue.newestOpen();
  if (!selected && open && !narrow.matches && view === "alerts") select(open);
  if (!first && fresh.length) announce(`${fresh.length} alerts came while the connection was lost`);
});
store.addEventListener("gone", ({ detail: { id } }) => {
  seenHere.delete(id); // passed on once more, it is new once more
  if (id === selected) {
    toast("That alert is no longer shown to you.");
    select(null);
  }
  queue.draw();
});
store.addEventListener("busy", ({ detail }) => toast(detail.message, "bad"));
store.addEventListener("signedout", () => signedOut());

outbox.addEventListener("changed", () => {
  queue.draw();
  panel.draw();
});
outbox.addEventListener("sent", ({ detail: { item, answer } }) => {
  if (answer) showOwn(answer.case);
  if (item.alertId === selected) announce(`Recorded: ${VALUES[item.body.value]}`);
});
outbox.addEventListener("refused", ({ detail: { item, answer } }) => {
  const text = answer.code === "conflict" ? conflictText(item, answer) : `“${VALUES[item.body.value]}” was not recorded. ${answer.message}`;
  if (item.alertId === selected && view === "alerts" && !panel.chosen) {
    panel.message = text;
    panel.draw();
  } else toast(`${named(item.alertId)}: ${text}`, "bad");
});
outbox.addEventListener("signedout", () => signedOut());

/** Which alert a message is about, when another one may be on the screen. */
function named(id) {
  const kase = store.cases.get(id);
  if (!kase) return "An alert that has left this page";
  const { entry, camera, captured_at: at } = kase.alert;
  return `${category(entry.category)}, ${entry.label || entry.id}, camera ${camera}, ${clock(at)}`;
}

function conflictText(item, answer) {
  const other = answer.standing;
  if (!other) return `“${VALUES[item.body.value]}” was not recorded. ${answer.message}`;
  return `${other.by} decided first: “${VALUES[other.value]}” at ${clock(other.at)}. Your “${VALUES[item.body.value]}” was not recorded.`;
}

/** The console's answer may come before its stream tells the same: show it at once. */
function showOwn(kase) {
  const known = store.cases.get(kase.alert.id);
  if (!known || known.changed > kase.changed) return; // it has left this page, or the stream has told of more since
  store.cases.set(kase.alert.id, kase);
  queue.draw();
  panel.draw();
}

let out = false;
function signedOut() {
  if (out) return;
  out = true;
  // Nothing of an alert stays on a screen that nobody is signed in at. What was not sent is kept for the same person.
  location.replace(`/signin?why=ended&next=${encodeURIComponent(location.pathname)}`);
}

// views

function show() {
  const path = location.pathname;
  const match = path.match(/^\/alerts\/(.+)$/);
  view = match ? "details" : path === "/live" ? "live" : path === "/history" ? "history" : "alerts";
  if (view === "details" && street) view = "alerts";
  for (const name of ["alerts", "live", "history", "details"]) $(`view-${name}`).hidden = name !== view;
  document.body.dataset.view = view;
  for (const tab of document.querySelectorAll(".tabs a")) {
    if (tab.dataset.view === view || (view === "details" && tab.dataset.view === "history")) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  if (view === "live") live.draw();
  if (view === "history") history.load();
  if (view === "details") details.open(decodeURIComponent(match[1]));
  if (view === "alerts") {
    if (match && store.cases.has(match[1])) select(match[1], true);
    else if (!selected && !narrow.matches && queue.newestOpen()) select(queue.newestOpen());
  }
  alarm.title = `${{ alerts: "Alerts", live: "Live", history: "History", details: "Details" }[view]} · ${document.title.split(" · ").pop()}`;
}

function go(href) {
  if (href !== location.pathname) window.history.pushState(null, "", href);
  show();
  $("main").focus({ preventScroll: true });
}

addEventListener("popstate", show);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-view], a[data-route]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});

// keys

function toggleTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("lfr-theme", root.dataset.theme);
  } catch {
    toast("This browser does not let the page remember that.");
  }
  showTheme();
}

function showTheme() {
  say($("tool-theme").querySelector(".tool-word"), document.documentElement.dataset.theme === "dark" ? "Light" : "Dark");
}

function toggleHelp() {
  const help = $("help");
  if (help.open) help.close();
  else help.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || out) return;
  if (event.target.closest("input, textarea, select") || ($("help").open && event.key !== "?")) return;
  const name = event.key.toLowerCase();
  const onButton = event.target.closest("button, a");
  if (name === "enter" && onButton) return; // Enter on a focused button is that button's, also while a decision waits for its reason
  if (event.key === "?") toggleHelp();
  else if (name === "j" || event.key === "ArrowDown") { if (view !== "alerts" || (event.key === "ArrowDown" && panel.chosen)) return; step(1); }
  else if (name === "k" || event.key === "ArrowUp") { if (view !== "alerts" || (event.key === "ArrowUp" && panel.chosen)) return; step(-1); }
  else if (name === "g") { if (view === "alerts" && queue.newestOpen()) select(queue.newestOpen(), true); }
  else if (name === "s") alarm.toggle();
  else if (name === "l") toggleTheme();
  else if (view !== "alerts" || !panel.pressed(name, event.shiftKey)) {
    if (name === "escape" && view !== "alerts") go("/");
    return;
  }
  event.preventDefault();
});

// a person is there

let toldActive = 0;
function touched() {
  touchedAt = performance.now();
  if (selected && view === "alerts") seenHere.add(selected); // what opened by itself has been seen when somebody is there
  if (touchedAt - toldActive < 60_000 && store.sessionLeft > 300) return;
  toldActive = touchedAt;
  fetch("/api/active", { method: "POST", headers: { "x-csrf-token": csrf } }).catch(() => { toldActive = 0; });
}
for (const name of ["keydown", "pointerdown"]) addEventListener(name, touched, { passive: true });
addEventListener("pointermove", () => { touchedAt = performance.now(); }, { passive: true });

$("tool-theme").addEventListener("click", toggleTheme);
$("tool-help").addEventListener("click", toggleHelp);
fillHelp($("help"));
showTheme();
setInterval(() => tickAges($("view-alerts"), store), 1000);
setInterval(() => tickAges($("view-details"), store), 1000);
drawCentre();
panel.draw();
queue.draw();
show();
banner.draw();
openStream(store);
