// The question on the stage and what was chosen in it; turns keys into answers, sends nothing itself.
//
// A method gives null (nothing to save), {say: "…"} (a word to the person), or an answer:
// {typed, spread, shown, done}, `shown` for the strip, `done` when the question is answered.

import { NOT_A_GLYPH, key, rest, text, tile, typed } from "./answers.js";

export class Board {
  constructor(item, boot, glyphs) {
    Object.assign(this, { item, boot, glyphs });
    this.leftOut = new Set(); // strays thrown out, tiles left for later
    this.settled = new Map(); // tiles of a page already sent -> value
    this.values = []; // characters of a captcha
    this.cursor = item.kind === "page" || item.kind === "captcha" ? 0 : null;
  }

  get members() {
    return this.item.members;
  }

  get pristine() {
    return !this.leftOut.size && !this.settled.size && !this.values.length;
  }

  label(value) {
    if (this.item.kind === "captcha") return this.type(value);
    if (this.item.kind === "page") return this.settle(value);
    return { ...typed(this.item, value, this.leftOut), shown: [this.members[0], value], done: true };
  }

  type(value) {
    this.values[this.cursor] = value;
    const open = this.members.findIndex((_, k) => this.values[k] === undefined);
    if (open < 0) return this.whole();
    this.cursor = this.cursor + 1 < this.members.length && this.values[this.cursor + 1] === undefined ? this.cursor + 1 : open;
    return null;
  }

  whole() {
    const shown = [this.members[0], this.values.map((v) => v || "∅").join("")];
    return { ...text(this.item, this.values), shown, done: true };
  }

  settle(value) {
    const member = this.members[this.cursor];
    this.settled.set(key(member), value);
    this.leftOut.delete(key(member));
    this.cursor = Math.min(this.cursor + 1, this.members.length - 1);
    const done = this.members.every((m) => this.settled.has(key(m)));
    return { ...tile(this.item, member, value), shown: [member, value], done, tile: key(member) };
  }

  bad() {
    return this.label(NOT_A_GLYPH);
  }

  accept() {
    const { kind, proposal } = this.item;
    if (kind === "page") {
      const guess = this.members[this.cursor].proposal;
      return guess === null ? { say: "This tile has no proposal: type its label." } : this.settle(guess);
    }
    if (proposal === null) {
      return { say: kind === "captcha" ? `Type all ${this.members.length} characters.` : "There is no proposal here: type the label." };
    }
    if (kind !== "captcha") return this.label(proposal);
    this.values = this.members.map((_, k) => this.values[k] ?? proposal[k]);
    return this.whole();
  }

  acceptRest() {
    if (this.item.kind !== "page") return this.accept();
    const answer = rest(this.item, this.settled, this.leftOut);
    if (!answer.spread.length) return { say: "Nothing is left to accept on this page.", done: true };
    const open = this.members.find((m) => !this.settled.has(key(m)) && !this.leftOut.has(key(m)));
    return { ...answer, shown: [open, open.proposal], done: true };
  }

  // Space: true when it chose something here, false when it means "skip the question".
  toggle(k = this.cursor) {
    const movable = this.item.kind === "page" ? k !== null : this.item.kind === "cluster" && k > 0;
    if (!movable) return false;
    const name = key(this.members[k]);
    if (this.settled.has(name)) return true;
    if (!this.leftOut.delete(name)) this.leftOut.add(name);
    return true;
  }

  move(direction, columns) {
    if (this.members.length < 2 || this.item.kind === "glyph") return;
    const step = { left: -1, right: 1, up: -columns, down: columns }[direction];
    const first = this.item.kind === "cluster" ? 1 : 0;
    const next = this.cursor === null ? first : this.cursor + step;
    if (next < first) this.cursor = this.item.kind === "cluster" && step === -1 ? null : this.cursor;
    else if (next < this.members.length) this.cursor = next;
  }

  point(k) {
    this.cursor = k;
  }

  // Esc: drop what was chosen but not sent.
  clear() {
    this.leftOut.clear();
    this.values = [];
    this.cursor = this.item.kind === "page" || this.item.kind === "captcha" ? 0 : null;
  }

  // Backspace inside a half-typed captcha: true when it took a character back.
  rubOut() {
    const last = this.values.findLastIndex((v) => v !== undefined);
    if (last < 0) return false;
    delete this.values[last];
    if (this.values.every((v) => v === undefined)) this.values = [];
    this.cursor = last;
    return true;
  }
}
