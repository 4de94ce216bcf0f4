// The page: questions in, keys out. The server has the truth; this page never shows as saved what it has not.

import { Board, fresh, key } from "./board.js";
import { $, h, many } from "./dom.js";
import { meaning } from "./keys.js";
import { Outbox, Refused, post, token } from "./outbox.js";
import * as panel from "./panel.js";
import { confirmRest } from "./rest.js";
import { Strip } from "./strip.js";
import { name, nothing, source, spoken, view } from "./views.js";

const UPCOMING = 6; // questions held ready, so that typing never waits for the line
const QUIET = 5000; // ms between looks at the server when nothing goes on
const LIVELY = 1200; // and while it works
const HISTORY = 500; // answered and skipped questions kept for undo to bring back
const BEST = { name: "best", title: "Best next", hint: "whatever the next key is worth most for", count: null, worth: 0 };

const session = (sessionStorage.sessionId ||= token());
const tabs = new BroadcastChannel(`captcha-lab ${location.pathname}`); // other tabs look when this one has saved
const strip = new Strip($("strip"), again);
let state = null; // the server's last word
let queue = BEST.name;
let upcoming = []; // questions after the one on the board
let board = null;
let skipped = []; // ids of this session
let history = []; // {token, act, board, shown, tile, entry} of answers, {skipped: board} of skips, {aside: board} of
// captchas set aside, in order
let undoneActs = []; // what redo sends again
const taken = new Set(); // tiles answered since the server was last asked: fetched questions may still hold them
const aside = new Set(); // captchas set aside in this page
let newcomer = null; // a character outside the alphabet, pressed once
let keys = 0; // pressed since the last act
let turn = 0; // grows with every answer; a reply from before it brings no questions
let timer = 0;
let lost = null; // why the server can't be reached or can't save, null while all is well
let asking = true; // no question on the board because the next ones are being fetched

