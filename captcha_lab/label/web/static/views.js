// One question on the stage. A view draws the board and names what is under the cursor.

import { key } from "./board.js";
import { h, many, percent } from "./dom.js";

const DOUBTFUL = 0.8; // a character less sure than this is marked

export const name = (value) => (value === "" ? "∅" : value);

export function source(member, boot) {
  return member.position === null ? `captcha/${member.image_id}.png?b=${boot}` : `glyph/${member.image_id}-${member.position}.png?b=${boot}`;
}

function glyph(member, boot, attributes = {}) {
  return h("img.glyph", {
    src: source(member, boot),
    alt: `glyph ${member.position + 1} of captcha ${member.image_id}`,
    draggable: "false",
    ...attributes,
  });
}

function captcha(image, boot, className) {
  return h(`img.${className}`, { src: `captcha/${image}.png?b=${boot}`, alt: `captcha ${image}`, draggable: "false" });
}

// Where the glyph stands in its captcha: what a badly cut glyph was meant to be is often clear only there.
function context(question, boot) {
  const picture = captcha(question.members[0].image_id, boot, "small");
  if (question.span === null) return h("figure.context", {}, picture);
  const bracket = h("span.bracket");
  bracket.style.left = `${100 * question.span[0]}%`;
  bracket.style.width = `${100 * question.span[1]}%`;
  return h("figure.context", {}, picture, bracket);
}

function ask(text) {
  return h("h2.ask", {}, text);
}

function proposal(question) {
  if (question.proposal === null) return null;
  const { confidence } = question.members[0];
  return h("p.proposal", {}, h("kbd", {}, "Enter"), " for ", h("b", {}, name(question.proposal)),
    question.queue !== "suspects" && confidence ? h("span.quiet", {}, ` ${percent(confidence, 0)} sure`) : null);
}

function why(question) {
  return h("p.why.quiet", {}, question.why || "");
}

function disputed(question) {
  const { label, source: by } = question.members[0];
  if (question.queue !== "suspects" || label === null) return null;
  return h("p.disputed", {}, "labelled ", h("b", {}, name(label)), h("span.quiet", {}, ` by ${by}; `),
    h("kbd", {}, name(label)), " keeps it");
}

// Glyphs that bear each of the two labels in question, side by side.
function examples(question, boot) {
  const rows = Object.entries(question.examples ?? {});
  if (!rows.length) return null;
  return h("div.examples", {}, ...rows.map(([value, places]) => h("figure", {}, h("figcaption", {}, h("b", {}, value)),
    ...places.map(([image_id, position]) => glyph({ image_id, position }, boot)))));
}

function one({ question, boot }) {
  return h("section.question.one", {}, ask("Type the character you see"),
    glyph(question.members[0], boot, { class: "glyph big" }),
    context(question, boot), disputed(question), examples(question, boot), proposal(question), why(question));
}

function cluster({ question, boot, cursor, leftOut }, act) {
  const others = question.members.slice(1);
  const kept = question.members.length + question.more - leftOut.size;
  const tiles = others.map((member, k) => h("button.member", {
    type: "button", tabindex: "-1", "data-k": k + 1,
    "aria-pressed": String(leftOut.has(key(member))),
    class: `member${leftOut.has(key(member)) ? " out" : ""}${cursor === k + 1 ? " cursor" : ""}`,
    onclick: () => act.toggle(k + 1),
  }, glyph(member, boot)));
  return h("section.question.cluster", {},
    h("div.picture", {}, ask("Type the character you see"), glyph(question.members[0], boot, { class: "glyph big" }),
      context(question, boot), proposal(question), why(question)),
    h("div.likes", {},
      h("p", {}, h("b", {}, many(kept, "glyph")), " get your one key.",
        others.length ? h("span.quiet", {}, " Click a stray to throw it out.") : null),
      h("div.members", { "data-rows": "1", role: "group", tabindex: "0", "aria-label": "look-alikes" }, ...tiles),
      question.more ? h("p.quiet", {}, `and ${question.more.toLocaleString("en")} more like these`) : null));
}

