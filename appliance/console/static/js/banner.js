// The line below the header: always there, so that nothing moves when something is wrong.

import { $, say } from "./dom.js";
import { age, clock, countdown } from "./words.js";

const CONNECTING_MS = 3000;
const CLOSING_MS = 15 * 60 * 1000;
const SETTLED = new Set(["live", "ended", "stopped"]); // camera states with nothing to wait for

const old = (ms) => (ms < 1000 ? "less than a second old" : `${age(ms)} old`);

/** Everything that is not as it should be, worst first: [{level, text}]. */
export function problems(store) {
  const found = [];
  const { status, link } = store;
  if (!store.connected && !store.everConnected && performance.now() < CONNECTING_MS) return found; // a page that is just opening
  if (!store.connected) {
    const silent = link?.heard_at ? store.ageOf(link.heard_at) : performance.now() - store.lastHeard;
    const heard = store.everConnected ? ` What you see is ${old(silent)}.` : "";
    found.push({ level: "bad", text: store.resting
      ? `This browser has too many pages open: this one shows nothing new until you use it.${heard}`
      : `No connection to the console.${heard} Trying again by itself.` });
    return found;
  }
  if (link && link.hub === "lost") {
    const since = link.heard_at ? ` What you see is ${old(store.ageOf(link.heard_at))} (${clock(link.heard_at)}).` : "";
    found.push({ level: "bad", text: `The console hears nothing from the appliance.${since} It catches up by itself.` });
  }
  if (link && link.acts_waiting > 50) {
    found.push({ level: "warn", text: `${link.acts_waiting} views and sign-ins wait for the audit record.` });
  }
  if (store.sessionLeft < 300) {
    const stay = store.sessionCanLast ? "Press any key to stay." : "Your hours are over: sign out and in again before that.";
    found.push({ level: "warn", text: `You will be signed out in ${countdown(store.sessionLeft * 1000)}. ${stay}` });
  }
  if (status) {
    for (const item of status.degraded) {
      found.push({ level: item.severity === "critical" ? "bad" : "warn", text: item.text });
    }
    for (const camera of status.cameras) { // restarted within a few seconds: no degradation yet, and yet it sees nobody
      const told = status.degraded.some((item) => item.code === "camera" && item.camera === camera.name);
      if (status.phase === "running" && !SETTLED.has(camera.state) && !told) {
        found.push({ level: "warn", text: `Camera ${camera.name} sees nobody yet: it is ${camera.state}.` });
      }
    }
    const left = status.ends ? Date.parse(status.ends) - store.now() : Infinity;
    if (status.phase === "running" && left < CLOSING_MS && !status.degraded.some((item) => item.code === "window")) {
      found.push({ level: "warn", text: `The deployment ends in ${countdown(left)}, at ${clock(status.ends)}.` });
    }
    if (status.phase === "waiting") found.push({ level: "warn", text: "The deployment has not started: no camera recognises anybody." });
    if (status.phase === "ended") found.push({ level: "warn", text: "The deployment has ended: no camera recognises anybody." });
    if (status.phase === "purged") found.push({ level: "warn", text: "The deployment's alerts have been deleted." });
  }
  return found.sort((a, b) => (a.level === b.level ? 0 : a.level === "bad" ? -1 : 1));
}

export class Banner {
  constructor(store) {
    this.store = store;
    this.all = false;
    $("banner-more").addEventListener("click", () => { this.all = !this.all; this.draw(); });
    for (const name of ["status", "link", "connected"]) store.addEventListener(name, () => this.draw());
    setInterval(() => this.draw(), 1000);
  }

  draw() {
    const banner = $("banner");
    const found = problems(this.store);
    const more = $("banner-more");
    if (!found.length) {
      banner.dataset.level = this.store.status ? "good" : "wait";
      this.all = false;
      more.hidden = true;
      const waiting = this.store.connected ? "Waiting for the appliance …" : "Connecting …";
      say($("banner-text"), this.store.status ? "Everything works." : waiting);
    } else {
      banner.dataset.level = found[0].level;
      more.hidden = found.length < 2;
      say($("banner-text"), this.all ? found.map((item) => item.text).join("  •  ") : found[0].text);
      say(more, this.all ? "Less" : `and ${found.length - 1} more`);
    }
    banner.classList.toggle("all", this.all);
    this.vitals();
  }

  vitals() {
    const { status } = this.store;
    if (!status) return;
    const live = status.cameras.filter((camera) => camera.state === "live").length;
    $("vital-cameras-box").hidden = status.cameras.length === 0;
    say($("vital-cameras"), `${live} of ${status.cameras.length}`);
    $("vital-cameras").dataset.level = live < status.cameras.length ? "bad" : "good";
    say($("vital-people"), status.people_seen.toLocaleString("en-GB"));
    say($("vital-alerts"), status.alerts.toLocaleString("en-GB"));
    const left = status.ends ? Date.parse(status.ends) - this.store.now() : NaN;
    say($("vital-left"), Number.isNaN(left) ? "–" : left > 0 ? countdown(left) : "ended");
    $("vital-left").dataset.level = left < CLOSING_MS ? "bad" : "good";
    if (status.location) say($("where-location"), status.location);
  }
}
