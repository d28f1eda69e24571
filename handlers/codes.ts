import { randomInt } from 'node:crypto';

/** No 0/O, 1/I/L, 5/S, 8/B, 2/Z, U/V: what is read out over the telephone is typed back right. */
const ALPHABET = 'ACDEFGHJKMNPQRTWXY34679';

const letters = (count: number) =>
  Array.from({ length: count }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

/** What the sender of a report keeps: "TB-7K3M". */
export const makeReceiptCode = () => `TB-${letters(4)}`;

/** Opens the door once or a few times: "MOI-7K3M4-XQ9TR" (45 bits). */
export const makeInvitationCode = () => `MOI-${letters(5)}-${letters(5)}`;

/** Makes the first chief: "TRUONG-7K3M4-XQ9TR". */
export const makeChiefCode = () => `TRUONG-${letters(5)}-${letters(5)}`;

/** Joins another account to one's own: "NOI-7K3M4-XQ9TR". */
export const makeJoinCode = () => `NOI-${letters(5)}-${letters(5)}`;

/** What a long code opens, by how it begins. */
const LONG = { MOI: 'invitation', TRUONG: 'chief', NOI: 'account' } as const;

/** The code in the words, as it was made, or null: any case, blanks and dashes do not matter. */
export function readCode(
  words: string,
): { kind: (typeof LONG)[keyof typeof LONG] | 'receipt'; code: string } | null {
  const bare = words.toUpperCase().replace(/[\s._–—-]+/g, '');
  const long = /^(MOI|TRUONG|NOI)([A-Z0-9]{5})([A-Z0-9]{5})$/.exec(bare);
  if (long !== null)
    return { kind: LONG[long[1] as keyof typeof LONG], code: `${long[1]}-${long[2]}-${long[3]}` };
  const short = /^TB([A-Z0-9]{4})$/.exec(bare);
  return short !== null && /\d|-/.test(words) ? { kind: 'receipt', code: `TB-${short[1]}` } : null;
}
