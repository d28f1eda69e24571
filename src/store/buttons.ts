import { createHash } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import type { Database } from './database.js';

/** What buttons say, for channels whose buttons carry less than that. Never deleted: an old keyboard must work. */
export interface ButtonTexts {
  /** Keeps the words and gives their key (43 characters, ASCII): the same words have the same key. */
  put(says: string): Promise<string>;
  /** null when the key is unknown */
  get(key: string): Promise<string | null>;
}

export function makeButtonTexts(database: Database, clock: Clock): ButtonTexts {
  return {
    async put(says) {
      const key = createHash('sha256').update(says).digest('base64url');
      await database.buttonText.upsert({
        where: { key },
        create: { key, says, createdMs: BigInt(clock.now()) },
        update: {},
      });
      return key;
    },
    async get(key) {
      return (await database.buttonText.findUnique({ where: { key } }))?.says ?? null;
    },
  };
}
