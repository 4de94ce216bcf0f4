// The last answers along the bottom: an answer is ticked only when the server says it is on the disk.

import { h } from "./dom.js";
import { name, source } from "./views.js";

const KEPT = 14;
const STATES = { wait: ["…", "being saved"], saved: ["✓", "saved"], lost: ["✕", "not saved"] };

export class Strip {
  // again(token): a person clicked an answer to look at its question again.
  constructor(place, again) {
    this.place = place;
    this.again = again;
    this.entries = new Map(); // token -> element
  }

  add(token, [member, shown, count = 1], boot) {
    const mark = h("span.mark");
    const element = h("li", {}, h("button", { type: "button", "aria-label": `answer again: ${name(shown)}`, onclick: () => this.again(token) }, h(member.position === null ? "img.shot" : "img.glyph", { src: source(member, boot), alt: "" }), h("b", {}, name(shown)),
      count > 1 ? h("span.quiet", { title: `and ${count - 1} more` }, `+${count - 1}`) : null), mark);
    this.place.prepend(element);
    this.entries.set(token, element);
    this.set(token, "wait");
    while (this.place.children.length > KEPT) this.place.lastChild.remove();
  }

  set(token, state) {
    const element = this.entries.get(token);
    if (!element) return;
    element.dataset.state = state;
    element.lastChild.textContent = STATES[state][0];
    element.title = STATES[state][1];
  }

  rename(token, shown) {
    const element = this.entries.get(token);
    if (element) element.querySelector("b").textContent = name(shown);
  }

  remove(token) {
    this.entries.get(token)?.remove();
    this.entries.delete(token);
  }
}
