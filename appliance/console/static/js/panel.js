// The decision panel: what may be decided now, with which key; nothing is chosen beforehand, nothing decides by itself.

import { $, h, say } from "./dom.js";
import { clock, KINDS, OUTCOMES, REASONS, standing, VALUES } from "./words.js";

const waitingText = (count) => (count ? `${count} to decide` : "none waits");
const key = (name) => h("kbd", { "aria-hidden": "true" }, name);

export class Panel {
  constructor(store, outbox, me, { selected, next, waiting }) {
    this.store = store;
    this.outbox = outbox;
    this.me = me;
    this.selected = selected;
    this.next = next;
    this.waiting = waiting; // how many others wait for this person
    this.chosen = null; // {kind, value} that waits for its reason; the page never chooses by itself
    this.message = "";
    this.root = $("panel");
    this.root.addEventListener("click", (event) => { // a double click is one answer: its second half would fall on a reason
      if (event.detail < 2) return;
      event.preventDefault();
      event.stopPropagation();
    }, { capture: true });
  }

  get kase() {
    return this.store.cases.get(this.selected());
  }

  may(permission) {
    return this.me.permissions.has(permission);
  }

  /** Another alert is looked at: what was half decided on the one before is dropped. */
  reset() {
    this.chosen = null;
    this.message = "";
    this.draw();
  }

  // what can be done now

  busy(kind) {
    return this.outbox.of(this.kase.alert.id).some((item) => item.body.kind === kind);
  }

  can(kind) {
    const kase = this.kase;
    return Boolean(kase) && this.may(kind) && !kase.standing[kind] && !this.busy(kind);
  }

  undoable() {
    const kase = this.kase;
    if (!kase || this.busy("undo")) return null;
    const stands = Object.values(standing(kase)).filter((decision) =>
      this.may("undo_any") || (decision.by === this.me.name && this.may(decision.kind)));
    return stands.sort((a, b) => b.seq - a.seq)[0] || null;
  }

  choose(kind, value = null) {
    if (!this.can(kind)) return;
    this.chosen = { kind, value };
    this.message = "";
    this.draw();
    this.root.querySelector(".choice h2")?.focus();
  }

  dropChoice() {
    if (!this.chosen) return false;
    this.chosen = null;
    this.draw();
    return true;
  }

  send(kind, value, { reason = "", note = "", undoes = null } = {}) {
    const seen = this.store.seenAt.get(this.selected());
    const seconds = seen === undefined ? null : Math.round(performance.now() - seen) / 1000;
    this.chosen = null;
    this.message = "";
    this.outbox.decide(this.selected(), { kind, value, reason, note, undoes, seconds });
    this.draw();
    if (document.activeElement === document.body) this.root.querySelector("h2")?.focus({ preventScroll: true });
  }

  /** Record the choice, with the reason and note given so far. */
  confirm(reason = "") {
    if (!this.chosen || !this.chosen.value) return false;
    const note = this.root.querySelector("#note")?.value.trim() || "";
    this.send(this.chosen.kind, this.chosen.value, { reason, note });
    return true;
  }

  digit(n) {
    if (!this.chosen) return false;
    if (this.chosen.kind === "outcome" && !this.chosen.value) {
      if (OUTCOMES[n - 1]) this.send("outcome", OUTCOMES[n - 1], { note: this.root.querySelector("#note")?.value.trim() || "" });
      return true;
    }
    const reason = (REASONS[this.chosen.value] || [])[n - 1];
    if (!reason) return true;
    if (n === 6 && !this.root.querySelector("#note").value.trim()) {
      this.root.querySelector("#note").focus(); // "other" says nothing without its note
      return true;
    }
    this.confirm(reason);
    return true;
  }

  undo() {
    const decision = this.undoable();
    if (decision) this.send("undo", "undo", { undoes: decision.id });
  }

  /** A key outside every field; true when it meant something here. */
  pressed(name, shift) {
    if (!this.kase) return false;
    const answers = { m: "match", n: "no_match", c: "cannot_tell" };
    if (/^[1-6]$/.test(name)) return this.digit(Number(name));
    if (name === "enter") return this.confirm();
    if (name === "escape") return this.dropChoice();
    if (name === "t") return this.can("taken") && (this.send("taken", "taken"), true);
    if (answers[name]) {
      if (!this.can("operator")) return false;
      if (shift) this.send("operator", answers[name]);
      else this.choose("operator", answers[name]);
      return true;
    }
    if (name === "p") return this.canPass() && (this.send("passed_on", "passed_on"), true);
    if (name === "e") return this.can("engagement") && (this.choose("engagement", "engage"), true);
    if (name === "d") return this.can("engagement") && (this.choose("engagement", "do_not_engage"), true);
    if (name === "o") return this.can("outcome") && (this.choose("outcome"), true);
    if (name === "u") return Boolean(this.undoable()) && (this.undo(), true);
    if (name === "/" && this.chosen) {
      this.root.querySelector("#note").focus();
      return true;
    }
    return false;
  }