const outbox = new Outbox({
  saved(entry, reply) {
    strip.set(entry.body.token, "saved");
    tabs.postMessage(reply.act);
    if (entry.path === "undo") undone(reply);
    else if (entry.path === "rest") accepted(reply);
    else history.filter((past) => past.token === entry.body.token).forEach((past) => (past.act = reply.act));
    const typed = entry.body.value;
    if (typeof reply.value === "string" && typed && reply.value !== typed && entry.path === "act") {
      strip.rename(entry.body.token, reply.value);
      say(`‘${typed}’ is saved as ‘${reply.value}’. Where case matters, press Alt+C.`);
    }
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
  const exclude = [...skipped.slice(-1000), ...outbox.entries.map((e) => e.question).filter(Boolean)];
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
  drawPanel();
  if (first) drawKeypad();
  if (!current) return undefined;
  outbox.revision = reply.revision;
  if (ready && board?.pristine) board = null; // the question of before was asked without knowing anything
  if (moved) {
    banner("Labels changed elsewhere (another tab or program); this page has followed.", "good");
    board = null;
  }
  asking = false;
  taken.clear();
  const shown = board?.question.id;
  const here = new Set(board?.members.map(key));
  const questions = reply.questions.filter((q) => q.id !== shown).map((q) => fresh(q, here, aside)).filter(Boolean);
  if (board === null) show(questions.shift());
  else if (board.pristine) refresh(reply.questions.find((q) => q.id === shown));
  upcoming = questions;
  preload();
  outbox.pump();
  return undefined;
}

// The same question may have got a proposal since.
function refresh(question) {
  if (!question || JSON.stringify(question) === JSON.stringify(board.question)) return;
  const cursor = board.cursor;
  board = new Board(question, state.boot);
  board.cursor = cursor !== null && cursor < question.members.length ? cursor : board.cursor;
  draw();
}

function preload() {
  for (const question of upcoming) {
    for (const member of question.members.slice(0, 60)) new Image().src = source(member, state.boot);
  }
}

function choose(name) {
  if (!name || name === queue) return;
  queue = name;
  forget();
  drawQueues();
  look();
}

function show(question) {
  put(question ? new Board(question, state.boot) : null);
}

// Another board on the stage, and said to those who don't see it.
function put(shown) {
  board = shown;
  if (board) $("spoken").textContent = spoken(board);
  draw();
}

// The next of the questions fetched ahead that is not answered yet.
function next() {
  let found = null;
  while (upcoming.length && found === null) found = fresh(upcoming.shift(), taken, aside);
  asking = found === null;
  show(found);
}

function draw() {
  const drawn = board ? view(board, clicks) : nothing(state, queue, asking);
  $("stage").replaceChildren(drawn);
  drawn.querySelector(".cursor")?.scrollIntoView({ block: "nearest" });
}

function drawPanel() {
  panel.draw($("panel"), state, keys, { acceptAll, choose });
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
  place(k) {
    keys += 1;
    board.place(k);
    draw();
  },
};

function drawQueues() {
  $("queues").replaceChildren(...[BEST, ...state.queues].map((q) => h("button", {
    type: "button", "aria-current": q.name === queue ? "page" : null, title: q.hint,
    onclick: () => choose(q.name),
  }, q.title, q.count === null ? null : h("span.count", {}, q.count.toLocaleString("en")),
  q.count && q.worth >= 0.05 ? h("span.worth", { title: "characters put right by the next key" }, `+${q.worth < 10 ? q.worth.toFixed(1) : Math.round(q.worth)}`) : null)));
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

const SENT = (member) => [member.image_id, member.position, member.proposal];
const what = ({ shown: [, value, count], board: asked }) =>
  `${name(value)}${count > 1 ? ` for ${many(count, asked.texts ? "captcha" : "glyph")}` : ""}`;

// What the server needs of a question to say what an answer means: of a cluster its picture is enough.
function asked(question, members) {
  const { id, kind } = question;
  return { id, queue: question.queue, kind, members: (kind === "cluster" ? members.slice(0, 1) : members).map(SENT) };
}

function send(answer) {
  const { shown, done, tile, value, left_out = [] } = answer;
  const members = answer.members ?? board.members;
  const body = { session, question: asked(board.question, members), value, left_out };
  dispatch({ board, members, shown, tile, done, entry: { path: "act", question: done ? board.question.id : null, body } });
  undoneActs = [];
  if (done) next();
  else draw();
}

function dispatch(past) {
  const name = token();
  strip.add(name, past.shown, state.boot);
  history.push({ ...past, token: name, act: null });
  history = history.slice(-HISTORY);
  turn += 1;
  for (const member of past.members) taken.add(key(member));
  outbox.push({ ...past.entry, body: { ...past.entry.body, keystrokes: keys, token: name } });
  keys = 0;
  showLink();
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
  skipped.push(board.question.id);
  history.push({ skipped: board });
  turn += 1;
  next();
  if (upcoming.length < 2) look();
}

function undo() {
  if (board?.rubOut()) return draw();
  turn += 1;
  const last = history.at(-1);
  if (last?.aside) {
    history.pop();
    setAside(last.aside, false);
    say("The captcha is in use again.");
    return bring(last.aside);
  }
  if (last?.skipped) {
    history.pop();
    skipped = skipped.filter((id) => id !== last.skipped.question.id);
    say("Back to the skipped question.");
    return bring(last.skipped);
  }
  outbox.push({ path: "undo", question: null, body: { token: token(), session, keystrokes: keys } });
  keys = 0;
  return showLink();
}

// Show an earlier board again; the present question waits behind it.
function bring(past) {
  if (board && board !== past) upcoming.unshift(board.question);
  put(past);
}

// The server took an act back: bring its question back if it was asked in this page.
function undone(reply) {
  if (reply.undone === null) return say("There is nothing left to undo.");
  const past = history.find((one) => one.act === reply.undone.act);
  history = history.filter((one) => one !== past);
  turn += 1;
  if (!past) {
    forget();
    const title = state.queues.find((q) => q.name === reply.undone.kind)?.title ?? reply.undone.kind;
    return say(reply.undone.kind === "rest" ? "Undone: the proposals wait again." : `Undone: an earlier answer (${title}).`);
  }
  strip.remove(past.token);
  say(`Undone: ${what(past)}. Ctrl+Y does it again.`);
  undoneActs.push(past);
  for (const member of past.members) taken.delete(key(member));
  if (past.tile) past.board.settled.delete(past.tile);
  return bring(past.board);
}

// The whole picture is of no use: out of the data set with it.
function setAside(on, away) {
  const image = on.member.image_id;
  if (away) aside.add(image);
  else aside.delete(image);
  turn += 1;
  outbox.push({ path: "aside", question: null, body: { token: token(), session, keystrokes: keys, image, aside: away } });
  keys = 0;
  showLink();
}

function discard() {
  if (!board) return undefined;
  const past = board;
  setAside(past, true);
  history.push({ aside: past });
  say(`Captcha ${past.member.image_id} is set aside; Backspace brings it back.`);
  const rest = fresh(past.question, new Set(), aside);
  return rest ? show(rest) : next();
}

// An answer of the strip was clicked: its question is asked again.
function again(name) {
  const past = history.find((one) => one.token === name);
  if (past) bring(new Board(past.board.question, state.boot));
}

function redo() {
  const past = undoneActs.pop();
  if (!past) return say("There is nothing to do again.");
  if (past.tile) past.board.settled.set(past.tile, past.shown[1]);
  dispatch(past);
  // The server may have asked the same question anew since: it is answered with the one that was undone.
  if (past.done && board && !fresh(board.question, taken, aside)) next();
  else if (board?.question.id === past.board.question.id) put(past.board);
  else draw();
  return say(`Done again: ${what(past)}.`);
}

async function acceptAll() {
  if (!state.panel?.waiting) return say("No proposals wait to be accepted.");
  if (!(await confirmRest(state.panel))) return undefined;
  turn += 1;
  outbox.push({ path: "rest", question: null, body: { token: token(), session, keystrokes: keys + 1 } });
  keys = 0;
  return showLink();
}

function accepted(reply) {
  say(`${many(reply.labels, "proposal")} accepted.`);
  queue = BEST.name;
  forget();
}

function columns() {
  const tiles = [...document.querySelectorAll("#stage [data-rows] > button")];
  const top = tiles[0]?.offsetTop;
  return Math.max(1, tiles.filter((t) => t.offsetTop === top).length);
}

function turnQueue(step) {
  const filled = [BEST.name, ...state.queues.filter((q) => q.count > 0 || q.name === queue).map((q) => q.name)];
  choose(filled[(filled.indexOf(queue) + step + filled.length) % filled.length]);
}

const COMMANDS = {
  accept: () => board && perform(board.accept()),
  "accept-all": acceptAll,
  "accept-rest": () => board && perform(board.acceptRest()),
  bad: () => board && perform(board.bad()),
  skip: () => (board?.toggle() ? draw() : skip()),
  "skip-all": skip,
  undo,
  redo,
  discard,
  case: async () => {
    const { folded } = await post("case", { folded: !state.folded });
    say(folded ? "Case is ignored: letters are saved in the alphabet's case." : "Case matters: letters are saved as you type them.");
    look();
  },
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
  const meant = meaning({ repeat: false, ...event }, state, board?.texts);
  if (meant === null) return;
  if (!FREE.has(meant.command)) keys += 1;
  say("");
  if (meant.unknown) stranger(meant.unknown);
  else if (meant.label !== undefined) {
    if (meant.folded && !sessionStorage.folds) {
      sessionStorage.folds = "said";
      say(`‘${event.key}’ is saved as ‘${meant.label}’. Where case matters, press Alt+C.`);
    }
    if (board) perform(board.label(meant.label));
  } else Promise.resolve(COMMANDS[meant.command]()).catch(reached);
  if (meant.unknown === undefined) newcomer = null;
  drawPanel();
}

// A character outside the alphabet joins it when it is pressed twice: once may be a slip.
function stranger(character) {
  if (newcomer !== character) {
    newcomer = character;
    return say(`‘${character}’ is not in the alphabet ${state.alphabet}. Press it again to add it.`);
  }
  newcomer = null;
  return post("alphabet", { character }).then(() => {
    say(`‘${character}’ is in the alphabet now.`);
    state.alphabet += character;
    drawKeypad();
    if (board) perform(board.label(character));
  }).catch(reached);
}

document.addEventListener("keydown", (event) => {
  if ($("help").open || $("rest").open) return;
  // A button reached by Tab keeps its own Enter and Space.
  if ((event.key === "Enter" || event.key === " ") && document.activeElement?.matches("button:focus-visible")) return;
  const { key, shiftKey, ctrlKey, metaKey, altKey, repeat, isComposing } = event;
  if (state !== null && meaning(event, state, board?.texts)) event.preventDefault();
  press({ key, shiftKey, ctrlKey, metaKey, altKey, repeat, isComposing });
});
// After a click the keys belong to the question again, not to the button.
document.addEventListener("click", (event) => event.detail && document.activeElement?.blur());
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
window.addEventListener("online", () => look());
for (const button of document.querySelectorAll("#actions [data-key]")) {
  button.addEventListener("click", () => press({ key: button.dataset.key }));
}

// Large pictures as pixels, or smooth; kept for the next visit.
function smooth(on) {
  document.body.classList.toggle("smooth", on);
  $("smooth").setAttribute("aria-pressed", String(on));
  localStorage.smooth = on ? "yes" : "";
}
smooth(localStorage.smooth === "yes");
$("smooth").addEventListener("click", () => smooth(!localStorage.smooth));
$("open-help").addEventListener("click", () => $("help").showModal());
tabs.addEventListener("message", () => look());
outbox.pump(); // what an earlier load of this tab could not send
look();
