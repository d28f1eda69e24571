import type { Role } from '../src/base/roles.js';
import { fold } from '../src/base/vietnamese/text.js';

/** Roles as people say them, folded; longer ones first where one begins another. */
const SAID: [string, Role][] = [
  ['truong cong an', 'chief'],
  ['truong thon', 'hamletHead'],
  ['truong khu', 'hamletHead'],
  ['tieu khu truong', 'hamletHead'],
  ['truong ban', 'hamletHead'],
  ['truong xom', 'hamletHead'],
  ['ho thanh vien', 'household'],
  ['ho gia dinh', 'household'],
  ['ho dan', 'household'],
  ['nguoi ung ho', 'donor'],
  ['nha hao tam', 'donor'],
  ['manh thuong quan', 'donor'],
  ['ung ho', 'donor'],
  ['ky thuat vien', 'technician'],
  ['ky thuat', 'technician'],
  ['tho', 'technician'],
  ['can bo cong an', 'officer'],
  ['can bo', 'officer'],
  ['cong an', 'officer'],
  ['chi huy truong', 'chief'],
  ['truong', 'chief'],
  ['khach', 'guest'],
  ['ho', 'household'],
];

/** The role that the words name and nothing else, or null. */
export function readRole(words: string): Role | null {
  const folded = fold(words);
  return SAID.find(([said]) => said === folded)?.[1] ?? null;
}

/** The role that the words begin with, and how many words it took. */
export function readRoleAt(folded: string[]): { role: Role; taken: number } | null {
  for (const [said, role] of SAID) {
    const parts = said.split(' ');
    if (parts.every((part, i) => folded[i] === part)) return { role, taken: parts.length };
  }
  return null;
}
