/** The element with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Makes an element. Text goes in as text nodes only: nothing anybody wrote is ever read as HTML.
 * @param {string} tag
 * @param {Record<string, any>} facts attributes; `on…` are listeners, `class` the class list
 * @param {...(Node | string | null | undefined | false)} inside
 */
export function make(tag, facts = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...inside.filter((part) => part !== null && part !== undefined && part !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/** One of the page's drawn signs. @param {string} name */
export function sign(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A colour for a name, always the same. @param {string} name */
export function hueOf(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 3600;
  return String(sum % 360);
}

/** A round face with the initial of the last word of a name, as Vietnamese names are called. @param {string} name */
export function face(name) {
  const last = name.trim().split(/\s+/).at(-1) ?? '?';
  const element = make('span', { class: 'face', 'aria-hidden': 'true' }, last.slice(0, 1).toUpperCase());
  element.style.setProperty('--hue', hueOf(name));
  return element;
}

export function botFace() {
  return make(
    'span',
    { class: 'face', 'aria-hidden': 'true' },
    make('img', { src: '/assets/eye.svg', alt: '' }),
  );
}

export function groupFace(name) {
  const element = make('span', { class: 'face', 'aria-hidden': 'true' }, sign('group'));
  element.style.setProperty('--hue', hueOf(name));
  return element;
}

const zone = { timeZone: 'Asia/Ho_Chi_Minh' };
const clockFormat = new Intl.DateTimeFormat('vi-VN', { ...zone, hour: '2-digit', minute: '2-digit' });
const dayFormat = new Intl.DateTimeFormat('vi-VN', {
  ...zone,
  weekday: 'long',
  day: 'numeric',
  month: 'numeric',
  year: 'numeric',
});

export const clockText = (ms) => clockFormat.format(ms);
export const dayKey = (ms) => dayFormat.format(ms);
export function dayText(ms) {
  if (dayKey(ms) === dayKey(Date.now())) return 'Hôm nay';
  if (dayKey(ms) === dayKey(Date.now() - 86_400_000)) return 'Hôm qua';
  const text = dayKey(ms);
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** "1,4 MB" @param {number} bytes */
export function sizeText(bytes) {
  if (bytes < 1_000_000) return `${Math.max(1, Math.round(bytes / 1000))} KB`;
  return `${(bytes / 1_000_000).toFixed(1).replace('.', ',')} MB`;
}
