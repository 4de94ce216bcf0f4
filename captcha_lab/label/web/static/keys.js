// From a key to what it means. A character of the alphabet is always a label, whatever else it could mean.

export function fold(character, alphabet) {
  if (alphabet.includes(character)) return character;
  const lower = character.toLowerCase();
  const swapped = lower === character ? character.toUpperCase() : lower;
  return alphabet.includes(swapped) ? swapped : null;
}

const COMMANDS = {
  Enter: "accept", Backspace: "undo", Delete: "bad", "-": "bad", " ": "skip", "?": "help", "+": "retrain",
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  PageUp: "before", PageDown: "after", Escape: "clear",
};
const REPEATABLE = new Set(["left", "right", "up", "down"]); // a key held down must not label a row of glyphs

// {label} or {command} or {unknown} or null where the key is none of ours
export function meaning(event, alphabet) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.isComposing) {
    return event.repeat ? null : { command: "accept-all" };
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
  if ([...event.key].length === 1 && event.key !== " ") {
    const label = fold(event.key, alphabet);
    if (label !== null) return event.repeat ? null : { label };
  }
  const command = COMMANDS[event.key];
  if (command === undefined) return /^[\p{L}\p{N}]$/u.test(event.key) && !event.repeat ? { unknown: event.key } : null;
  if (event.repeat && !REPEATABLE.has(command)) return null;
  if (command === "accept" && event.shiftKey) return { command: "accept-rest" };
  if (command === "skip" && event.shiftKey) return { command: "skip-all" };
  return { command };
}
