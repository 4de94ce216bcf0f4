// The page: questions in, keys out. The server has the truth; this page never shows as saved what it has not.

import { Board } from "./board.js";
import { $, h, many } from "./dom.js";
import { meaning } from "./keys.js";
import { Outbox, Refused, post, token } from "./outbox.js";
import * as panel from "./panel.js";
import { confirmRest } from "./rest.js";
import { Strip } from "./strip.js";
import { glyphSource, nothing, question } from "./views.js";

const UPCOMING = 6; // questions held ready, so that typing never waits for the line
const QUIET = 5000; // ms between looks at the server when nothing goes on
const LIVELY = 1200; // and while it works
const HISTORY = 500; // answered questions kept for undo to bring back

const session = (sessionStorage.sessionId ||= token());
const tabs = new BroadcastChannel(`captcha-lab ${location.pathname}`); // other tabs look when this one has saved
const strip = new Strip($("strip"));
let state = null; // the server's last word
let queue = null;
let upcoming = []; // questions after the one on the board
let board = null;
let skipped = []; // ids of this session
let history = []; // {token, act, board} in order
let keys = 0; // pressed since the last act
let turn = 0; // grows with every answer; a reply from before it brings no questions
let timer = 0;
let lost = null; // why the server can't be reached or can't save, null while all is well
let picked = false; // whether the person chose the queue
let asking = true; // no question on the board because the next ones are being fetched

const outbox = new Outbox({
  saved(entry, reply) {
    strip.set(entry.body.token, "saved");
    tabs.postMessage(reply.act);
    if (entry.path === "undo") undone(reply);
    else if (entry.path === "rest") accepted(reply);
    else history.filter((past) => past.token === entry.body.token).forEach((past) => (past.act = reply.act));
    if (reply.settled) {
      say(`That settled an earlier slip: ${many(reply.settled, "label")} mended.`);
      forget(); // what waits here was asked before the slip was known
    }
    showLink();
  },
  dropped(entries, refusal) {
    for (const entry of entries) {
      strip.set(entry.body.token, "lost");
      history = history.filter((past) => past.token !== entry.body.token);
    }
    banner(`${refusal.message} Not saved: ${many(entries.length, "answer")}.`, "stale");
    outbox.revision = null;
    forget();
  },
  line(ok, refusal) {
    reached(ok ? null : refusal);
    if (ok) banner("The server answers again; what waited here is being saved.", "good");
  },
  empty: () => look(),
});

function banner(text, kind = "bad") {
  const place = $("banner");
  place.hidden = !text;
  place.textContent = text;
  place.dataset.kind = kind;
}

function reached(refusal) {
  if (!refusal && lost && $("banner").dataset.kind === "bad") banner("");
  lost = refusal;
  showLink();
}

function showLink() {
  const place = $("link");
  const waiting = outbox.length;
  place.dataset.state = lost ? "lost" : waiting ? "wait" : "saved";
  place.textContent = lost ? (waiting ? `${waiting} not saved` : "not connected") : waiting ? `saving ${waiting} …` : "all saved";
  if (!lost) return;
  const what = lost.kind === "line" ? "The server does not answer (it was stopped, or the line is cut); trying again." : lost.message;
  banner(what + (waiting ? ` ${many(waiting, "answer")} kept in this page, not saved yet.` : ""));
}

// No question until the server has been asked again.
function forget() {
  upcoming = [];
  turn += 1;
  asking = true;
  show(undefined);
}

