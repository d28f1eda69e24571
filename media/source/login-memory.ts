import fs from 'node:fs/promises';
import { z } from 'zod';
import { replaceFile } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';

/** A login that a camera refused, as it is kept: nothing in it can be turned back into a host or a password. */
const refusedLogin = z.object({
  /** keyed digest of host and login */
  login: z.string(),
  refusals: z.number().int().positive(),
  /** the last one, epoch ms */
  atMs: z.number(),
  /** keyed digests of the addresses that were refused */
  addresses: z.array(z.string()),
});
export type RefusedLogin = z.output<typeof refusedLogin>;

/** Its name in the data folder. */
export const LOGIN_FILE = 'refused-logins.json';

/** Where refusals are kept over restarts of the process. */
export interface LoginMemory {
  load(): Promise<RefusedLogin[]>;
  /** Replaces what is kept. Never throws: what can't be written is counted in memory all the same. */
  save(logins: RefusedLogin[]): Promise<void>;
}

/** A file of its own, durable and for nobody else; one that is missing or broken holds nothing. */
export const loginFile = (file: string, log: Log): LoginMemory => ({
  async load() {
    const text = await fs.readFile(file, 'utf8').catch(() => '[]');
    try {
      return z.array(refusedLogin).parse(JSON.parse(text));
    } catch (error) {
      log.warn({ err: error }, 'the refused logins that were kept can not be read: they are counted anew');
      return [];
    }
  },
  async save(logins) {
    await replaceFile(file, JSON.stringify(logins), 0o600).catch((error) =>
      log.error({ err: error }, 'refused logins can not be written down: a restart would try them again'),
    );
  },
});
