/**
 * Makes one change of the token file in a process of its own, which goes on when the bot is killed meanwhile: the
 * answer to a refresh is stored by whoever is still there. The order comes on standard input, so that no secret stands
 * in an argument or in the environment; the outcome goes to standard output, if anybody still listens.
 */
import path from 'node:path';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { makeFolder } from '../../../base/durable.js';
import { takeFolder } from '../../../base/folder-lock.js';
import { makeSeal } from '../../../base/seal.js';
import { refreshPair } from '../api/oauth.js';
import { change, makeChange, type Outcome } from './change.js';

export const order = z.object({
  change,
  file: z.string(),
  secretKey: z.string(),
  oauth: z.object({ root: z.string(), appId: z.string(), appSecret: z.string() }),
});
export type Order = z.output<typeof order>;

/** An answer that comes later than this is lost for good, so it is long. */
const REFRESH_MS = 60_000;
/** Longer than one change lasts. */
const LOCK_MS = 90_000;
const LOOK_AGAIN_MS = 20;

async function readOrder(): Promise<Order> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  // half an order of a bot that was killed while it wrote is no JSON: nothing is done
  return order.parse(JSON.parse(Buffer.concat(parts).toString('utf8')));
}

/** One change at a time, whichever process asked for it; the lock ends with this process. */
async function lock(folder: string): Promise<boolean> {
  await makeFolder(folder);
  const until = performance.now() + LOCK_MS;
  while ((await takeFolder(folder)) !== null) {
    if (performance.now() > until) return false;
    await pause(LOOK_AGAIN_MS);
  }
  return true;
}

async function work(): Promise<Outcome> {
  const { change, file, secretKey, oauth } = await readOrder();
  if (!(await lock(path.dirname(file))))
    return { is: 'failed', message: "Zalo's tokens are held by another process" };
  return makeChange(change, {
    file,
    seal: makeSeal(secretKey),
    refresh: (refreshToken) => refreshPair(oauth, refreshToken, { timeoutMs: REFRESH_MS }),
    now: () => Date.now(),
  });
}

// asked to end, it ends when its work is done: within a minute, unless the disk refuses a pair that exists only here
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, () => {});
// the bot that asked may be gone
process.stdout.on('error', () => {});
const made = await work().catch((error: unknown): Outcome => {
  const code = (error as NodeJS.ErrnoException).code;
  const message = error instanceof Error && error.name === 'WorldError' ? error.message : `a fault (${code})`;
  return { is: 'failed', message };
});
process.stdout.write(JSON.stringify(made), () => process.exit(0));
