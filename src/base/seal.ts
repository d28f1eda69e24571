import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** Encrypts small secrets at rest (camera addresses, phone numbers): AES-256-GCM, a fresh nonce each time. */
export interface Seal {
  seal(plain: string): string;
  /** Throws when the text was altered or sealed with another key. */
  open(sealed: string): string;
}

/** @param key 32 bytes, base64 or hex, from the `.env` (SECRET_KEY). */
export function makeSeal(key: string): Seal {
  const raw = Buffer.from(key, /^[0-9a-f]{64}$/i.test(key) ? 'hex' : 'base64');
  if (raw.length !== 32) throw new Error('SECRET_KEY must be 32 bytes, base64 or hex');
  return {
    seal(plain) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', raw, nonce);
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return `v1:${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')}`;
    },
    open(sealed) {
      if (!sealed.startsWith('v1:')) throw new Error('not a sealed text');
      const bytes = Buffer.from(sealed.slice(3), 'base64');
      const decipher = createDecipheriv('aes-256-gcm', raw, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    },
  };
}

export const makeKey = () => randomBytes(32).toString('base64');

/** An unguessable token for URLs: 32 random bytes, base64url (43 characters). */
export const makeToken = () => randomBytes(32).toString('base64url');

/** What we keep of a token: its SHA-256, hex. */
export const hashToken = (token: string) => createHash('sha256').update(token).digest('hex');
