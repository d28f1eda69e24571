import { after, fold, nfc, readWords } from '../base/vietnamese/text.js';
import type { Command } from './command.js';

/** A command that the beginning of a text may mean, and the words after its name. */
export interface Candidate {
  command: Command;
  words: string;
}

export type Found =
  /** called by a slash: it is this command or none */
  | { kind: 'slash'; candidate: Candidate }
  | { kind: 'unknown-slash'; typed: string; nearest: string[] }
  /** called by its name or an alias; `read` says whether the rest fits. Longest alias first; may be empty. */
  | { kind: 'words'; candidates: Candidate[] };

/**
 * What a text calls. Without a slash the name or an alias must stand at the beginning, whole, with its marks right or
 * missing: "anh" may mean "ảnh", "ánh" may not. With a slash marks don't matter and one slip of the finger is forgiven.
 */
export function findCommand(commands: readonly Command[], text: string): Found {
  const said = nfc(text).trim();
  if (said.startsWith('/')) return findSlash(commands, said);
  const read = readWords(said);
  const candidates: (Candidate & { length: number })[] = [];
  for (const command of commands) {
    let best: (Candidate & { length: number }) | undefined;
    for (const alias of [command.name, ...command.aliases]) {
      const next = after(read, 0, alias.toLowerCase().normalize('NFC'));
      if (next < 0) continue;
      const last = read.tokens[next - 1]!;
      // "ảnh5" is fine, "camera's" is not worth thinking about, "a-b" is another word
      const follower = read.tokens[next];
      if (follower?.glued && /^[-'’_@/.]$/.test(follower.text)) continue;
      const words = withoutLeadingSigns(read.text.slice(last.end));
      if (best === undefined || last.end > best.length) best = { command, words, length: last.end };
    }
    if (best !== undefined) candidates.push(best);
  }
  candidates.sort((a, b) => b.length - a.length);
  return { kind: 'words', candidates: candidates.map(({ command, words }) => ({ command, words })) };
}

const withoutLeadingSigns = (text: string) => text.replace(/^[\s:,.;!?–-]+/, '').trim();

function findSlash(commands: readonly Command[], said: string): Found {
  const match = /^\/\s*([^\s@:,]+)(?:@\S+)?[\s:,]*([\s\S]*)$/.exec(said);
  if (match === null) return { kind: 'unknown-slash', typed: '', nearest: [] };
  const typed = fold(match[1]!);
  const rest = match[2]!.trim();
  const joined = typed.replaceAll(' ', '');
  const exact = commands.find((command) => command.name === joined);
  if (exact !== undefined) return { kind: 'slash', candidate: { command: exact, words: rest } };
  // "/ảnh", "/trợ giúp": an alias, of several words perhaps; the longest wins
  const words = readWords(`${match[1]} ${rest}`);
  let best: (Candidate & { length: number }) | undefined;
  for (const command of commands)
    for (const alias of command.aliases) {
      const sought = fold(alias).split(' ');
      const folded = words.tokens.slice(0, sought.length).map((token) => token.folded);
      if (folded.length < sought.length || folded.join(' ') !== sought.join(' ')) continue;
      const end = words.tokens[sought.length - 1]!.end;
      if (best === undefined || end > best.length)
        best = { command, words: withoutLeadingSigns(words.text.slice(end)), length: end };
    }
  if (best !== undefined) return { kind: 'slash', candidate: { command: best.command, words: best.words } };
  const near = commands
    .map((command) => ({
      command,
      slips: Math.min(
        ...[command.name, ...command.aliases].map((alias) => slips(joined, fold(alias).replaceAll(' ', ''))),
      ),
    }))
    .filter(({ slips: count }) => count <= 2)
    .sort((a, b) => a.slips - b.slips);
  const [first, second] = near;
  if (first?.slips === 1 && second?.slips !== 1 && joined.length >= 4)
    return { kind: 'slash', candidate: { command: first.command, words: rest } };
  return {
    kind: 'unknown-slash',
    typed: match[1]!.slice(0, 40),
    nearest: joined.length < 3 ? [] : near.slice(0, 2).map(({ command }) => command.name),
  };
}

/** Letters put in, left out, changed or swapped between two words. */
export function slips(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(row[j - 1]! + 1, rows[i - 1]![j]! + 1, rows[i - 1]![j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      row.push(least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
