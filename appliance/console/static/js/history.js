// History of this deployment: every alert that is still kept, with filters.

import { $, badge, h } from "./dom.js";
import { category, dateAndClock, shortLikeness, standing, VALUES } from "./words.js";

const STATE_CHOICES = [
  ["", "All"], ["undecided", "To decide"], ["match", "Match"], ["no_match", "No match"], ["cannot_tell", "Cannot tell"],
  ["passed_on", "Passed on"], ["engagement", "Engagement decided"], ["outcome", "With an outcome"],
];

export class History {
  constructor(store, go) {
    this.store = store;
    this.go = go;
    this.root = $("view-history");
    this.filters = { camera: "", category: "", state: "" };
    this.select = (name, label) => h("label", {}, h("span", {}, label),
      h("select", { name, onchange: (event) => { this.filters[name] = event.target.value; this.load(); } }));
    this.form = h("form", { class: "filters", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
      this.select("state", "State"), this.select("camera", "Camera"), this.select("category", "Category"));
    this.count = h("p", { class: "history-count", role: "status" });
    this.body = h("tbody");
    this.more = h("button", { type: "button", class: "quiet", onclick: () => this.load(true) }, "Show older ones");
    this.root.append(
      h("div", { class: "view-head" }, h("h1", { id: "history-title" }, "History"), this.form, this.count),
      h("div", { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Alerts of this deployment" },
        h("table", {},
          h("thead", {}, h("tr", {}, ...["Seen", "Response", "Category", "Label", "Camera", "Likeness", "Console", "Street", "Outcome"]
            .map((text) => h("th", { scope: "col" }, text)))),
          this.body)),
      this.more);
    let timer = 0;
    const changed = () => {
      if (this.root.hidden || this.next !== this.firstNext) return; // somebody reads on: do not pull the list away
      clearTimeout(timer);
      timer = setTimeout(() => this.load(), 300);
    };
    store.addEventListener("case", changed);
    store.addEventListener("replaced", changed);
  }

  async load(more = false) {
    const query = new URLSearchParams({ ...this.filters, before: more ? String(this.next) : "0" });
    let data;
    try {
      const answer = await fetch(`/api/history?${query}`);
      data = await answer.json();
      if (!answer.ok) throw new Error(data.error.message);
    } catch (error) {
      this.count.textContent = `The history cannot be had just now: ${error.message}`;
      return;
    }
    this.fill("state", STATE_CHOICES);
    this.fill("camera", [["", "All"], ...data.cameras.map((name) => [name, name])]);
    this.fill("category", [["", "All"], ...data.categories.map((name) => [name, category(name)])]);
    const rows = data.alerts.map((kase) => this.row(kase));
    if (more) this.body.append(...rows);
    else this.body.replaceChildren(...rows);
    this.next = data.next;
    if (!more) this.firstNext = data.next;
    this.more.hidden = !data.next;
    this.count.textContent = `${data.total.toLocaleString("en-GB")} alert${data.total === 1 ? "" : "s"}`;
  }

  fill(name, choices) {
    const select = this.form.elements[name];
    if (select.options.length === choices.length) return;
    select.replaceChildren(...choices.map(([value, text]) => h("option", { value }, text)));
    select.value = this.filters[name];
  }

  row(kase) {
    const { alert } = kase;
    const stands = standing(kase);
    const cell = (kind, none) => {
      const decision = stands[kind];
      return h("td", {}, decision ? h("span", { class: "chip", "data-value": decision.value }, VALUES[decision.value])
        : h("span", { class: "none" }, none), decision ? h("small", {}, decision.by) : null);
    };
    const href = `/alerts/${alert.id}`;
    return h("tr", { "data-id": alert.id, onclick: (event) => { if (!event.target.closest("a")) this.go(href); } },
      h("td", {}, h("a", { href, "data-route": true }, dateAndClock(alert.captured_at))),
      h("td", {}, badge(alert.entry.response)),
      h("td", {}, category(alert.entry.category)),
      h("td", {}, alert.entry.label || alert.entry.id),
      h("td", {}, alert.camera),
      h("td", {}, shortLikeness(alert)),
      cell("operator", "To decide"),
      stands.engagement ? cell("engagement", "") : cell("passed_on", "–"),
      cell("outcome", "–"));
  }
}
