// From a key to what it means. A character of the alphabet is always a label, whatever else it could mean.

export function fold(character, { alphabet, folded }) {
  if (alphabet.includes(character)) return character;
  if (!folded) return null;
  const lower = character.toLowerCase();
  const swapped = lower === character ? character.toUpperCase() : lower;
  return alphabet.includes(swapped) ? swapped : null;
}

const COMMANDS = {
  Enter: "accept", Backspace: "undo", Delete: "bad", "-": "bad", " ": "skip", "?": "help", "+": "retrain",
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  PageUp: "before", PageDown: "after", Escape: "clear",
};
const CHARACTER = /^[\p{L}\p{N}]$/u;
const REPEATABLE = new Set(["left", "right", "up", "down"]); // a key held down must not label a row of glyphs

// {label} or {command} or {unknown} or null where the key is none of ours. In a text every letter and digit is one,
// whether the alphabet has it or not.
export function meaning(event, state, text = false) {
  if (["y", "z"].includes(event.key.toLowerCase()) && (event.ctrlKey || event.metaKey) && !event.altKey) {
    return event.repeat ? null : { command: event.key.toLowerCase() === "y" || event.shiftKey ? "redo" : "undo" };
  }
  if (event.key.toLowerCase() === "c" && event.altKey && !event.ctrlKey && !event.metaKey) return { command: "case" };
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.isComposing) {
    return event.repeat ? null : { command: "accept-all" };
  }
  if (event.key === "Delete" && event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey) {
    return event.repeat ? null : { command: "discard" };
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  if ([...event.key].length === 1 && event.key !== " ") {
    // In which case a text is saved the server says: capitals in it tell that case matters.
    const label = text && CHARACTER.test(event.key) ? event.key : fold(event.key, state);
    if (label !== null) return event.repeat ? null : { label, folded: label !== event.key };
  }
  const command = COMMANDS[event.key];
  if (command === undefined) return CHARACTER.test(event.key) && !event.repeat ? { unknown: event.key } : null;
  if (event.repeat && !REPEATABLE.has(command)) return null;
  if (command === "accept" && event.shiftKey) return { command: "accept-rest" };
  if (command === "skip" && event.shiftKey) return { command: "skip-all" };
  return { command };
}
