// Acts on their way to the server: one after the other, kept in this tab until each is acknowledged.
// An act carries its own token, so that sending it again after a lost connection applies it once, and the
// revision of the labels it was made on, so that an act made on a stale page is refused, not applied.

import { Stranger, prove } from "./trust.js";

const KEPT = "captcha-lab outbox";
const PATIENCE = 15000; // ms without an answer after which the line counts as lost
const FRESH = 1000; // ms for which a proof is good enough for a look, which sends no answers
const WAITS = [400, 800, 1500, 3000]; // ms between tries

export class Refused extends Error {
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

export async function post(name, body) {
  let response, reply;
  try {
    await prove(name === "state" ? FRESH : 0);
    response = await fetch(`api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
    });
    reply = await response.json();
  } catch (error) {
    if (error instanceof Stranger) throw new Refused(0, "stranger", error.message);
    throw new Refused(0, "line", "No answer from the server.");
  }
  if (!response.ok) throw new Refused(response.status, reply.kind, reply.error);
  return reply;
}

export function token() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  // on: {saved(entry, reply), dropped(entries, refusal), line(ok, refusal), empty()}
  constructor(on) {
    this.on = on;
    this.entries = [];
    this.revision = null; // of the labels as this page knows them
    this.busy = false;
    this.restore();
  }

  restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) || "null");
      if (kept) [this.entries, this.revision] = [kept.entries, kept.revision];
    } catch {
      sessionStorage.removeItem(KEPT);
    }
  }

  keep() {
    try {
      if (this.entries.length) {
        sessionStorage.setItem(KEPT, JSON.stringify({ entries: this.entries, revision: this.revision }));
      } else {
        sessionStorage.removeItem(KEPT);
      }
    } catch {
      // The browser keeps nothing: a reload would lose what isn't saved, and the page shows it as not saved.
    }
  }

  get length() {
    return this.entries.length;
  }

  push(entry) {
    this.entries.push(entry);
    this.keep();
    this.pump();
  }

  async pump() {
    if (this.busy || !this.entries.length) return;
    this.busy = true;
    let failures = 0;
    while (this.entries.length && this.revision !== null) {
      const entry = this.entries[0];
      try {
        const reply = await post(entry.path, { ...entry.body, revision: this.revision });
        if (failures) this.on.line(true);
        failures = 0;
        if (reply.act !== null) this.revision = reply.act;
        this.entries.shift();
        this.keep();
        this.on.saved(entry, reply);
      } catch (refusal) {
        if (!(refusal instanceof Refused)) throw refusal;
        if (this.givesUp(refusal)) continue;
        this.on.line(false, refusal);
        await new Promise((wake) => setTimeout(wake, WAITS[Math.min(failures++, WAITS.length - 1)]));
      }
    }
    this.busy = false;
    this.on.empty();
  }

  // An act that the server understood and will never take is dropped; all else is sent again.
  givesUp(refusal) {
    if (refusal.kind === "stale") {
      const lost = this.entries.splice(0);
      this.keep();
      this.on.dropped(lost, refusal);
      return true;
    }
    if ([400, 413, 415].includes(refusal.status)) {
      const lost = this.entries.splice(0, 1);
      this.keep();
      this.on.dropped(lost, refusal);
      return true;
    }
    return false;
  }
}
