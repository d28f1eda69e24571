import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { makeFolder, replaceFile } from '../../../base/durable.js';
import { WorldError } from '../../../base/errors.js';
import type { Seal } from '../../../base/seal.js';

const pair = z.object({
  accessToken: z.string().min(1),
  refreshToken: z.string().min(1),
  /** by the wall clock, epoch ms */
  obtainedMs: z.number(),
  lifetimeMs: z.number(),
});

const kept = z.object({
  pair,
  /** a refresh with this refresh token was about to be sent, and no answer of it is known */
  intent: z.object({ atMs: z.number() }).nullable(),
  /** Zalo refused the refresh token: a person must consent again */
  refused: z
    .object({
      atMs: z.number(),
      code: z.number(),
      /** an answer of Zalo to an earlier refresh never reached us, or was not stored */
      lost: z.boolean(),
      told: z.boolean(),
    })
    .nullable(),
});

export type Pair = z.output<typeof pair>;
/** What the token file holds. */
export type Kept = z.output<typeof kept>;

/** @throws WorldError invalid when it is there and can't be read (another SECRET_KEY, a damaged disk) */
export async function readKept(file: string, seal: Seal): Promise<Kept | null> {
  let sealed: string;
  try {
    sealed = await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new WorldError('invalid', `Zalo's tokens can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    return kept.parse(JSON.parse(seal.open(sealed)));
  } catch {
    throw new WorldError(
      'invalid',
      "Zalo's tokens can't be read: damaged, or sealed with another SECRET_KEY",
    );
  }
}

/** Both tokens at once and durably, in a file that only its owner may read; a failed write changes nothing. */
export async function writeKept(file: string, seal: Seal, value: Kept): Promise<void> {
  await makeFolder(path.dirname(file));
  await replaceFile(file, seal.seal(JSON.stringify(value)), 0o600);
}

const HOUR_MS = 3_600_000;
/** A clock may be corrected backwards by so much without making a token look older than it is. */
const CORRECTED_MS = 60_000;

/**
 * Should it be renewed? With less than two hours to live (a fifth, where it lives shorter), and when its age makes no
 * sense: renewing too early does no harm.
 * @param ageMs since it was obtained, as far as we know
 */
export function isDue({ lifetimeMs }: Pair, ageMs: number): boolean {
  const room = Math.min(2 * HOUR_MS, lifetimeMs / 5);
  return ageMs < -CORRECTED_MS || ageMs >= lifetimeMs - room;
}
