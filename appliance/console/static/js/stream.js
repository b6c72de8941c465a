// The one connection to the console: server-sent events, taken up again where they broke off.

const SILENT_MS = 4000;
const ANSWER_MS = 4000;
const FRESH_AFTER_MS = 10 * 60 * 1000;

export function openStream(store) {
  let source = null;
  let wait = 400;
  let timer = 0;
  let lostAt = 0;
  let aliveAt = 0; // when this connection was begun, or last heard

  const listen = (name, handler) =>
    source.addEventListener(name, (event) => {
      store.lastHeard = aliveAt = performance.now();
      handler(event.data ? JSON.parse(event.data) : {}, event);
    });

  const keep = (event) => {
    if (event.lastEventId) store.position = event.lastEventId;
  };

  function connect() {
    clearTimeout(timer);
    if (source) source.close();
    // After a long absence what was deleted meanwhile must leave the page too: start from a snapshot.
    if (lostAt && performance.now() - lostAt > FRESH_AFTER_MS) store.position = "";
    source = new EventSource(`/api/stream?previews=1&after=${encodeURIComponent(store.position)}`);
    aliveAt = performance.now();
    listen("snapshot", (data, event) => {
      keep(event);
      store.replaceAll(data);
    });
    listen("alert", (data, event) => {
      keep(event);
      store.upsert(data);
    });
    listen("gone", (data, event) => {
      keep(event);
      store.remove(data.id);
    });
    listen("status", (data) => {
      store.status = data;
      store.emit("status");
    });
    listen("beat", (data) => {
      wait = 400;
      lostAt = 0;
      store.offset = Date.parse(data.now) - Date.now();
      store.sessionLeft = data.session_s;
      store.sessionCanLast = data.session_can_last;
      store.link = data;
      if (!store.connected) {
        store.connected = true;
        store.everConnected = true;
        store.emit("connected");
      }
      store.emit("link");
    });
    listen("preview", (data) => store.emit("preview", data));
    listen("busy", (data) => store.emit("busy", data));
    listen("signedout", (data) => {
      source.close();
      store.emit("signedout", data);
    });
    listen("displaced", () => rest());
    listen("closing", () => lost());
    source.onerror = () => lost();
  }

  /** Too many pages of this browser are open: this one rests until somebody looks at it or uses it. */
  function rest() {
    source.close();
    clearTimeout(timer);
    store.resting = true;
    store.connected = false;
    lostAt = performance.now();
    store.emit("link");
  }

  function resume() {
    if (!store.resting || document.hidden) return;
    store.resting = false;
    connect();
  }

  async function lost() {
    source.close();
    clearTimeout(timer);
    if (!lostAt) lostAt = performance.now();
    if (store.connected) {
      store.connected = false;
      store.emit("link");
    }
    try {
      const answer = await fetch("/api/session", { signal: AbortSignal.timeout(ANSWER_MS) });
      if (answer.status === 401) {
        store.emit("signedout", { message: "You have been signed out." });
        return;
      }
    } catch {
      store.emit("link"); // no answer: the console cannot be reached, the banner says so
    }
    timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
    wait = Math.min(wait * 1.7, 5000);
  }

  setInterval(() => {
    if (source.readyState !== EventSource.CLOSED && performance.now() - aliveAt > SILENT_MS) lost();
  }, 1000);
  addEventListener("offline", () => lost());
  addEventListener("online", () => { wait = 400; if (!store.resting) connect(); });
  document.addEventListener("visibilitychange", resume);
  for (const name of ["keydown", "pointerdown", "focus"]) addEventListener(name, resume);
  connect();
}
