// The live view: what each camera sees, redacted, and how it is.

import { $, h, say } from "./dom.js";
import { age, clock } from "./words.js";

const STATES = {
  starting: "Starting", live: "Live", reconnecting: "Reconnecting", stalled: "Stalled", ended: "Ended",
  stopped: "Stopped", failed: "Failed",
};
const STALE_MS = 3000;

export class Live {
  constructor(store) {
    this.store = store;
    this.tiles = new Map();
    this.newest = new Map(); // camera → preview header
    this.root = $("view-live");
    this.grid = h("div", { class: "tiles" });
    this.empty = h("p", { class: "empty" }, "No camera has reported yet.");
    this.root.append(
      h("div", { class: "view-head" }, h("h1", { id: "live-title" }, "Live"),
        h("p", {}, "Faces are blurred before a picture leaves the camera’s process.")),
      this.empty, this.grid);
    store.addEventListener("preview", (event) => {
      this.newest.set(event.detail.camera, { ...event.detail, got: performance.now() });
      this.refresh(event.detail.camera);
    });
    store.addEventListener("status", () => this.draw());
    store.addEventListener("link", () => this.draw());
    setInterval(() => this.draw(), 1000);
  }

  get shown() {
    return !this.root.hidden;
  }

  tile(name) {
    let tile = this.tiles.get(name);
    if (!tile) {
      const image = h("img", { alt: `What camera ${name} sees, every face blurred`, width: 640, height: 360 });
      const state = h("b", { class: "tile-state" });
      const people = h("span", {});
      const alerts = h("span", {});
      const stamp = h("span", { class: "tile-stamp" });
      const detail = h("p", { class: "tile-detail" });
      const root = h("article", { class: "tile", "aria-label": `Camera ${name}` },
        h("header", {}, h("h2", {}, name), state),
        h("div", { class: "tile-picture" }, image, stamp),
        h("footer", {}, people, alerts), detail);
      tile = { root, image, state, people, alerts, stamp, detail, asked: 0, busy: false };
      image.addEventListener("load", () => { tile.busy = false; tile.root.dataset.picture = "true"; this.stamp(name); this.refresh(name); });
      image.addEventListener("error", () => { tile.busy = false; });
      this.tiles.set(name, tile);
      this.grid.append(root);
    }
    return tile;
  }

  /** Ask for a camera's newest picture, one at a time, only while somebody looks. */
  refresh(name) {
    const newest = this.newest.get(name);
    if (!this.shown || document.hidden || !newest) return;
    const tile = this.tile(name);
    if (tile.busy || tile.asked === newest.n) return;
    tile.busy = true;
    tile.asked = newest.n;
    tile.image.src = `/api/cameras/${encodeURIComponent(name)}/preview.jpg?n=${newest.n}`;
  }

  draw() {
    if (!this.shown) return;
    const { status } = this.store;
    const cameras = status ? status.cameras : [];
    this.empty.hidden = cameras.length > 0;
    const connected = this.store.connected && this.store.link?.hub === "connected";
    const names = new Set(cameras.map((camera) => camera.name));
    for (const [name, tile] of this.tiles) {
      if (!names.has(name)) { tile.root.remove(); this.tiles.delete(name); }
    }
    for (const camera of cameras) {
      const tile = this.tile(camera.name);
      const stale = camera.state === "live" && (!connected || (camera.last_frame_age_s ?? 0) * 1000 > STALE_MS);
      const level = !connected || stale ? "stale" : camera.state;
      tile.root.dataset.state = level;
      const lasted = this.store.ageOf(camera.since);
      let word = STATES[camera.state] || camera.state;
      if (!connected) word = "Not known";
      else if (stale) word = "Stale";
      else if (camera.state !== "live" && lasted >= 1000) word += ` for ${age(lasted)}`;
      say(tile.state, word);
      say(tile.people, `${camera.people_seen.toLocaleString("en-GB")} people seen`);
      say(tile.alerts, `${camera.alerts} alert${camera.alerts === 1 ? "" : "s"}`);
      say(tile.detail, camera.detail || (camera.state === "live" ? `${camera.fps.toFixed(0)} pictures a second since ${clock(camera.since)}` : ""));
      this.stamp(camera.name);
      this.refresh(camera.name);
    }
  }

  /** How old the picture is, also said the moment that the first one is there. */
  stamp(name) {
    const tile = this.tiles.get(name);
    if (!tile) return; // the camera has left
    const newest = this.newest.get(name);
    const old = newest ? this.store.ageOf(newest.at) : Infinity;
    if (!newest) say(tile.stamp, "No picture yet");
    else say(tile.stamp, old < STALE_MS ? clock(newest.at) : `Picture is ${age(old)} old`);
    tile.root.classList.toggle("old", old >= STALE_MS);
  }
}
