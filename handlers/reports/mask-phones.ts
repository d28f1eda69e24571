/** A Vietnamese phone number as people write it: 0912345678, 0912.345.678, +84 912 345 678, (0237) 3 812 345. */
const PHONE = /(?<![\p{L}\d])(?:\(?\+?84\)?|\(?0)(?:[\s.()-]{0,2}\d){8,10}(?!\d)/gu;
/** Nine bare digits that begin like a mobile number whose 0 was left out. */
const SHORT_PHONE =
  /(?<![\p{L}\d.,])[35789]\d{2}[\s.-]?\d{3}[\s.-]?\d{3}(?![\d.,]*\d)(?!\s*(?:đ|d|đồng|dong|vnd|k)\b)/giu;

/** Hides phone numbers in a text that goes to a group. */
export function maskPhones(text: string): string {
  return text.replace(PHONE, '[số điện thoại]').replace(SHORT_PHONE, '[số điện thoại]');
}
