// Everything about one alert: the pictures, every decision in order, and its export as evidence.

import { $, h, toast } from "./dom.js";
import { facts, headline, pair, scene, tickAges } from "./picture.js";
import { clock, dateAndClock, KINDS, VALUES } from "./words.js";

export class AlertDetails {
  constructor(store, me) {
    this.store = store;
    this.me = me;
    this.root = $("view-details");
    this.id = null;
    store.addEventListener("case", (event) => {
      if (event.detail.kase.alert.id === this.id && !this.root.hidden) this.draw(event.detail.kase);
    });
  }

  async open(id) {
    this.id = id;
    this.root.replaceChildren(h("p", { class: "empty" }, "Opening …"));
    try {
      const answer = await fetch(`/api/alerts/${encodeURIComponent(id)}`);
      const data = await answer.json();
      if (!answer.ok) throw new Error(data.error.message);
      if (this.id === id) this.draw(data);
    } catch (error) {
      this.root.replaceChildren(h("p", { class: "empty" }, error.message));
    }
  }

  draw(kase) {
    const { alert } = kase;
    const shown = this.root.querySelector(".details-looks");
    const looks = shown && shown.dataset.id === alert.id ? shown
      : h("div", { class: "details-looks centre", "data-id": alert.id }, headline(kase), pair(kase),
        h("div", { class: "below" }, scene(kase), facts(kase)));
    const undone = new Set(kase.undone);
    const line = (at, who, what, ...rest) => h("li", {}, h("time", { datetime: at }, clock(at)),
      h("div", {}, h("b", {}, what), who ? h("span", {}, ` ${who}`) : null, ...rest));
    const steps = kase.decisions.map((decision) => {
      const taken = decision.seconds_taken === null ? "" : `, ${decision.seconds_taken.toFixed(1)} s after seeing it`;
      const back = kase.decisions.find((other) => other.id === decision.undoes);
      const what = back ? `Took back “${VALUES[back.value]}”` : KINDS[decision.kind] === VALUES[decision.value] ? VALUES[decision.value]
        : `${KINDS[decision.kind]}: ${VALUES[decision.value]}`;
      const item = line(decision.at, `by ${decision.by} (${decision.role || "role unknown"})${taken}`, what,
        decision.reason ? h("p", {}, decision.reason) : null, decision.note ? h("p", {}, `“${decision.note}”`) : null);
      item.classList.toggle("undone", undone.has(decision.id));
      if (undone.has(decision.id)) item.append(h("span", { class: "chip" }, "taken back"));
      return item;
    });
    const row = (term, what) => h("div", {}, h("dt", {}, term), h("dd", {}, what));
    this.root.replaceChildren(
      h("div", { class: "view-head" }, h("h1", {}, "Details of an alert"),
        h("a", { class: "quiet", href: "/history", "data-route": true }, "All alerts"),
        this.me.permissions.has("export")
          ? h("button", { type: "button", class: "primary", id: "export", onclick: () => this.export(alert.id) }, "Export as evidence")
          : null),
      h("div", { class: "details-body" }, looks,
        h("div", { class: "details-side" },
          h("h2", {}, "What happened"),
          h("ol", { class: "timeline" },
            line(alert.track.first_seen, "", "In view of the camera", ` ${alert.camera}`),
            line(alert.captured_at, "", "Seen well enough to compare"),
            alert.published_at ? line(alert.published_at, "", "Alert shown") : null, ...steps),
          h("h2", {}, "What it rests on"),
          h("dl", { class: "rests" }, row("Alert", alert.id), row("Deployment", alert.deployment),
            row("Published", alert.published_at ? dateAndClock(alert.published_at) : "–"), row("Detector", alert.models.detector),
            row("Recogniser", alert.models.embedder), row("Watchlist", alert.watchlist || "–"),
            row("Score, threshold", `${alert.score.toFixed(3)}, ${alert.threshold.toFixed(3)} (cosine, no probability)`)),
          h("p", { id: "export-hash", class: "hash", role: "status" }))));
    tickAges(this.root, this.store);
  }

  async export(id) {
    const button = $("export");
    button.disabled = true;
    try {
      const answer = await fetch(`/api/alerts/${encodeURIComponent(id)}/export`, {
        method: "POST", headers: { "x-csrf-token": this.me.csrf },
      });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      const url = URL.createObjectURL(await answer.blob());
      const link = h("a", { href: url, download: `alert-${id}.zip` });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(url), 30_000);
      $("export-hash").textContent = `Exported. SHA-256 of the file: ${answer.headers.get("x-evidence-sha256")}`;
    } catch (error) {
      toast(`Not exported: ${error.message}`, "bad");
    }
    button.disabled = false;
  }
}
