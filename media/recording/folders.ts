import fs from 'node:fs/promises';
import path from 'node:path';
import { CAMERA_ID, readSegmentName } from './names.js';

/** Names in a folder, sorted; null when it can't be read, none when it isn't there. */
export async function namesIn(folder: string): Promise<string[] | null> {
  try {
    return (await fs.readdir(folder)).sort();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : null;
  }
}

const LEVELS = [CAMERA_ID, /^(main|sub)$/, /^\d{4}-\d\d-\d\d$/];

/** Whether a name is that of an hour's folder. */
export const isHour = (name: string) => /^\d\d$/.test(name);

/** `2026-11-21` of `cam1/main/2026-11-21/`. */
export const dayOfFolder = (folder: string): string => folder.split('/')[2] ?? '';

/** Orders folders of days: the newest first, within a day by their names. */
export function newestDayFirst(a: string, b: string): number {
  const [dayA, dayB] = [dayOfFolder(a), dayOfFolder(b)];
  return dayA !== dayB ? (dayA < dayB ? 1 : -1) : a < b ? -1 : 1;
}

/**
 * The newest file begun before `beforeMs`, relative, and when it was begun, by its name, epoch ms; null: there is none. Looks
 * into the newest day only, of each stream into its newest hour that has one.
 */
export async function newestFile(
  root: string,
  beforeMs: number,
): Promise<{ path: string; startMs: number } | null> {
  let newest: { path: string; startMs: number } | null = null;
  const folders = await dayFolders(root, new Set());
  for (const folder of folders) {
    if (newest !== null && dayOfFolder(folder) !== dayOfFolder(folders[0]!)) break;
    const hours = ((await namesIn(path.join(root, folder))) ?? []).filter(isHour).reverse();
    for (const hour of hours) {
      let found = false;
      for (const name of (await namesIn(path.join(root, folder, hour))) ?? []) {
        const startMs = readSegmentName(name)?.startMs ?? Number.POSITIVE_INFINITY;
        if (startMs >= beforeMs) continue;
        found = true;
        if (startMs > (newest?.startMs ?? Number.NEGATIVE_INFINITY))
          newest = { path: `${folder}${hour}/${name}`, startMs };
      }
      if (found) break;
    }
  }
  return newest;
}

/** Every `camera/stream/day/` there is, the newest day of all streams first. What can't be read goes into `unread`. */
export async function dayFolders(root: string, unread: Set<string>): Promise<string[]> {
  let level = [''];
  for (const pattern of LEVELS) {
    const next: string[] = [];
    for (const folder of level) {
      const names = await namesIn(path.join(root, folder));
      if (names === null) unread.add(folder);
      else next.push(...names.filter((name) => pattern.test(name)).map((name) => `${folder}${name}/`));
    }
    level = next;
  }
  return level.sort(newestDayFirst);
}
