/** The clock of one process, set at will (libfaketime). Needs `faketime.available`. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { faketimeLibrary } from './debian.js';

export interface FakedClock {
  /** what the process must be started with */
  env: Record<string, string>;
  /** how far it is from ours, seconds */
  readonly offsetS: number;
  /** its time, epoch ms */
  now(): number;
  /** sets it so far from ours, seconds */
  set(offsetS: number): Promise<void>;
  remove(): Promise<void>;
}

/** A clock that goes right until it is set. Its monotonic clock is never touched. */
export async function makeFakedClock(): Promise<FakedClock> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-clock-'));
  const file = join(folder, 'clock');
  let offset = 0;
  const clock: FakedClock = {
    env: {
      ...{ LD_PRELOAD: faketimeLibrary ?? '', FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' },
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    get offsetS() {
      return offset;
    },
    now: () => Date.now() + offset * 1000,
    async set(offsetS) {
      offset = offsetS;
      // libfaketime reads the file at each look at the clock; a half-written one would be no clock at all
      await writeFile(`${file}.new`, offsetS < 0 ? `${offsetS}` : `+${offsetS}`);
      await rename(`${file}.new`, file);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
  await clock.set(0);
  return clock;
}
