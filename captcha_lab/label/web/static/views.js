// One question on the stage. A view draws `now` (see main.js) and names what is under the cursor.

import { key } from "./answers.js";
import { h, many, percent } from "./dom.js";

const SHOWN = 240; // look-alikes drawn at once

const name = (value) => (value === "" ? "∅" : value);

export function glyphSource(member, boot) {
  return `glyph/${member.image_id}-${member.position}.png?b=${boot}`;
}

function glyph(member, boot, attributes = {}) {
  return h("img.glyph", {
    src: glyphSource(member, boot),
    alt: `glyph ${member.position + 1} of captcha ${member.image_id}`,
    draggable: "false",
    ...attributes,
  });
}

function captcha(image, boot, className) {
  return h(`img.${className}`, { src: `captcha/${image}.png?b=${boot}`, alt: `captcha ${image}`, draggable: "false" });
}

// Where the glyph stands in its captcha: what a badly cut glyph was meant to be is often clear only there.
function context(member, glyphs, boot) {
  const bracket = h("span.bracket");
  bracket.style.left = `${(100 * member.position) / glyphs}%`;
  bracket.style.width = `${100 / glyphs}%`;
  return h("figure.context", {}, captcha(member.image_id, boot, "small"), bracket);
}

function proposal(item, values = []) {
  if (item.proposal === null) return null;
  const offered = item.kind === "captcha" ? item.members.map((_, k) => values[k] ?? item.proposal[k]).map(name).join("") : name(item.proposal);
  const sure = item.kind === "captcha" ? null : item.members[0].confidence;
  return h("p.proposal", {}, h("kbd", {}, "Enter"), " for ", h("b", {}, offered),
    sure ? h("span.quiet", {}, ` ${percent(sure, 0)} sure`) : null);
}

function why(item) {
  return h("p.why.quiet", {}, item.why || "");
}

function disputed(item) {
  const { label, source } = item.members[0];
  if (item.queue !== "suspects" || label === null) return null;
  return h("p.disputed", {}, "labelled ", h("b", {}, name(label)), h("span.quiet", {}, ` by ${source}; `),
    h("kbd", {}, name(label)), " keeps it");
}

function one(now) {
  const { item, boot, glyphs } = now;
  return h("section.question.one", {},
    glyph(item.members[0], boot, { class: "glyph big" }),
    context(item.members[0], glyphs, boot),
    disputed(item), proposal(item), why(item));
}

function cluster(now, act) {
  const { item, boot, glyphs, cursor, leftOut } = now;
  const others = item.members.slice(1);
  const kept = item.members.length - leftOut.size;
  const tiles = others.slice(0, SHOWN).map((member, k) => h("button.member", {
    type: "button", tabindex: "-1", "data-k": k + 1,
    "aria-pressed": String(leftOut.has(key(member))),
    class: `member${leftOut.has(key(member)) ? " out" : ""}${cursor === k + 1 ? " cursor" : ""}`,
    onclick: () => act.toggle(k + 1),
  }, glyph(member, boot)));
  return h("section.question.cluster", {},
    h("div.picture", {}, glyph(item.members[0], boot, { class: "glyph big" }), context(item.members[0], glyphs, boot),
      proposal(item), why(item)),
    h("div.likes", {},
      h("p", {}, h("b", {}, many(kept, "glyph")), " get your one key.",
        others.length ? h("span.quiet", {}, " Click a stray to throw it out.") : null),
      h("div.members", { "data-rows": "1" }, ...tiles),
      others.length > SHOWN ? h("p.quiet", {}, `and ${others.length - SHOWN} more like these`) : null));
}

function page(now, act) {
  const { item, boot, cursor, leftOut, settled } = now;
  const tiles = item.members.map((member, k) => {
    const value = settled.has(key(member)) ? settled.get(key(member)) : member.proposal;
    const state = settled.has(key(member)) ? " settled" : leftOut.has(key(member)) ? " out" : "";
    return h("button.tile", {
      type: "button", tabindex: "-1", "data-k": k,
      class: `tile${state}${cursor === k ? " cursor" : ""}`,
      onclick: () => act.point(k),
    }, glyph(member, boot), h("span.label", {}, name(value ?? "·")),
    member.stands_for > 1 ? h("span.times", {}, `×${member.stands_for}`) : null,
    settled.has(key(member)) ? null : h("span.sure", { title: percent(member.confidence) }, percent(member.confidence, 0)));
  });
  const open = item.members.filter((m) => !settled.has(key(m)) && !leftOut.has(key(m)) && m.proposal !== null);
  const reached = open.reduce((sum, member) => sum + member.stands_for, 0);
  return h("section.question.page", {},
    h("p.proposal", {}, "All ", h("b", {}, name(item.members[0].proposal ?? item.proposal ?? "?")), "? ",
      h("span.quiet", {}, "Retype the strays, then "), h("kbd", {}, "Shift"), " ", h("kbd", {}, "Enter"),
      ` accepts the other ${reached}.`),
    h("div.tiles", { "data-rows": "0" }, ...tiles),
    why(item));
}

function whole(now, act) {
  const { item, boot, cursor, values } = now;
  const slots = item.members.map((member, k) => {
    const given = values[k];
    const offered = given === undefined && item.proposal ? item.proposal[k] : null;
    return h("button.slot", {
      type: "button", tabindex: "-1", onclick: () => act.point(k),
      class: `slot${cursor === k ? " cursor" : ""}${offered ? " offered" : ""}`,
    }, given !== undefined ? name(given) : (offered ?? " "));
  });
  return h("section.question.whole", {}, captcha(item.members[0].image_id, boot, "large"),
    h("div.slots", {}, ...slots), proposal(item, values), why(item));
}

const VIEWS = { glyph: one, cluster, page, captcha: whole };

export function question(now, act) {
  return VIEWS[now.item.kind](now, act);
}

export function nothing(state, queue, asking) {
  if (asking || state === null) return h("section.question.empty.asking", {}, h("p.quiet", {}, "…"));
  const next = state.queues.find((q) => q.name !== queue && q.count > 0);
  const working = !state.work.ready || state.work.phase;
  return h("section.question.empty", {},
    h("p", {}, working ? "This queue fills as soon as the work behind it is done." : "Nothing waits in this queue."),
    next ? h("p.quiet", {}, h("kbd", {}, "Page ↓"), ` goes on: ${next.title} has ${next.count.toLocaleString("en")}.`) : null);
}
