// The question on the stage and what was chosen in it; turns keys into answers, sends nothing itself.
//
// A method gives null (nothing to save), {say: "…"} (a word to the person), or an answer as the server takes it:
// {value, left_out, corrections, members} with `shown` for the strip and `done` when the question is answered.
// What an answer means for the labels the server alone decides.

export const NONE = ""; // not a glyph; no human can read it
export const key = (member) => `${member.image_id}-${member.position}`;
const target = (member) => [member.image_id, member.position];

export class Board {
  constructor(question, boot) {
    Object.assign(this, { question, boot });
    this.leftOut = new Set(); // strays thrown out, tiles left for later
    this.settled = new Map(); // tiles of a page already sent -> value
    this.clear();
  }

  get members() {
    return this.question.members;
  }

  get member() {
    return this.members[this.cursor ?? 0];
  }

  get paged() {
    return this.question.kind === "page";
  }

  // Whether whole texts are typed here, not single characters.
  get texts() {
    return this.members[0].position === null;
  }

  get pristine() {
    return !this.leftOut.size && !this.settled.size && this.typed === null;
  }

  // Esc: drop what was chosen but not sent.
  clear() {
    this.leftOut.clear();
    this.typed = null; // the text so far, a list of characters; null while nothing was typed
    this.caret = null; // where the next character goes while a text is mended, null while it is typed
    this.cursor = this.paged ? 0 : null; // the tile, or the look-alike, under the frame
  }

  label(value) {
    if (this.texts) return this.type(value);
    return this.paged ? this.settle(value) : this.whole(value);
  }

  // One character of a text: after the last one, or in place of the one under the caret.
  type(character) {
    if (this.caret === null) this.typed = [...(this.typed ?? []), character];
    else {
      this.typed[this.caret] = character;
      this.caret += 1;
    }
    return null;
  }

  // The text as it would be accepted now.
  get text() {
    return this.typed === null ? null : this.typed.join("");
  }

  whole(value) {
    const leftOut = this.members.filter((m) => this.leftOut.has(key(m)));
    const count = this.members.length + (this.question.more ?? 0) - leftOut.length;
    return { value, left_out: leftOut.map(target), shown: [this.members[0], value, count], done: true };
  }

  // One tile of a page: saved at once.
  settle(value) {
    const member = this.member;
    this.settled.set(key(member), value);
    this.leftOut.delete(key(member));
    [this.typed, this.caret] = [null, null];
    this.cursor = Math.min(this.cursor + 1, this.members.length - 1);
    const done = this.members.every((m) => this.settled.has(key(m)));
    return { value, members: [member], shown: [member, value, member.stands_for], done, tile: key(member) };
  }

  bad() {
    if (this.caret !== null && this.caret < this.typed.length) {
      this.typed.splice(this.caret, 1); // mending: the character under the caret goes
      return null;
    }
    return this.paged ? this.settle(NONE) : this.whole(NONE);
  }

  accept() {
    if (this.texts && this.typed !== null) {
      if (!this.typed.length) return { say: "Type the text first." };
      return this.paged ? this.settle(this.text) : this.whole(this.text);
    }
    const guess = this.paged ? this.member.proposal : this.question.proposal;
    if (guess !== null) return this.paged ? this.settle(guess) : this.whole(guess);
    if (!this.texts) return { say: "There is no proposal here: type the character you see." };
    return { say: this.member.proposal === null ? "Type the characters you see." : "This proposal is more likely wrong than right: mend it with an arrow key, or type the text." };
  }

  acceptRest() {
    if (!this.paged) return this.accept();
    const out = this.members.filter((m) => this.settled.has(key(m)) || this.leftOut.has(key(m)));
    const open = this.members.filter((m) => !out.includes(m) && m.proposal !== null);
    if (!open.length) return { say: "Nothing is left to accept on this page.", done: true };
    const count = open.reduce((sum, m) => sum + m.stands_for, 0);
    return { value: null, left_out: out.map(target), shown: [open[0], open[0].proposal, count], done: true };
  }

  // Space: true when it chose something here, false when it means "skip the question".
  toggle(k = this.cursor) {
    const movable = this.paged ? k !== null : this.question.kind === "cluster" && k > 0;
    if (!movable) return false;
    const name = key(this.members[k]);
    if (this.settled.has(name)) return true;
    if (!this.leftOut.delete(name)) this.leftOut.add(name);
    return true;
  }

  move(direction, columns) {
    if (this.texts && (!this.paged || this.typed !== null)) return this.mend(direction);
    if (this.members.length < 2 || this.question.kind === "glyph") return;
    const step = { left: -1, right: 1, up: -columns, down: columns }[direction];
    const first = this.question.kind === "cluster" ? 1 : 0;
    const next = this.cursor === null ? first : this.cursor + step;
    if (next < first) this.cursor = this.question.kind === "cluster" && step === -1 ? null : this.cursor;
    else if (next < this.members.length) this.cursor = next;
  }

  // The first arrow goes to the character that is least sure, each further one moves by one.
  mend(direction) {
    if (this.typed === null) {
      if (this.member.proposal === null) return;
      this.typed = [...this.member.proposal];
      const sure = this.member.per_character;
      this.caret = sure.length === this.typed.length ? sure.indexOf(Math.min(...sure)) : 0;
      return;
    }
    const from = this.caret ?? this.typed.length;
    const step = { left: -1, right: 1, up: -this.typed.length, down: this.typed.length }[direction];
    this.caret = Math.max(0, Math.min(this.typed.length, from + step));
  }

  point(k) {
    [this.typed, this.caret] = [null, null];
    this.cursor = k;
  }

  // A click on a character of the text.
  place(k) {
    if (this.typed === null && this.member.proposal !== null) this.typed = [...this.member.proposal];
    if (this.typed !== null) this.caret = Math.min(k, this.typed.length);
  }

  // Backspace inside a half-typed text: true when it took a character back.
  rubOut() {
    if (this.typed === null) return false;
    if (this.caret === null) this.typed.pop();
    else if (this.caret > 0) this.typed.splice((this.caret -= 1), 1);
    if (!this.typed.length) [this.typed, this.caret] = [null, null];
    return true;
  }
}

// A question without what was answered or set aside since it was fetched; null where nothing of it is left.
export function fresh(question, taken, aside) {
  const left = (m) => !taken.has(key(m)) && !aside.has(m.image_id);
  if (question.kind !== "page") return left(question.members[0]) ? question : null;
  const members = question.members.filter(left);
  return members.length ? { ...question, members } : null;
}
