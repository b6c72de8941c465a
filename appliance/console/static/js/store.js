// What this page knows. Only the stream writes into it.

export class Store extends EventTarget {
  constructor() {
    super();
    this.cases = new Map(); // alert id → case, as the console sends it
    this.position = ""; // epoch:seq of the newest event taken in
    this.status = null;
    this.link = null; // page ↔ console ↔ hub
    this.connected = false;
    this.everConnected = false;
    this.resting = false; // too many pages of this browser are open, and this one was the oldest
    this.lastHeard = 0; // performance.now() of the last sign of life from the console
    this.offset = 0; // the console's clock minus this one, ms
    this.sessionLeft = Infinity;
    this.sessionCanLast = true; // whether using the page puts that end off
    this.older = false; // whether some that wait are too old to be here: history has them
    this.seenAt = new Map(); // alert id → performance.now() when this page first showed it
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** Milliseconds since the epoch on the console's clock. */
  now() {
    return Date.now() + this.offset;
  }

  replaceAll(snapshot) {
    const before = this.cases;
    this.cases = new Map();
    for (const kase of snapshot.alerts) this.cases.set(kase.alert.id, kase);
    this.older = snapshot.older > 0;
    if (snapshot.status) this.status = snapshot.status;
    this.emit("replaced", { fresh: [...this.cases.keys()].filter((id) => !before.has(id)), first: before.size === 0 });
    this.emit("status");
  }

  upsert(kase) {
    const old = this.cases.get(kase.alert.id);
    if (old && old.changed >= kase.changed) return; // seen already
    this.cases.set(kase.alert.id, kase);
    this.trim();
    this.emit("case", { kase, old });
  }

  /** A page that is open all day stays small: the oldest decided ones leave it, history keeps them. */
  trim() {
    if (this.cases.size <= 600) return;
    for (const [id, kase] of this.cases) {
      if (kase.state !== "undecided" || this.cases.size > 1000) {
        if (kase.state === "undecided") this.older = true;
        this.cases.delete(id);
        this.seenAt.delete(id);
        this.emit("gone", { id });
        if (this.cases.size <= 550) return;
      }
    }
  }

  remove(id) {
    if (this.cases.delete(id)) this.emit("gone", { id });
  }

  /** Newest first. */
  newestFirst() {
    return [...this.cases.values()].sort((a, b) => b.alert.seq - a.alert.seq);
  }

  /** How long ago something on the console's clock was, ms. */
  ageOf(iso) {
    return this.now() - Date.parse(iso);
  }
}
