// The queue: compact cards, newest undecided first. A card keeps its element for as long as it is shown.

import { $, badge, h, say } from "./dom.js";
import { category, shortAge, VALUES } from "./words.js";

const MAX_DONE = 60;
const AIM_MS = 2000;
const JUST_MS = 15_000; // a card flashes as a whole for so long, then only its edge: twenty at once stay legible

export class Queue {
  constructor(store, outbox, { select, selected, isOpen }) {
    this.store = store;
    this.outbox = outbox;
    this.select = select;
    this.selected = selected;
    this.isOpen = isOpen; // whether a case still waits for this person's decision
    this.cards = new Map();
    this.held = new Set(); // arrived while the pointer moved over the queue: shown when it rests or leaves, so that nothing moves under it
    this.movedAt = -Infinity; // when the pointer last moved over the queue
    const scroll = $("queue-scroll");
    scroll.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse") this.movedAt = performance.now();
    });
    scroll.addEventListener("pointerleave", () => this.release());
    setInterval(() => { if (this.held.size && !this.aiming) this.release(); }, 250);
    $("queue-new").addEventListener("click", () => {
      this.release();
      scroll.scrollTop = 0;
    });
    setInterval(() => this.ages(), 1000);
  }

  /** Whether somebody is about to click in the queue; a pointer that only rests there holds nothing back. */
  get aiming() {
    return performance.now() - this.movedAt < AIM_MS;
  }

  release() {
    this.movedAt = -Infinity;
    if (this.held.size) {
      this.held.clear();
      this.draw();
    }
  }

  /** A new alert came: hold it back while somebody is about to click. */
  arrived(id) {
    if (this.aiming && !this.quietlyEmpty()) this.held.add(id);
  }

  quietlyEmpty() {
    return $("queue-open").children.length === 0;
  }

  /** The ids in the order in which they are shown. */
  order() {
    const all = this.store.newestFirst();
    const open = all.filter((kase) => this.isOpen(kase) && !this.held.has(kase.alert.id));
    const done = all.filter((kase) => !this.isOpen(kase)).slice(0, MAX_DONE);
    return { open, done };
  }

  draw() {
    const { open, done } = this.order();
    this.fill($("queue-open"), open);
    this.fill($("queue-done"), done);
    const shown = new Set([...open, ...done].map((kase) => kase.alert.id));
    for (const id of this.cards.keys()) if (!shown.has(id)) this.cards.delete(id);
    $("queue-open-empty").hidden = open.length > 0;
    const total = open.length + this.held.size;
    const more = this.store.older ? "+" : "";
    $("queue-older").hidden = !this.store.older;
    say($("queue-open-count"), `${total}${more}`);
    say($("queue-done-count"), String(this.store.newestFirst().filter((kase) => !this.isOpen(kase)).length));
    say($("count-open"), `${total}${more}`);
    $("count-open").dataset.some = total > 0;
    const button = $("queue-new");
    button.disabled = this.held.size === 0;
    say(button, this.held.size ? `${this.held.size} new ↑` : "");
  }

  fill(list, cases) {
    const scroll = $("queue-scroll");
    const anchor = scroll.scrollTop > 40 ? this.firstVisible(scroll) : null;
    const before = anchor ? anchor.getBoundingClientRect().top : 0;
    const focused = document.activeElement;
    cases.forEach((kase, i) => {
      const card = this.card(kase);
      if (list.children[i] !== card) list.insertBefore(card, list.children[i] || null);
    });
    while (list.children.length > cases.length) list.lastChild.remove();
    if (focused && focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    if (anchor && anchor.isConnected) scroll.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  firstVisible(scroll) {
    const top = scroll.getBoundingClientRect().top;
    return [...this.cards.values()].find((card) => card.isConnected && card.getBoundingClientRect().top >= top) || null;
  }

  card(kase) {
    const id = kase.alert.id;
    let card = this.cards.get(id);
    if (!card) {
      const { entry, camera } = kase.alert;
      card = h("li", { "data-id": id, "data-response": entry.response },
        h("button", { type: "button", class: "card", onclick: () => this.select(id, true) },
          h("img", { class: "card-face", src: `/api/alerts/${id}/face.jpg`, alt: "", loading: "lazy", width: 54, height: 54 }),
          h("span", { class: "card-text" },
            h("span", { class: "card-line" }, badge(entry.response), h("b", { class: "card-category" }, category(entry.category)),
              h("span", { class: "card-age", "data-at": kase.alert.captured_at })),
            h("span", { class: "card-label" }, entry.label || entry.id),
            h("span", { class: "card-line card-low" }, h("span", { class: "card-camera" }, camera),
              h("span", { class: "card-warn" }, entry.warnings.length ? `⚠ ${entry.warnings.join(", ")}` : ""),
              h("span", { class: "chip" })))));
      this.cards.set(id, card);
    }
    const open = this.isOpen(kase);
    const isNew = open && !kase.standing.taken && !kase.standing.engagement;
    const unsent = this.outbox.of(id).length > 0;
    card.classList.toggle("fresh", isNew);
    card.classList.toggle("done", !open);
    const button = card.firstChild;
    if (this.selected() === id) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    const chip = card.querySelector(".chip");
    const last = kase.decisions.find((decision) => decision.id === kase.tells_most);
    let text = "New";
    if (last) text = last.kind === "taken" ? `Taken: ${last.by}` : VALUES[last.value];
    if (unsent) text = "Not sent yet";
    say(chip, text);
    chip.dataset.value = unsent ? "unsent" : last ? last.value : "new";
    this.showAge(card);
    return card;
  }

  showAge(card) {
    const place = card.querySelector(".card-age");
    const age = this.store.ageOf(place.dataset.at);
    say(place, shortAge(age));
    card.classList.toggle("just", age < JUST_MS);
  }

  ages() {
    for (const card of this.cards.values()) this.showAge(card);
  }

  /** The neighbour of an alert in the order shown: step 1 down, -1 up. */
  neighbour(id, step) {
    const { open, done } = this.order();
    const ids = [...open, ...done].map((kase) => kase.alert.id);
    if (!ids.length) return null;
    const at = ids.indexOf(id);
    if (at < 0) return ids[0];
    return ids[Math.min(ids.length - 1, Math.max(0, at + step))];
  }

  openCount() {
    return this.order().open.length;
  }

  newestOpen() {
    const { open } = this.order();
    return open.length ? open[0].alert.id : null;
  }

  reveal(id) {
    const card = this.cards.get(id);
    if (card) card.scrollIntoView({ block: "nearest" });
  }
}
