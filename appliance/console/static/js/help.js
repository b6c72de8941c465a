// What the keys do.

import { h } from "./dom.js";

const KEYS = [
  ["Look", [["J  K", "next, previous alert"], ["G", "newest that waits for a decision"], ["?", "this help"]]],
  ["Decide", [["T", "take it: the sound stops for everybody"], ["M", "match"], ["N", "no match"], ["C", "cannot tell"],
    ["1 – 6", "then the reason: recorded at once"], ["Enter", "record without a reason"], ["/", "write a note first"],
    ["Esc", "back, nothing is recorded"], ["⇧ M N C", "record at once without a reason"], ["U", "take the last one back"]]],
  ["Street", [["P", "pass on to the engagement officer"], ["E", "engage"], ["D", "do not engage"], ["O", "outcome, then 1 – 6"]]],
  ["Page", [["S", "mute for two minutes, sound again"], ["L", "light, dark"]]],
];

export function fillHelp(dialog) {
  dialog.append(
    h("div", { class: "help-head" }, h("h2", { id: "help-title" }, "Keys"),
      h("button", { type: "button", class: "tool", onclick: () => dialog.close() }, "Close")),
    h("div", { class: "help-groups" }, ...KEYS.map(([title, keys]) => h("section", {}, h("h3", {}, title),
      h("dl", {}, ...keys.map(([name, what]) => h("div", {}, h("dt", {}, h("kbd", {}, name)), h("dd", {}, what))))))),
    h("p", {}, "The likeness tells how far the comparison lies above the threshold. It is not a probability: "
      + "the pictures and your judgement decide. Nothing is ever decided by itself."));
}
