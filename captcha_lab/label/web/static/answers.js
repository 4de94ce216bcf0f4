// From what was pressed to the labels it gives: [[image, position, value], …], by hand and following along.

export const NOT_A_GLYPH = "";
export const key = (member) => `${member.image_id}-${member.position}`;
const mark = (member, value) => [member.image_id, member.position, value];

// One key for a glyph or a whole cluster: the picture by hand, its look-alikes with it.
export function typed(item, value, leftOut) {
  const [first, ...rest] = item.members.filter((m) => !leftOut.has(key(m)));
  const spread = rest.map((m) => mark(m, value));
  if (item.kind === "glyph") spread.push(...follow(item, first, value));
  return { typed: [mark(first, value)], spread };
}

// The text of a whole captcha, one value per member.
export function text(item, values) {
  return { typed: item.members.map((m, k) => mark(m, values[k])), spread: [] };
}

// One tile of a page, with its look-alikes.
export function tile(item, member, value) {
  return { typed: [mark(member, value)], spread: follow(item, member, value) };
}

// The rest of a page: every tile that is neither settled nor left out gets the proposal it shows.
export function rest(item, settled, leftOut) {
  const chosen = item.members.filter((m) => m.proposal !== null && !settled.has(key(m)) && !leftOut.has(key(m)));
  const spread = chosen.flatMap((m) => [mark(m, m.proposal), ...follow(item, m, m.proposal)]);
  return { typed: [], spread };
}

function follow(item, member, value) {
  return (item.look_alikes[member.row] || []).map(([image, position]) => [image, position, value]);
}