// Ask the server where things stand and for the questions to come.
async function look() {
  clearTimeout(timer);
  const asked = turn;
  const wanted = queue;
  const exclude = [...skipped.slice(-1000), ...outbox.entries.map((e) => e.item).filter(Boolean)];
  try {
    const reply = await post("state", { queue: wanted, count: UPCOMING, exclude });
    if (!outbox.length) reached(null);
    take(reply, asked === turn && wanted === queue && !outbox.length);
  } catch (refusal) {
    if (!(refusal instanceof Refused)) throw refusal;
    reached(refusal);
    timer = setTimeout(look, LIVELY);
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(look, state.work.phase || !state.work.ready ? LIVELY : QUIET);
}

function take(reply, current) {
  const moved = current && outbox.revision !== null && reply.revision !== outbox.revision;
  const first = state === null;
  const ready = state !== null && !state.work.ready && reply.work.ready;
  state = reply;
  $("dataset").textContent = reply.dataset;
  drawQueues();
  panel.draw($("panel"), state, keys, acceptAll);
  if (first) drawKeypad();
  if (queue === null || (ready && !picked && (board === null || board.pristine))) return choose(best());
  if (!current) return undefined;
  outbox.revision = reply.revision;
  if (moved) {
    banner("Labels changed elsewhere (another tab or program); this page has followed.", "good");
    board = null;
  }
  asking = false;
  const shown = board?.item.id;
  const items = reply.items.filter((item) => item.id !== shown);
  if (board === null) show(items.shift());
  else if (board.pristine) refresh(reply.items.find((item) => item.id === shown));
  upcoming = items;
  preload();
  outbox.pump();
  return undefined;
}

// The same question may have got a proposal since.
function refresh(item) {
  if (!item || JSON.stringify(item) === JSON.stringify(board.item)) return;
  const cursor = board.cursor;
  board = new Board(item, state.boot, state.glyphs);
  board.cursor = cursor !== null && cursor < item.members.length ? cursor : board.cursor;
  draw();
}

function best() {
  const wished = state.panel?.best_queue;
  const filled = state.queues.filter((q) => q.count > 0).sort((a, b) => b.worth - a.worth);
  return wished ?? filled[0]?.name ?? state.queues[0].name;
}

function preload() {
  for (const item of upcoming) {
    for (const member of item.members.slice(0, 60)) new Image().src = glyphSource(member, state.boot);
  }
}

function pick(name) {
  picked = true;
  choose(name);
}

function choose(name) {
  if (!name || name === queue) return;
  queue = name;
  forget();
  drawQueues();
  look();
}

function show(item) {
  board = item ? new Board(item, state.boot, state.glyphs) : null;
  draw();
}

function draw() {
  const view = board ? question(board, clicks) : nothing(state, queue, asking);
  $("stage").replaceChildren(view);
  view.querySelector(".cursor")?.scrollIntoView({ block: "nearest" });
}

const clicks = {
  toggle(k) {
    keys += 1;
    board.toggle(k);
    draw();
  },
  point(k) {
    keys += 1;
    board.point(k);
    draw();
  },
};

function drawQueues() {
  $("queues").replaceChildren(...state.queues.map((q) => h("button", {
    type: "button", "aria-current": q.name === queue ? "page" : null, title: q.hint,
    onclick: () => pick(q.name),
  }, q.title, h("span.count", {}, q.count.toLocaleString("en")),
  q.count && q.worth >= 0.05 ? h("span.worth", { title: "labels put right by the next key" }, `+${q.worth < 10 ? q.worth.toFixed(1) : Math.round(q.worth)}`) : null)));
}

function drawKeypad() {
  const commands = [["↵", "Enter", "accept"], ["⇧↵", "Enter", "accept the rest", true], ["␣", " ", "skip"],
    ["∅", "Delete", "not a glyph"], ["⌫", "Backspace", "undo"]];
  const all = [...[...state.alphabet].map((c) => [c, c, c]), ...commands];
  $("keypad").replaceChildren(...all.map(([shown, key, name, shiftKey]) =>
    h("button", { type: "button", "aria-label": name, onclick: () => press({ key, shiftKey }) }, shown)));
}

function say(text) {
  $("message").textContent = text;
}

function send(answer) {
  const name = token();
  const { typed, spread, shown, done } = answer;
  strip.add(name, shown, spread.length - (typed.length ? 0 : 1), state.boot);
  history.push({ token: name, act: null, board, tile: answer.tile });
  history = history.slice(-HISTORY);
  turn += 1;
  outbox.push({ path: "act", item: done ? board.item.id : null, body: { token: name, session, queue, typed, spread, keystrokes: keys } });
  keys = 0;
  showLink();
  asking = done && upcoming.length === 0;
  if (done) show(upcoming.shift());
  else draw();
}

function perform(result) {
  if (result === null) return draw();
  if (result.say) {
    say(result.say);
    return result.done ? skip() : undefined;
  }
  return send(result);
}

function skip() {
  if (!board) return;
  skipped.push(board.item.id);
  turn += 1;
  asking = upcoming.length === 0;
  show(upcoming.shift());
  if (upcoming.length < 2) look();
}

function undo() {
  if (board?.rubOut()) return draw();
  turn += 1;
  outbox.push({ path: "undo", item: null, body: { token: token(), session, keystrokes: keys } });
  keys = 0;
  return showLink();
}

// The server took an act back: bring its question back if it was asked in this page.
function undone(reply) {
  if (reply.undone === null) return say("There is nothing left to undo.");
  const past = history.find((one) => one.act === reply.undone.act);
  history = history.filter((one) => one !== past);
  turn += 1;
  if (!past) {
    forget();
    return say(reply.undone.kind === "rest" ? "Undone: the proposals wait again." : `Undid an earlier act (${reply.undone.kind}).`);
  }
  strip.remove(past.token);
  say("Undone.");
  if (past.tile) past.board.settled.delete(past.tile);
  else past.board.values = [];
  if (board && board !== past.board) upcoming.unshift(board.item);
  if (past.board.item.queue !== queue) {
    queue = past.board.item.queue;
    upcoming = [];
    drawQueues();
  }
  board = past.board;
  return draw();
}

async function acceptAll() {
  if (!state.panel?.waiting) return say("No proposals wait to be accepted.");
  if (!(await confirmRest(state.panel))) return undefined;
  turn += 1;
  outbox.push({ path: "rest", item: null, body: { token: token(), session, keystrokes: keys + 1 } });
  keys = 0;
  return showLink();
}

function accepted(reply) {
  say(`${many(reply.labels, "proposal")} accepted.`);
  [queue, picked] = [null, false];
  forget();
}

function columns() {
  const tiles = [...document.querySelectorAll("#stage [data-rows] > button")];
  const top = tiles[0]?.offsetTop;
  return Math.max(1, tiles.filter((t) => t.offsetTop === top).length);
}

function turnQueue(step) {
  const filled = state.queues.filter((q) => q.count > 0 || q.name === queue).map((q) => q.name);
  pick(filled[(filled.indexOf(queue) + step + filled.length) % filled.length]);
}

const COMMANDS = {
  accept: () => board && perform(board.accept()),
  "accept-all": acceptAll,
  "accept-rest": () => board && perform(board.acceptRest()),
  bad: () => board && perform(board.bad()),
  skip: () => (board?.toggle() ? draw() : skip()),
  "skip-all": skip,
  undo,
  clear: () => board && (board.clear(), draw()),
  left: () => board && (board.move("left", columns()), draw()),
  right: () => board && (board.move("right", columns()), draw()),
  up: () => board && (board.move("up", columns()), draw()),
  down: () => board && (board.move("down", columns()), draw()),
  before: () => turnQueue(-1),
  after: () => turnQueue(1),
  help: () => $("help").showModal(),
  retrain: async () => say((await post("retrain", {})).started ? "Learning from the labels so far …" : "Not ready for that yet."),
};
const FREE = new Set(["help"]); // not part of labelling, so not counted

function press(event) {
  if (state === null) return;
  const meant = meaning({ repeat: false, ...event }, state.alphabet);
  if (meant === null) return;
  if (!FREE.has(meant.command)) keys += 1;
  say("");
  if (meant.unknown) say(`‘${meant.unknown}’ is not in the alphabet ${state.alphabet}.`);
  else if (meant.label !== undefined) {
    if (board) perform(board.label(meant.label));
  } else Promise.resolve(COMMANDS[meant.command]()).catch(reached);
  panel.draw($("panel"), state, keys, acceptAll);
}

document.addEventListener("keydown", (event) => {
  if ($("help").open || $("rest").open) return;
  // A button reached by Tab keeps its own Enter and Space.
  if ((event.key === "Enter" || event.key === " ") && document.activeElement?.matches("button:focus-visible")) return;
  const { key, shiftKey, ctrlKey, metaKey, altKey, repeat, isComposing } = event;
  if (state !== null && meaning(event, state.alphabet)) event.preventDefault();
  press({ key, shiftKey, ctrlKey, metaKey, altKey, repeat, isComposing });
});
// After a click the keys belong to the question again, not to the button.
document.addEventListener("click", (event) => event.detail && document.activeElement?.blur());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
window.addEventListener("online", () => look());
$("open-help").addEventListener("click", () => $("help").showModal());
tabs.addEventListener("message", () => look());
outbox.pump(); // what an earlier load of this tab could not send
look();
