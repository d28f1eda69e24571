/** Half a character, which neither a database nor another platform takes, and NUL, which ends texts early. */
const BROKEN = /\p{Surrogate}|\0/gu;
/** Marks that turn the direction of what follows: with one in a name the rest of a line reads backwards. */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

/** A text from outside as it can be kept and sent on: NFC, whole characters only. */
export const cleanText = (text: string): string => text.replace(BROKEN, '\ufffd').normalize('NFC');

/** A name from outside: one line that can't change how what stands beside it is read. */
export const cleanName = (name: string): string =>
  cleanText(name).replace(TURNING, '').replace(/\s+/g, ' ').trim();