  canPass() {
    if (!this.can("passed_on")) return false;
    const unsent = this.outbox.of(this.kase.alert.id).find((item) => item.body.kind === "operator");
    return (standing(this.kase).operator?.value || unsent?.body.value) !== "no_match";
  }

  // how it looks

  draw() {
    const kase = this.kase;
    const focused = this.root.contains(document.activeElement) ? document.activeElement.dataset.key || "title" : null;
    const note = this.root.querySelector("#note");
    const written = note ? { text: note.value, focus: document.activeElement === note } : null;
    this.root.replaceChildren(...(kase ? this.chosen ? [this.reasonsFor()] : this.stages(kase) : [this.nothing()]));
    const now = !kase || this.chosen ? "" : this.can("engagement") && kase.standing.passed_on ? "engagement" : this.can("operator") ? "operator" : "";
    if (now) this.root.dataset.now = now; // on a phone these answers stay under the thumb
    else delete this.root.dataset.now;
    const fresh = this.root.querySelector("#note");
    if (written && fresh) {
      fresh.value = written.text;
      if (written.focus) fresh.focus();
    } else if (focused) {
      (this.root.querySelector(`[data-key="${focused}"]`) || this.root.querySelector("h2"))?.focus({ preventScroll: true });
    }
  }

  nothing() {
    return h("p", { class: "panel-idle" }, "Decisions appear here with the alert.");
  }

  reasonsFor() {
    const { kind, value } = this.chosen;
    const outcome = kind === "outcome" && !value;
    const title = outcome ? "What came of it?" : `${VALUES[value]} – why?`;
    const choices = outcome ? OUTCOMES.map((name) => VALUES[name]) : REASONS[value];
    return h("section", { class: "choice", "data-value": value || kind },
      h("h2", { tabindex: "-1" }, title),
      h("ol", { class: "reasons" }, choices.map((text, i) => h("li", {},
        h("button", { type: "button", class: "reason", "data-key": `reason-${i}`, onclick: () => this.digit(i + 1) },
          key(String(i + 1)), h("span", {}, text))))),
      h("label", { for: "note" }, "Note ", key("/")),
      h("textarea", {
        id: "note", rows: 2, maxlength: 1000,
        onkeydown: (event) => {
          if (event.key === "Enter" && !event.shiftKey && !outcome) {
            event.preventDefault();
            this.confirm(event.target.value.trim() ? REASONS[value][5] : "");
          } else if (event.key === "Escape") {
            event.stopPropagation();
            event.target.blur();
          }
        },
      }),
      h("div", { class: "choice-end" },
        outcome ? null : h("button", { type: "button", class: "primary", "data-key": "record", onclick: () => this.confirm() },
          key("Enter"), h("span", {}, `Record “${VALUES[value]}”`)),
        h("button", { type: "button", class: "quiet", "data-key": "back", onclick: () => this.dropChoice() }, key("Esc"), h("span", {}, "Back"))));
  }

  stages(kase) {
    const stands = standing(kase);
    const unsent = this.outbox.of(kase.alert.id);
    const undo = this.undoable();
    const out = [];
    if (this.message) out.push(h("p", { class: "panel-message", role: "alert" }, this.message));
    for (const item of unsent) {
      if (item.tries > 1 || item.problem) {
        out.push(h("p", { class: "panel-unsent", role: "status" },
          h("b", {}, `${VALUES[item.body.value]}: not sent yet.`), ` Trying again${item.problem ? ` (${item.problem})` : ""}. Nothing needs to be pressed twice.`));
      }
    }
    out.push(this.consoleStage(stands), this.streetStage(stands), this.outcomeStage(stands));
    out.push(h("div", { class: "panel-end" },
      this.may("operator") && stands.operator ? this.nextButton() : null,
      h("button", { type: "button", class: "quiet", "data-key": "undo", disabled: !undo, onclick: () => this.undo() }, key("U"),
        h("span", {}, undo ? `Undo “${VALUES[undo.value]}”${undo.by === this.me.name ? "" : ` by ${undo.by}`}` : "Undo")),
      this.may("history") ? h("a", { class: "quiet", href: `/alerts/${kase.alert.id}`, "data-route": true }, h("span", {}, "All details")) : null));
    return out;
  }

