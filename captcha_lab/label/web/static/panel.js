// The panel beside the question: where the work stands, and when to stop.

import { h, many, percent, svg } from "./dom.js";
import { source } from "./views.js";

const SOURCES = { audit: "from the blind audit", model: "by the model's own doubt" };

function row(title, ...value) {
  return h("div.row", {}, h("dt", {}, title), h("dd", {}, ...value));
}

const FEW = 30; // trials below which a share says little
const SMALLEST = 4; // the scale of intervals ends at an error of 10 to the minus this

// Where a share stands on the common scale: equal steps are tenfold drops in errors, 0 to 99.99 %.
const place = (share) => Math.min(100, (-100 * Math.log10(Math.max(1 - share, 10 ** -SMALLEST))) / SMALLEST);

function estimate(found, unit) {
  if (!found || found.source === "none" || !found.trials) return [h("span.quiet", {}, "not known yet")];
  const bar = h("span.interval", { "aria-hidden": "true" });
  const inner = h("span");
  inner.style.left = `${place(found.low)}%`;
  inner.style.width = `${Math.max(1, place(found.high) - place(found.low))}%`;
  bar.append(inner);
  if (found.trials < FEW) bar.classList.add("few");
  return [h("b", {}, percent(found.value)), h("span.quiet", {}, ` ${percent(found.low)} to ${percent(found.high)}`), bar,
    h("span.quiet.small", {}, `${SOURCES[found.source] ?? found.source}, ${many(found.trials, unit)}`)];
}

// Accuracy over labels by hand; upwards is a tenfold drop in errors, so that 99 and 99.9 % don't look alike.
export function curve(points) {
  const [width, height, left, bottom] = [260, 120, 42, 18];
  const errors = points.map((p) => Math.log10(Math.min(1, Math.max(1e-4, 1 - p.accuracy))));
  const floor = Math.min(-1, Math.floor(Math.min(...errors)));
  const most = Math.max(1, ...points.map((p) => p.labels));
  const x = (labels) => left + ((width - left - 6) * labels) / most;
  const y = (error) => 6 + ((height - bottom - 6) * (error - floor)) / (0 - floor);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "learning curve" });
  for (let k = 0; k >= floor; k -= 1) {
    picture.append(svg("line", { x1: left, x2: width - 6, y1: y(k), y2: y(k), class: "grid" }),
      svg("text", { x: left - 4, y: y(k) + 3, class: "tick end" }, `${100 - 100 * 10 ** k}%`.replace(/(\.\d\d)\d+/, "$1")));
  }
  picture.append(svg("text", { x: left, y: height - 5, class: "tick" }, "0"),
    svg("text", { x: width - 6, y: height - 5, class: "tick end" }, many(most, "label")));
  const path = points.map((p, k) => `${k ? "L" : "M"}${x(p.labels).toFixed(1)} ${y(errors[k]).toFixed(1)}`).join("");
  picture.append(svg("path", { d: path, class: "line" }));
  points.forEach((p, k) => picture.append(svg("circle", { cx: x(p.labels), cy: y(errors[k]), r: 2.2, class: "dot" })));
  return picture;
}

function work(status) {
  if (status.problem) return h("p.problem", {}, `The work behind the page stopped: ${status.problem}`);
  if (!status.phase) return null;
  const known = status.total > 0;
  return h("p.work", {}, h("span.spinner", { "aria-hidden": "true" }), `${status.phase} … `,
    known ? `${Math.floor((100 * status.done) / status.total)} %` : "");
}

export function draw(place, state, keys, act) {
  const { panel, work: status, method } = state;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : "";
  place.replaceChildren(...[work(status), method ? h("p.quiet.small", {}, method) : null, ...facts(panel, state.queues, state.boot, keys, act)].filter(Boolean));
  if (focused) document.getElementById(focused)?.focus();
}

// The advice, with a button for the queue that it names.
function advice(panel, queues, choose) {
  if (!panel.advice) return null;
  const named = panel.best_queue === "suspects" || panel.best_queue === "audit" ? queues.find((q) => q.name === panel.best_queue) : null;
  return h(panel.stop ? "p.advice.stop" : "p.advice", {}, panel.advice,
    named?.count ? h("button#advised", { type: "button", onclick: () => choose(named.name) }, named.title) : null);
}

let charactersOpen = true;

function facts(panel, queues, boot, keys, { acceptAll, choose }) {
  const labelled = panel.total ? panel.labelled / panel.total : 0;
  const share = h("progress", { max: "1", value: String(labelled), "aria-label": "labelled" });
  const pairs = panel.confusions.map((c) => h("li", {}, h("button", {
    type: "button", onclick: () => choose("suspects"),
    title: `labelled ${c.given}, read as ${c.predicted}: ${c.count}; opens Check labels`,
  }, h("b", {}, c.given || "∅"), "→", h("b", {}, c.predicted || "∅"), h("span.quiet", {}, ` ${c.count}`))));
  const kinds = panel.characters.map((c) => h(c.count ? "li" : "li.none", { title: c.count ? many(c.count, "label") : `no ${c.character} yet` },
    c.example ? h("img.glyph", { src: source({ image_id: c.example[0], position: c.example[1] }, boot), alt: "" }) : null,
    h("b", {}, c.character), h("span.quiet", {}, c.count ? ` ${c.count.toLocaleString("en")}` : " none yet")));
  const toGo = panel.labels_to_go;
  const target = `${+(100 * panel.target).toFixed(3)} %`;
  return [
    advice(panel, queues, choose),
    panel.waiting ? h(panel.stop ? "button#accept-all.ripe" : "button#accept-all", { type: "button", onclick: acceptAll },
      `Accept all ${panel.waiting.toLocaleString("en")} proposals`) : null,
    h("dl", {},
      row("Keys pressed", h("b", {}, (panel.keystrokes + keys).toLocaleString("en"))),
      row("Labelled", h("b", {}, panel.labelled.toLocaleString("en")),
        h("span.quiet", {}, ` of ${many(panel.total, panel.unit)}, ${panel.by_hand.toLocaleString("en")} by hand`), share),
      row("Estimated right, of all", ...estimate(panel.estimate, panel.unit)),
      row("Labels right, by audit", ...estimate(panel.audit, panel.unit))),
    panel.curve.length > 1 ? h("figure.curve", {}, curve(panel.curve), h("figcaption.quiet.small", {},
      toGo === null ? "learning curve" : toGo ? `about ${many(toGo, "more label", "more labels")} for ${target}` : `${target} reached`)) : null,
    panel.characters.length ? h("details#characters", { open: charactersOpen, ontoggle: (event) => (charactersOpen = event.target.open) },
      h("summary", {}, `Characters: ${panel.characters.filter((c) => c.count).length} of ${panel.characters.length} seen`),
      h("ul.pairs", {}, ...kinds)) : null,
    pairs.length ? h("section", {}, h("h2", {}, "Mixed up"), h("ul.pairs", {}, ...pairs)) : null,
  ].filter(Boolean);
}
