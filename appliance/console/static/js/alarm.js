// Sound and flash while an alert waits for somebody to take it; a mute that ends by itself.

import { $, say } from "./dom.js";
import { countdown } from "./words.js";

const REPEAT_MS = 3000;
const MUTE_MS = 120_000;

export class Alarm {
  /** `ringing()` gives the alerts that nobody has taken. */
  constructor(ringing) {
    this.ringing = ringing;
    this.audio = null;
    this.mutedUntil = 0;
    this.lastBeep = 0;
    this.title = document.title;
    const wake = () => this.unlock();
    for (const name of ["pointerdown", "keydown"]) addEventListener(name, wake, { capture: true });
    this.unlock();
    $("tool-sound").addEventListener("click", () => this.toggle());
    setInterval(() => this.tick(), 250);
  }

  /** Browsers keep a page silent until somebody has touched it. */
  unlock() {
    this.audio ||= new (window.AudioContext || window.webkitAudioContext)();
    if (this.audio.state === "suspended") this.audio.resume().catch(() => this.show());
  }

  toggle() {
    this.mutedUntil = this.muted ? 0 : Date.now() + MUTE_MS;
    this.tick();
  }

  get muted() {
    return Date.now() < this.mutedUntil;
  }

  /** A new alert rings at once, not at the next round. */
  now() {
    this.lastBeep = 0;
    this.tick();
  }

  tick() {
    const waiting = this.ringing();
    document.body.classList.toggle("ringing", waiting.length > 0);
    const title = waiting.length ? `(${waiting.length}) NEW ALERT` : this.title;
    if (document.title !== title) document.title = title;
    this.show();
    if (!waiting.length || this.muted || Date.now() - this.lastBeep < REPEAT_MS) return;
    this.lastBeep = Date.now();
    this.beep(waiting.some((kase) => kase.alert.entry.response === "red") ? [880, 660, 880] : [660, 880]);
  }

  show() {
    const button = $("tool-sound");
    const blocked = this.audio.state !== "running";
    button.dataset.state = this.muted ? "muted" : blocked ? "blocked" : "on";
    button.setAttribute("aria-pressed", String(this.muted));
    const word = button.querySelector(".tool-word");
    if (this.muted) say(word, `Muted ${countdown(this.mutedUntil - Date.now())}`);
    else say(word, blocked ? "Sound off: click" : "Sound on");
  }

  beep(tones) {
    if (this.audio.state !== "running") return;
    tones.forEach((frequency, i) => {
      const start = this.audio.currentTime + 0.02 + i * 0.16;
      const tone = this.audio.createOscillator();
      const volume = this.audio.createGain();
      tone.frequency.value = frequency;
      tone.type = "triangle";
      volume.gain.setValueAtTime(0, start);
      volume.gain.linearRampToValueAtTime(0.35, start + 0.015);
      volume.gain.linearRampToValueAtTime(0, start + 0.13);
      tone.connect(volume).connect(this.audio.destination);
      tone.start(start);
      tone.stop(start + 0.14);
    });
  }
}