  nextButton() {
    const count = this.waiting();
    return h("button", { type: "button", class: "next", "data-key": "next", onclick: () => this.next(), disabled: !count }, key("G"),
      h("span", {}, "Next alert"), h("small", {}, waitingText(count)));
  }

  /** Another alert came or went: said in place, so that nothing is replaced under a finger. */
  tellWaiting() {
    const button = this.root.querySelector("[data-key=next]");
    if (!button) return;
    const count = this.waiting();
    button.disabled = !count;
    say(button.querySelector("small"), waitingText(count));
  }

  /** What stands, in words: "No match · anna · 10:31:12 · 4.2 s", and its reason. */
  stands(decision) {
    const facts = [decision.by, clock(decision.at)];
    if (decision.seconds_taken !== null && decision.kind !== "taken") facts.push(`${decision.seconds_taken.toFixed(1)} s`);
    return h("div", { class: "stands", "data-value": decision.value },
      h("b", {}, VALUES[decision.value]), h("span", {}, facts.join(" · ")),
      decision.reason ? h("span", { class: "stands-reason" }, decision.reason) : null,
      decision.note ? h("span", { class: "stands-reason" }, `“${decision.note}”`) : null);
  }

  button(name, letter, text, className, onclick, disabled, hint = "") {
    return h("button", { type: "button", class: className, "data-key": name, onclick, disabled, "aria-keyshortcuts": letter },
      key(letter), h("span", {}, text), hint ? h("small", {}, hint) : null);
  }

  waits(kind, text) {
    const item = this.outbox.of(this.kase.alert.id).find((one) => one.body.kind === kind);
    return h("p", { class: "waits" }, item ? `${VALUES[item.body.value]}: sending …` : text);
  }

  stage(kind, title, ...children) {
    return h("section", { class: "stage", "data-kind": kind }, h("h2", { tabindex: "-1" }, title), ...children);
  }

  consoleStage(stands) {
    const parts = [];
    if (stands.taken) parts.push(this.stands(stands.taken));
    else if (this.may("taken") && !stands.operator) {
      parts.push(this.button("take", "T", "Take it", "take", () => this.send("taken", "taken"), !this.can("taken"), "stops the sound"));
    }
    if (stands.operator) parts.push(this.stands(stands.operator));
    else if (this.may("operator")) {
      const off = !this.can("operator");
      parts.push(h("div", { class: "answers" },
        this.button("match", "M", "Match", "answer answer-match", () => this.choose("operator", "match"), off),
        this.button("no_match", "N", "No match", "answer answer-no", () => this.choose("operator", "no_match"), off),
        this.button("cannot_tell", "C", "Cannot tell", "answer answer-unsure", () => this.choose("operator", "cannot_tell"), off)));
      parts.push(this.busy("operator") ? this.waits("operator", "")
        : h("p", { class: "waits" }, key("⇧"), " with the letter records at once, without a reason"));
    } else parts.push(this.waits("operator", "The console has not decided yet."));
    return this.stage("operator", "Same person?", ...parts);
  }

  streetStage(stands) {
    const parts = [];
    if (stands.passed_on) parts.push(this.stands(stands.passed_on));
    else if (this.may("passed_on")) {
      parts.push(this.button("pass", "P", "Pass on to the street", "wide", () => this.send("passed_on", "passed_on"), !this.canPass()));
    } else if (!stands.engagement) parts.push(this.waits("passed_on", "Not passed on."));
    if (stands.engagement) parts.push(this.stands(stands.engagement));
    else if (this.may("engagement")) {
      const off = !this.can("engagement");
      parts.push(h("div", { class: "answers answers-two" },
        this.button("engage", "E", "Engage", "answer answer-match", () => this.choose("engagement", "engage"), off),
        this.button("do_not", "D", "Do not engage", "answer answer-no", () => this.choose("engagement", "do_not_engage"), off)));
    } else if (stands.passed_on) parts.push(this.waits("engagement", "The engagement officer has not decided yet."));
    return this.stage("engagement", "Engagement officer", ...parts);
  }

  outcomeStage(stands) {
    const parts = [];
    if (stands.outcome) parts.push(this.stands(stands.outcome));
    else if (this.may("outcome")) {
      parts.push(this.button("outcome", "O", "Record the outcome", "wide", () => this.choose("outcome"), !this.can("outcome")));
    } else parts.push(this.waits("outcome", "No outcome yet."));
    return this.stage("outcome", KINDS.outcome, ...parts);
  }
}
