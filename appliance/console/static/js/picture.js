// One alert as people look at it: the headline, both pictures, the scene, the facts.

import { badge, h, say } from "./dom.js";
import { age, category, clock, dateAndClock, distance, strength } from "./words.js";

/** A picture that says so when it cannot be shown, and tries again while the hub is away. */
function picture(src, alt, className) {
  const image = h("img", { src, alt, class: className, decoding: "async" });
  let tries = 0;
  const frame = h("div", { class: `frame ${className}-frame` }, image);
  image.addEventListener("load", () => {
    frame.querySelector(".frame-problem")?.remove();
    frame.dataset.loaded = "true";
  });
  image.addEventListener("error", () => {
    if (!image.isConnected) return;
    tries += 1;
    if (!frame.querySelector(".frame-problem")) {
      frame.append(h("p", { class: "frame-problem" }, "The picture cannot be had just now. Trying again …"));
    }
    setTimeout(() => { if (image.isConnected) image.src = `${src}?try=${tries}`; }, Math.min(800 * tries, 5000));
  });
  return frame;
}

export function headline(kase) {
  const { entry } = kase.alert;
  return h("header", { class: "headline", "data-response": entry.response },
    badge(entry.response, true),
    h("div", { class: "headline-what" },
      h("h2", { class: "headline-category", tabindex: "-1" }, category(entry.category)),
      h("p", { class: "headline-label" }, entry.label || entry.id)),
    entry.warnings.length
      ? h("ul", { class: "warnings", "aria-label": "Warning markers" }, entry.warnings.map((text) =>
        h("li", {}, h("span", { "aria-hidden": "true" }, "⚠ "), text)))
      : h("p", { class: "warnings-none" }, "No warning markers"),
    h("p", { class: "headline-age" }, h("span", {}, "Seen"),
      h("b", { class: "age", "data-at": kase.alert.captured_at }, "–")));
}

export function pair(kase) {
  const { alert } = kase;
  return h("div", { class: "pair" },
    h("figure", {}, picture(`/api/alerts/${alert.id}/face.jpg`, "The face that the camera saw", "face"),
      h("figcaption", {}, h("b", {}, "Camera"), ` ${alert.camera}, ${clock(alert.captured_at)}`)),
    h("figure", {}, picture(`/api/alerts/${alert.id}/photo.jpg`, "The photo on the watchlist", "face"),
      h("figcaption", {}, h("b", {}, "Watchlist"), ` ${alert.entry.id}`)));
}

function meter(alert) {
  const low = Math.max(-1, Math.min(alert.threshold - 0.15, alert.score - 0.05));
  const place = (value) => `${Math.max(0, Math.min(100, (100 * (value - low)) / (1 - low)))}%`;
  const fill = h("span", { class: "meter-fill" });
  const tick = h("span", { class: "meter-tick" });
  const mark = h("span", { class: "meter-mark" });
  fill.style.left = place(alert.threshold);
  fill.style.right = `calc(100% - ${place(alert.score)})`;
  tick.style.left = place(alert.threshold);
  mark.style.left = place(alert.score);
  return h("div", { class: "meter", "aria-hidden": "true" }, fill, tick, mark);
}

export function scene(kase) {
  const { alert } = kase;
  const [width, height] = alert.scene_wh;
  const frame = picture(`/api/alerts/${alert.id}/scene.jpg`, "The scene; every other face is blurred", "scene");
  const image = frame.querySelector("img");
  const ring = h("span", { class: "ring", "aria-hidden": "true" });
  const place = (w, h_) => {
    const [left, top, right, bottom] = alert.face_xyxy;
    frame.style.setProperty("--ratio", String(w / h_));
    const grow = 0.35;
    const dx = (right - left) * grow;
    const dy = (bottom - top) * grow;
    ring.style.left = `${(100 * (left - dx)) / w}%`;
    ring.style.top = `${(100 * (top - dy)) / h_}%`;
    ring.style.width = `${(100 * (right - left + 2 * dx)) / w}%`;
    ring.style.height = `${(100 * (bottom - top + 2 * dy)) / h_}%`;
    ring.hidden = false;
  };
  ring.hidden = true;
  if (width && height) place(width, height);
  image.addEventListener("load", () => place(width || image.naturalWidth, height || image.naturalHeight));
  frame.append(ring);
  return h("figure", { class: "scene-figure" }, frame);
}

export function facts(kase) {
  const { alert } = kase;
  const row = (term, ...what) => h("div", {}, h("dt", {}, term), h("dd", {}, ...what));
  return h("div", { class: "facts" },
    h("div", { class: "likeness" },
      h("p", { class: "likeness-word" }, h("b", {}, strength(alert.score - alert.threshold)), " likeness"),
      meter(alert),
      h("p", { class: "likeness-number" }, distance(alert))),
    h("dl", {},
      row("Where", alert.place || alert.camera),
      row("Camera", alert.camera),
      row("When", h("time", { datetime: alert.captured_at }, dateAndClock(alert.captured_at))),
      row("Rests on", `${alert.track.frames} picture${alert.track.frames === 1 ? "" : "s"} of the face`)));
}

/** Keep the ages inside an element true. */
export function tickAges(root, store) {
  for (const place of root.querySelectorAll(".age")) {
    const text = age(store.ageOf(place.dataset.at));
    say(place, text === "now" ? text : `${text} ago`);
  }
}
