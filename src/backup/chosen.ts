import fs from 'node:fs/promises';
import path from 'node:path';
import { toVietnamTime } from '../base/clock.js';

/** What lies in the data folder and is not backed up, by name in its top. Everything else is, so that a new file is not forgotten. */
const LEFT_OUT: (string | RegExp)[] = [
  // never: far too big, and they have their own disk
  'recordings',
  // made again from recordings
  'clips',
  // what waits to be sent or expires by itself
  'spool',
  'links',
  'console',
  'logs',
  // another installation's
  'demo',
  // of this machine and this moment
  'say.json',
  'first-chief-code.txt',
  'backup-status.json',
  // what this machine measured: on another one, or later, it would make the right time look wrong
  'recorder-clock.json',
  'refused-logins.json',
  '.env',
  'lost+found',
  /^backup-work-/,
  /^restore-/,
  /^old-/,
  // SQLite's own, and half-written files
  /\.db-(wal|shm|journal)$/,
  /\.(part|new|tmp|lock|sock)$/,
  // a database set aside because it is broken
  /\.hong/,
];
const REPORTS = 'reports';
/** A file of no known kind that is larger is named, not taken, bytes. */
const MOST_UNKNOWN = 64 * 1024 * 1024;

export const isLeftOut = (name: string) =>
  LEFT_OUT.some((rule) => (typeof rule === 'string' ? rule === name : rule.test(name)));

export interface Chosen {
  /** SQLite files in the top of the folder, by name: to be taken as a snapshot */
  databases: string[];
  /** relative to the folder, with forward slashes */
  files: string[];
  /** small enough to be named: what was there and does not go in */
  leftOut: string[];
}

/**
 * What of a data folder goes into a backup.
 * @param apart absolute folders that stay out wherever they lie: recordings, logs, the backups themselves
 */
export async function choose(folder: string, apart: string[], withReports: boolean): Promise<Chosen> {
  const chosen: Chosen = { databases: [], files: [], leftOut: [] };
  const away = new Set(apart.map((one) => path.resolve(one)));
  const walk = async (below: string, top: boolean): Promise<void> => {
    const entries = await fs.readdir(path.join(folder, below), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const relative = below === '' ? entry.name : `${below}/${entry.name}`;
      const full = path.join(folder, ...relative.split('/'));
      if (away.has(full) || (top && isLeftOut(entry.name)) || /\.(part|new|tmp)$/.test(entry.name)) continue;
      if (top && entry.name === REPORTS && !withReports) {
        chosen.leftOut.push(REPORTS);
        continue;
      }
      if (entry.isDirectory()) await walk(relative, false);
      else if (!entry.isFile()) chosen.leftOut.push(relative);
      else if (top && entry.name.endsWith('.db')) chosen.databases.push(relative);
      else if (!relative.startsWith(`${REPORTS}/`) && (await fs.stat(full)).size > MOST_UNKNOWN)
        chosen.leftOut.push(relative);
      else chosen.files.push(relative);
    }
  };
  await walk('', true);
  // The bot's first: what it knows of the recorder's events is then never newer than the recorder's own copy.
  chosen.databases.sort((a, b) => Number(b === 'bot.db') - Number(a === 'bot.db'));
  return chosen;
}

const NAME = /^mat-than-(\d{8}-\d{4})(?:-(\d+))?\.backup$/;
const two = (value: number) => String(value).padStart(2, '0');

/** "mat-than-20261122-0230.backup", in Vietnam's time; `again` tells apart two of one minute (1 = the first). */
export function backupName(ms: number, again = 1): string {
  const at = toVietnamTime(ms);
  const stamp = `${at.year}${two(at.month)}${two(at.day)}-${two(at.hour)}${two(at.minute)}`;
  return `mat-than-${stamp}${again === 1 ? '' : `-${again}`}.backup`;
}

/** Pure: which backups go so that `keep` stay, by the time in their names. Never `newest`, nor a file of another name. */
export function chooseOld(names: string[], keep: number, newest: string): string[] {
  const order = (name: string): [string, number] => {
    const [, stamp, again] = NAME.exec(name)!;
    return [stamp!, Number(again ?? 1)];
  };
  const old = names
    .filter((name) => NAME.test(name) && name !== newest)
    .sort((a, b) => {
      const [left, right] = [order(a), order(b)];
      return left[0] === right[0] ? right[1] - left[1] : left[0] < right[0] ? 1 : -1;
    });
  return old.slice(Math.max(0, keep - 1));
}
