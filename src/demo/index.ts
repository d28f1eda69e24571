import { setTimeout as pause } from 'node:timers/promises';
import type { RecorderClient } from '../../media/types.js';
import type { Clock } from '../base/clock.js';
import { WorldError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { ROLE_NAMES } from '../base/roles.js';
import type { Database } from '../store/database.js';
import { GROUPS, PEOPLE, seedDemo } from './seed.js';

/** Who is in which demo group. */
const MEMBERS: Record<(typeof GROUPS)[number]['chatId'], string[]> = {
  'nhom-canbo': ['truong', 'canbo', 'kythuat'],
  'nhom-thon1': ['thon1', 'ho', 'canbo', 'truong'],
  'nhom-chung': PEOPLE.map((person) => person.alias),
};

/** The demo's people as the console shows them; an account's id is the person's alias. */
export const demoPeople = () =>
  PEOPLE.map(({ alias, name, role }) => ({ userId: alias, name, roleName: ROLE_NAMES[role] }));

export const demoGroups = () =>
  GROUPS.map(({ chatId, title }) => ({ chatId, title, members: MEMBERS[chatId] }));

interface Demo {
  db: Database;
  recorder: RecorderClient;
  clock: Clock;
  log: Log;
}

const RETRY_MS = 500;

/** Fills the demo's commune, waiting for the recorder as long as it takes. */
export async function fillDemo({ db, recorder, clock, log }: Demo, signal: AbortSignal): Promise<void> {
  while (!signal.aborted)
    try {
      await seedDemo({ db, recorder, nowMs: clock.now() });
      return;
    } catch (error) {
      if (!(error instanceof WorldError && error.kind === 'unreachable')) throw error;
      log.info('waiting for the recorder to fill the demo');
      await pause(RETRY_MS, undefined, { signal }).catch(() => {});
    }
}
