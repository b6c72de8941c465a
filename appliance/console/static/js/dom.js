// Making elements without markup strings: nothing that comes from the stream is ever parsed as HTML.

/** One element: h("p", {class: "x", onclick: f, "aria-label": "y"}, "text", child). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The element of that id. */
export const $ = (id) => document.getElementById(id);

const SHAPES = {
  red: "M2 2h16v16H2z",
  amber: "M10 1 19.5 18.5H.5z",
  green: "M10 1.2a8.8 8.8 0 1 1 0 17.6 8.8 8.8 0 0 1 0-17.6z",
  blue: "M10 .5 19.5 10 10 19.5.5 10z",
};

/** Square, triangle, circle: the response without its colour. */
export function shape(response) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", "shape");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[response] || SHAPES.blue);
  path.setAttribute("fill", "currentColor");
  svg.append(path);
  return svg;
}

/** Shape, colour and word of a response. */
export const badge = (response, large = false) =>
  h("span", { class: `badge ${large ? "badge-large" : ""}`, "data-response": response }, shape(response),
    h("span", {}, response[0].toUpperCase() + response.slice(1)));

/** Set text only when it differs, so that a screen reader is not told the same again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Say something to a screen reader at once. */
export function announce(text) {
  const place = $("announce");
  place.textContent = "";
  setTimeout(() => { place.textContent = text; }, 30);
}

/** A short message in the corner; level "bad" stays until it is closed. */
export function toast(text, level = "info") {
  const item = h("div", { class: "toast", "data-level": level, role: level === "bad" ? "alert" : "status" },
    h("span", {}, text),
    h("button", { type: "button", class: "tool", onclick: () => item.remove() }, "Close"));
  $("toasts").append(item);
  while ($("toasts").children.length > 4) $("toasts").firstChild.remove();
  if (level !== "bad") setTimeout(() => item.remove(), 6000);
  return item;
}
