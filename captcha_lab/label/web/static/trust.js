// The server proves itself to the page before the page speaks: on a shared machine another program may answer at this
// address when the server has stopped. The key is kept in the browser in a form that no script can read out again.

const ROOMS = 20; // starts whose key is kept
const STRANGER = "Another program answers at this address, perhaps the page of another dataset: nothing is sent to it.";

export class Stranger extends Error {}

const room = location.pathname;
const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const said = (who, nonce) => new TextEncoder().encode(`${who}\n${location.host}\n${nonce}`);

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function store(mode) {
  const opening = indexedDB.open("captcha-lab", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
  return (await asked(opening)).transaction("keys", mode).objectStore("keys");
}

async function recall(name) {
  return (await asked((await store("readonly")).get(name)))?.key ?? null;
}

async function keep(name, key) {
  const keys = await store("readwrite");
  keys.put({ key, at: Date.now() }, name);
  const [names, values] = await Promise.all([asked(keys.getAllKeys()), asked(keys.getAll())]);
  const old = names.map((one, k) => [values[k].at, one]).sort().slice(0, -ROOMS);
  for (const [, one] of old) keys.delete(one);
}

async function call(path, body, credentials) {
  const response = await fetch(path, {
    method: "POST", credentials, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    signal: AbortSignal.timeout(15000),
  });
  return { ok: response.ok, ...(await response.json()) };
}

let key = null;
let proven = -Infinity; // when, in the page's own time
let start = null; // of the server that let this page in

// The key, from the browser or, in a page that was just opened by the printed address, from the server.
async function ours() {
  key ??= await recall(room);
  if (key === null) {
    const reply = await call(`${room}api/key`, {}, "same-origin");
    if (!reply.ok) throw new Stranger(reply.error);
    key = await crypto.subtle.importKey("raw", unhex(reply.key), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
    await keep(room, key);
    start = reply.start;
  }
  return key;
}

// Throws a Stranger unless the server has the key, or proved so at most `age` ms ago; where it has started anew, moves
// to its new page.
export async function prove(age = 0) {
  if (performance.now() - proven < age) return undefined;
  const shared = await ours();
  const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
  const hello = await call("/hello", { nonce }, "omit");
  const right = hello.ok && /^[0-9a-f]{64}$/.test(hello.proof)
    && (await crypto.subtle.verify("HMAC", shared, unhex(hello.proof), said("server", `${nonce} ${hello.start}`)));
  if (!right) throw new Stranger(STRANGER);
  start ??= sessionStorage.getItem(`start of ${room}`);
  if (hello.start === start) {
    sessionStorage.setItem(`start of ${room}`, start);
    proven = performance.now();
    return undefined;
  }
  const proof = hex(await crypto.subtle.sign("HMAC", shared, said("page", hello.nonce)));
  const reply = await call("/hello", { nonce: hello.nonce, proof }, "same-origin");
  if (!reply.ok) throw new Stranger(reply.error);
  await keep(`/${reply.room}/`, shared);
  sessionStorage.setItem(`start of /${reply.room}/`, hello.start);
  location.replace(`/${reply.room}/`);
  return new Promise(() => {}); // the new page goes on
}
