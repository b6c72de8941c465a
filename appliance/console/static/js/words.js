// How things are said: times, likeness, decisions, reasons.

export const KINDS = {
  taken: "Taken", operator: "Console", passed_on: "Passed on", engagement: "Street", outcome: "Outcome", undo: "Undo",
};

export const VALUES = {
  taken: "Taken", match: "Match", no_match: "No match", cannot_tell: "Cannot tell", passed_on: "Passed on",
  engage: "Engage", do_not_engage: "Do not engage", confirmed: "Confirmed", not_the_person: "Not the person",
  lost: "Lost from sight", arrested: "Arrested", no_action: "No action", other: "Other", undo: "Taken back",
};

export const REASONS = {
  match: ["Clear likeness", "Marks agree (scar, tattoo, mole)", "Known to me", "Agrees with the description",
    "A colleague agrees", "Other, see note"],
  no_match: ["Features differ", "Marks differ (scar, tattoo, mole)", "Known to be somebody else",
    "Camera picture misleads", "Watchlist photo misleads", "Other, see note"],
  cannot_tell: ["Camera picture too blurred", "Face turned or covered", "Light too poor",
    "Watchlist photo too old or poor", "Very alike, see in person", "Other, see note"],
  engage: ["Likeness seen in person", "Marks agree in person", "Name or papers agree", "Control asked for it",
    "A colleague agrees", "Other, see note"],
  do_not_engage: ["Not the person in person", "Not found", "Not safe to stop", "Dealt with already",
    "Control withdrew it", "Other, see note"],
};

export const OUTCOMES = ["confirmed", "not_the_person", "lost", "arrested", "no_action", "other"];

const two = (n) => String(n).padStart(2, "0");

/** "10:31:07" in this place's time. */
export function clock(iso) {
  const t = new Date(iso);
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

/** "Sat 21 Nov, 10:31:07". */
export function dateAndClock(iso) {
  const day = new Date(iso).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" });
  return `${day}, ${clock(iso)}`;
}

/** "now", "12 s", "3 min 05 s", "2 h 10 min". */
export function age(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 1) return "now";
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** As age, short enough for a card. */
export function shortAge(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 1) return "now";
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))}`;
}

/** "4:05:09" until something. */
export function countdown(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(s / 3600);
  return `${hours ? `${hours}:` : ""}${hours ? two(Math.floor((s % 3600) / 60)) : Math.floor(s / 60)}:${two(s % 60)}`;
}

/** Where the score lies above its threshold, in a word. The bands describe distance, they are no probability. */
export function strength(distance) {
  if (distance < 0.03) return "weak";
  if (distance < 0.08) return "moderate";
  if (distance < 0.18) return "strong";
  return "very strong";
}

/** "0.16 above the threshold 0.55". */
export function distance(alert) {
  const d = alert.score - alert.threshold;
  return `${Math.abs(d).toFixed(2)} ${d < 0 ? "below" : "above"} the threshold ${alert.threshold.toFixed(2)}`;
}

/** "Strong, 0.16 above 0.55": for a list. */
export function shortLikeness(alert) {
  const d = alert.score - alert.threshold;
  const word = strength(d);
  return `${word[0].toUpperCase()}${word.slice(1)}, ${Math.abs(d).toFixed(2)} ${d < 0 ? "below" : "above"} ${alert.threshold.toFixed(2)}`;
}

/** The decisions that stand, {kind: decision}; which ones do, the console says. */
export function standing(kase) {
  const known = new Map(kase.decisions.map((decision) => [decision.id, decision]));
  return Object.fromEntries(Object.entries(kase.standing).map(([kind, id]) => [kind, known.get(id)]));
}

/** A category as people read it. */
export const category = (text) => (text ? text[0].toUpperCase() + text.slice(1).replaceAll("_", " ") : "No category");
