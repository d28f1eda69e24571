import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { replaceFile } from '../../src/base/durable.js';
import type { Seal } from '../../src/base/seal.js';
import { type Signer, sha256 } from './record.js';

/** The public keys that ever signed, in the recordings' folder. */
export const KEYS_FILE = 'keys.json';
/** The private key, sealed, in DATA_DIR: apart from the index, which may be lost and rebuilt without it. */
const PRIVATE_FILE = 'recordings-key.json';

export interface PublicKey {
  /** first 16 hex digits of the SHA-256 of the key */
  key: string;
  /** SPKI, base64 */
  publicKey: string;
  /** epoch ms */
  sinceMs: number;
  /** the key's own signature over the entry without it, base64 */
  sig: string;
}

interface PrivateFile {
  /** PKCS 8, sealed with SECRET_KEY */
  sealed: string;
  keys: PublicKey[];
}

const idOf = (spki: Buffer) => sha256(spki).slice(0, 16);
const entryText = ({ key, publicKey, sinceMs }: Omit<PublicKey, 'sig'>) =>
  JSON.stringify({ key, publicKey, sinceMs });
const keysText = (keys: readonly PublicKey[]) => `${JSON.stringify({ keys }, null, 2)}\n`;

/** The text of a file; null when it isn't there. */
async function textOf(file: string): Promise<string | null> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Public keys by id. */
export type PublicKeys = Map<string, { publicKey: KeyObject; sinceMs: number }>;

/** The public keys by id, each proved by its own signature; null when the text was altered. */
export function readPublicKeys(text: string): PublicKeys | null {
  const found: PublicKeys = new Map();
  try {
    const { keys } = JSON.parse(text) as { keys: PublicKey[] };
    if (keysText(keys) !== text) return null;
    for (const entry of keys) {
      const spki = Buffer.from(entry.publicKey, 'base64');
      const sig = Buffer.from(entry.sig, 'base64');
      const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
      const proved = verify(null, Buffer.from(entryText(entry)), publicKey, sig);
      const plain = spki.toString('base64') === entry.publicKey && sig.toString('base64') === entry.sig;
      if (!proved || !plain || idOf(spki) !== entry.key) return null;
      found.set(entry.key, { publicKey, sinceMs: entry.sinceMs });
    }
  } catch {
    return null;
  }
  return found;
}

export interface Keys extends Signer {
  all: PublicKey[];
  /** a key had to be made, and it is not the first */
  renewed: boolean;
}

function makeKeys(nowMs: number): { pem: string; entry: PublicKey } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const spki = publicKey.export({ format: 'der', type: 'spki' });
  const entry = { key: idOf(spki), publicKey: spki.toString('base64'), sinceMs: nowMs };
  const sig = sign(null, Buffer.from(entryText(entry)), privateKey).toString('base64');
  return { pem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string, entry: { ...entry, sig } };
}

const entriesIn = (text: string | null): PublicKey[] =>
  text === null || readPublicKeys(text) === null ? [] : (JSON.parse(text) as { keys: PublicKey[] }).keys;

/** What the private file holds; null when it isn't there, was altered, or is sealed with another SECRET_KEY. */
function openPrivate(text: string | null, seal: Seal): (PrivateFile & { pem: string }) | null {
  if (text === null) return null;
  try {
    const file = JSON.parse(text) as PrivateFile;
    return { ...file, keys: file.keys ?? [], pem: seal.open(file.sealed) };
  } catch {
    return null;
  }
}

/**
 * The key that signs, made at the first start or when the old one can't be read. Public keys are kept in both places
 * and united, so that the recordings' disk alone can be verified. Throws what the file system throws.
 */
export async function openKeys(root: string, dataDir: string, seal: Seal, nowMs: number): Promise<Keys> {
  const privateFile = path.join(dataDir, PRIVATE_FILE);
  const publicFile = path.join(root, KEYS_FILE);
  const [privateText, publicText] = await Promise.all([textOf(privateFile), textOf(publicFile)]);
  const kept = openPrivate(privateText, seal);
  const known = new Map<string, PublicKey>();
  for (const entry of [...entriesIn(publicText), ...(kept?.keys ?? [])]) known.set(entry.key, entry);
  const renewed = kept === null && (known.size > 0 || privateText !== null);
  let pem = kept?.pem;
  if (pem === undefined) {
    if (privateText !== null) await fs.rename(privateFile, `${privateFile}.unreadable-${nowMs}`);
    const made = makeKeys(nowMs);
    known.set(made.entry.key, made.entry);
    pem = made.pem;
  }
  const all = [...known.values()].sort((a, b) => a.sinceMs - b.sinceMs);
  if (kept === null || kept.keys.length !== all.length) {
    const file: PrivateFile = { sealed: seal.seal(pem), keys: all };
    await replaceFile(privateFile, `${JSON.stringify(file)}\n`, 0o600);
  }
  if (publicText !== keysText(all)) {
    if (publicText !== null && entriesIn(publicText).length === 0)
      await fs.rename(publicFile, `${publicFile}.damaged-${nowMs}`);
    await replaceFile(publicFile, keysText(all));
  }
  const privateKey = createPrivateKey(pem);
  const id = idOf(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }));
  return { id, privateKey, all, renewed };
}
