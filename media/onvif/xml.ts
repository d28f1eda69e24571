/** Reading of small, hostile XML: no parser, so nothing to expand; each look is linear in the text. */

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const plain = (text: string) =>
  text.replace(/&(amp|lt|gt|quot|apos);/g, (_all, name: string) => ENTITIES[name]!).trim();

/** Text of each element of this local name that holds nothing but text, in order. A document type is refused. */
export function textsOf(xml: string, name: string): string[] {
  if (/<!DOCTYPE|<!ENTITY/i.test(xml)) return [];
  const element = new RegExp(`<(?:[\\w.-]{1,40}:)?${name}(?:\\s[^<>]*)?>([^<]*)<`, 'g');
  return [...xml.matchAll(element)].map((match) => plain(match[1]!));
}

/** The pieces between `<name>` and `</name>`, whatever their prefix. */
export function piecesOf(xml: string, name: string): string[] {
  const open = new RegExp(`<(?:[\\w.-]{1,40}:)?${name}[\\s>]`, 'g');
  const starts = [...xml.matchAll(open)].map((match) => match.index);
  return starts.map((start, i) => xml.slice(start, starts[i + 1] ?? xml.length));
}

/** What a person may read of it: one line, no control signs, at most 100. */
export function shortText(text: unknown): string | null {
  const clean = String(text ?? '')
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
  return clean === '' ? null : [...clean].slice(0, 100).join('');
}
