// Small helpers for building the page; text is always set as text, never as markup.

export const $ = (id) => document.getElementById(id);

// h("p.quiet#id", {title: …, onclick: …}, child or text, …)
export function h(name, attributes = {}, ...children) {
  const [, tag, id, classes] = /^([a-z0-9]+)(?:#([\w-]+))?((?:\.[\w-]+)*)$/.exec(name);
  const element = document.createElement(tag);
  if (id) element.id = id;
  if (classes) element.className = classes.slice(1).replaceAll(".", " ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const many = (count, one, more = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
