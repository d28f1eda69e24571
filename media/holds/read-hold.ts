import { hold as holdSchema } from '../api-schemas.js';
import type { Hold } from '../types.js';

/** A hold from the text of its file; null when it is none, or not whole. */
export function readHold(text: string): Hold | null {
  try {
    const parsed = holdSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
