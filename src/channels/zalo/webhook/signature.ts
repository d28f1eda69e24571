import { createHash } from 'node:crypto';
import { sameSecret } from '../../../base/same.js';

export interface SignatureKeys {
  appId: string;
  /** the OA secret key */
  secret: string;
}

const textOf = (value: unknown): string | null =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' && Number.isFinite(value)
      ? String(value)
      : null;

/** The envelope's fields that the signature is made of; null when the body is no such envelope. */
function signedFields(raw: Uint8Array): { timestamp: string; oaId: string | null } | null {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(raw).toString('utf8'));
  } catch {
    return null;
  }
  if (typeof body !== 'object' || body === null) return null;
  const fields = body as Record<string, unknown>;
  const timestamp = textOf(fields.timestamp);
  return timestamp === null ? null : { timestamp, oaId: textOf(fields.oa_id) };
}

/**
 * Is this event of Zalo's? Plain SHA-256 (not HMAC) of first term + the bytes as they came + their timestamp + secret;
 * the first term is the app's id, or else the OA's. Never throws.
 * @param header `X-ZEvent-Signature` as it came; undefined or a list = refused
 */
export function isSigned(raw: Uint8Array, header: unknown, { appId, secret }: SignatureKeys): boolean {
  if (typeof header !== 'string' || secret === '') return false;
  const given = /^(?:mac=)?([0-9a-f]{64})$/i.exec(header.trim())?.[1]?.toLowerCase();
  if (given === undefined) return false;
  const fields = signedFields(raw);
  if (fields === null) return false;
  const sign = (first: string) =>
    createHash('sha256').update(first).update(raw).update(fields.timestamp).update(secret).digest('hex');
  if (sameSecret(given, sign(appId))) return true;
  return fields.oaId !== null && sameSecret(given, sign(fields.oaId));
}

/** Is this event of the Bot Platform's? @param header `X-Bot-Api-Secret-Token` as it came */
export const isFromBotPlatform = (header: unknown, secret: string): boolean =>
  secret !== '' && sameSecret(header, secret);
