import type { HoldFiles } from '../../media/holds/files.js';
import { Holds, type HoldsOptions } from '../../media/holds/holds.js';
import type { Hold } from '../../media/types.js';
import { quiet } from './stand.js';

/** The holds' folder, in memory; `broken` makes it unreadable, `full` takes nothing. */
export function memoryFiles() {
  const kept = new Map<string, string>();
  const files = {
    kept,
    broken: false,
    full: false,
    async read() {
      if (files.broken) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
      return { holds: [...kept.values()].map((text) => JSON.parse(text) as Hold), spoilt: [] };
    },
    async putAside(name: string) {
      return name;
    },
    async write(hold: Hold) {
      if (files.full) throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
      kept.set(hold.id, JSON.stringify(hold));
    },
  };
  return files satisfies HoldFiles;
}

/** A clock that is believed whatever it says. */
export const believed = (now: () => number) => ({
  now,
  look: async () => ({ nowMs: now(), aheadMs: null as number | null }),
});

/** Holds of a test: in memory unless told otherwise. */
export const holdsFor = (
  index: HoldsOptions['index'],
  now: () => number,
  options: Partial<HoldsOptions> = {},
) =>
  new Holds({
    ...{ files: memoryFiles(), index, log: quiet, tell: () => {}, wall: now, now },
    ...options,
  });
