// Decisions on their way. Each has its identifier from the start, so that a retry after a dropout is the same decision.

const KEY = "lfr-not-sent";
const FINAL = new Set([400, 403, 404, 409, 413, 415]);

export class Outbox extends EventTarget {
  constructor(user, csrf) {
    super();
    this.user = user;
    this.csrf = csrf;
    this.pending = new Map(); // decision id → {alertId, body, pressedAt, tries, problem}
    this.timer = 0;
    this.sending = false;
    this.restore();
    addEventListener("online", () => this.pump());
  }

  /** The decisions of an alert that the console has not yet confirmed. */
  of(alertId) {
    return [...this.pending.values()].filter((item) => item.alertId === alertId);
  }

  /** Send a decision; what became of it is told by the events "sent" and "refused". */
  decide(alertId, { kind, value, reason = "", note = "", seconds = null, undoes = null }) {
    if (this.of(alertId).some((item) => item.body.kind === kind)) return; // a second press while the first is on its way
    const id = crypto.randomUUID ? crypto.randomUUID() : makeId();
    this.pending.set(id, {
      id, alertId, pressedAt: Date.now(), tries: 0, problem: "",
      body: { id, kind, value, reason, note, seconds_taken: seconds, undoes },
    });
    this.keep();
    this.changed();
    this.pump();
  }

  changed() {
    this.dispatchEvent(new Event("changed"));
  }

  async pump() {
    if (this.sending) return;
    this.sending = true;
    clearTimeout(this.timer);
    let again = 0;
    for (const item of [...this.pending.values()]) {
      item.tries += 1;
      const outcome = await this.send(item);
      if (outcome === "retry") again = Math.max(again, Math.min(500 * 1.6 ** Math.min(item.tries, 6), 5000));
      else this.pending.delete(item.id);
      this.keep();
      this.changed();
    }
    this.sending = false;
    if (again) this.timer = setTimeout(() => this.pump(), again);
    else if (this.pending.size) this.pump();
  }

  async send(item) {
    const body = { ...item.body, age_ms: Math.max(0, Date.now() - item.pressedAt) };
    let answer;
    try {
      answer = await fetch(`/api/alerts/${encodeURIComponent(item.alertId)}/decisions`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrf-token": this.csrf },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(8000),
      });
    } catch {
      item.problem = "no connection";
      return "retry";
    }
    if (answer.ok) {
      this.tell("sent", item, await answer.json().catch(() => null));
      return "done";
    }
    const error = (await answer.json().catch(() => ({}))).error || { code: "failed", message: "The console failed." };
    if (FINAL.has(answer.status)) {
      this.tell("refused", item, error);
      return "done";
    }
    item.problem = answer.status === 401 ? "signed out" : error.message;
    if (answer.status === 401) this.dispatchEvent(new Event("signedout"));
    return "retry";
  }

  tell(name, item, answer) {
    this.dispatchEvent(new CustomEvent(name, { detail: { item, answer } }));
  }

  /** A phone may throw the page away while it waits: what was not sent survives that, for the same person. */
  keep() {
    try {
      if (this.pending.size) {
        sessionStorage.setItem(KEY, JSON.stringify({ user: this.user, items: [...this.pending.values()] }));
      } else {
        sessionStorage.removeItem(KEY);
      }
    } catch {
      this.unkept = true; // storage is forbidden: it lives as long as the page
    }
  }

  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEY) || "null");
      if (kept && kept.user === this.user) {
        for (const item of kept.items) {
          if (Date.now() - item.pressedAt < 3_500_000) this.pending.set(item.id, item);
        }
      }
    } catch {
      this.unkept = true;
    }
    if (this.pending.size) setTimeout(() => this.pump(), 500);
  }
}

function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}