function page(board, act) {
  const { question, boot, cursor, leftOut, settled, typed } = board;
  const tiles = question.members.map((member, k) => {
    const done = settled.has(key(member));
    const now = cursor === k && typed !== null ? board.text : done ? settled.get(key(member)) : member.proposal;
    const state = done ? " settled" : leftOut.has(key(member)) ? " out" : "";
    const picture = board.texts ? captcha(member.image_id, boot, "shot") : glyph(member, boot);
    const label = board.texts && !done && now === member.proposal && now !== null ? h("span.label", {}, ...marked(member)) : h("span.label", {}, name(now ?? "·"));
    return h("button.tile", {
      type: "button", tabindex: "-1", "data-k": k,
      class: `tile${state}${cursor === k ? " cursor" : ""}`,
      onclick: () => act.point(k),
    }, picture, label,
    member.stands_for > 1 ? h("span.times", {}, `×${member.stands_for}`) : null,
    done ? null : h("span.sure", { title: percent(member.confidence) }, percent(member.confidence, 0)));
  });
  const open = question.members.filter((m) => !settled.has(key(m)) && !leftOut.has(key(m)) && m.proposal !== null);
  const reached = open.reduce((sum, member) => sum + member.stands_for, 0);
  const all = board.texts ? ["Are these right? "] : ["All ", h("b", {}, name(question.members[0].proposal ?? "?")), "? "];
  return h(`section.question.page${board.texts ? ".texts" : ""}`, {},
    h("p.proposal", {}, ...all,
      h("span.quiet", {}, board.texts ? "Click a wrong one, type its text and press Enter; then " : "Retype the strays, then "),
      h("kbd", {}, "Shift"), " ", h("kbd", {}, "Enter"), ` accepts the other ${reached}.`),
    h("div.tiles", { "data-rows": "0" }, ...tiles), why(question));
}

// The characters of a proposal, the doubtful ones marked.
function marked(member) {
  return [...member.proposal].map((c, k) =>
    (member.per_character[k] ?? 1) < DOUBTFUL ? h("mark", { title: percent(member.per_character[k], 0) }, c) : c);
}

function text(board, act) {
  const { question, boot, typed, caret } = board;
  const member = question.members[0];
  const shown = typed ?? [...(member.proposal ?? "")];
  const slots = [...shown, ""].map((character, k) => {
    const doubtful = typed === null && (member.per_character[k] ?? 1) < DOUBTFUL && character !== "";
    const here = caret === k || (caret === null && typed !== null && k === shown.length);
    return h("button.slot", {
      type: "button", tabindex: "-1", onclick: () => act.place(k),
      "aria-label": character === "" ? "end" : doubtful ? `${character}, doubtful` : character,
      class: `slot${here ? " cursor" : ""}${typed === null ? " offered" : ""}${doubtful ? " doubtful" : ""}${character === "" ? " end" : ""}`,
    }, character || " ");
  });
  const hint = typed !== null ? h("p.proposal", {}, h("kbd", {}, "Enter"), " saves ", h("b", {}, typed.join("")))
    : question.proposal !== null ? proposal(question)
      : member.proposal !== null ? h("p.proposal.quiet", {}, "A guess, more likely wrong than right: mend it with ", h("kbd", {}, "←"), " or type the text.") : null;
  return h("section.question.whole", {}, ask("Type the characters you see"), captcha(member.image_id, boot, "large"),
    h("div.slots", {}, ...slots), disputed(question), hint, why(question));
}

const VIEWS = { glyph: one, cluster, page, text };

export function view(board, act) {
  return VIEWS[board.question.kind](board, act);
}

// What a screen reader says of a new question.
export function spoken({ question }) {
  const first = question.members[0];
  if (question.kind === "page") return `A page of ${many(question.members.length, "proposal")}.`;
  const what = question.kind === "text" ? `Captcha ${first.image_id}` : `Glyph ${first.position + 1} of captcha ${first.image_id}`;
  const also = question.members.length > 1 ? ` and ${many(question.members.length + question.more - 1, "look-alike")}` : "";
  return `${what}${also}.${question.proposal === null ? "" : ` Proposed: ${question.proposal}.`}`;
}

export function nothing(state, queue, asking) {
  if (asking || state === null) return h("section.question.empty.asking", {}, h("p.quiet", {}, "…"));
  const next = state.queues.filter((q) => q.name !== queue && q.count > 0);
  const working = !state.work.ready || state.work.phase;
  if (!working && (queue === "best" || !next.length)) {
    return h("section.question.empty", {}, h("p", {}, h("b", {}, state.panel.labelled === state.panel.total ? "All is labelled." : "Nothing is left to ask.")),
      h("p.quiet", {}, "Train a reader on it: ", h("code", {}, "captcha-lab train"), ". The queue Audit measures how many labels are right."));
  }
  return h("section.question.empty", {},
    h("p", {}, working ? "This queue fills as soon as the work behind it is done." : "Nothing waits in this queue."),
    next.length ? h("p.quiet", {}, "Questions wait in: ", next.map((q) => q.title).join(", "), ".") : null);
}
