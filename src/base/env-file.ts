import fs from 'node:fs';
import path from 'node:path';
import { makeKey, makeToken } from './seal.js';

/** Reads a `.env` file; a missing one is empty. */
export const readEnvFile = (file: string): Record<string, string> =>
  fs.existsSync(file) ? readEnvText(fs.readFileSync(file, 'utf8')) : {};

/** The settings in a text: `NAME=value` lines, `#` comments, optional quotes. */
export function readEnvText(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match) found[match[1]!] = match[2]!.replace(/^(["'])(.*)\1$/, '$2');
  }
  return found;
}

/**
 * Makes the keys that are missing and writes them to `file` (0600) before they are used.
 * @returns the values of both keys
 */
export function ensureKeys(
  file: string,
  env: Record<string, string | undefined>,
): { SECRET_KEY: string; RECORDER_TOKEN: string } {
  const have = { ...readEnvFile(file) };
  const keys = {
    SECRET_KEY: env.SECRET_KEY || have.SECRET_KEY || '',
    RECORDER_TOKEN: env.RECORDER_TOKEN || have.RECORDER_TOKEN || '',
  };
  const added: string[] = [];
  if (keys.SECRET_KEY === '') {
    keys.SECRET_KEY = makeKey();
    added.push(`SECRET_KEY=${keys.SECRET_KEY}`);
  }
  if (keys.RECORDER_TOKEN === '') {
    keys.RECORDER_TOKEN = makeToken();
    added.push(`RECORDER_TOKEN=${keys.RECORDER_TOKEN}`);
  }
  if (added.length > 0) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').replace(/\n*$/, '\n') : '';
    const next = `${file}.new`;
    fs.writeFileSync(
      next,
      `${before}# Keys made at first start. Keep them: without SECRET_KEY camera addresses can't be read.\n${added.join('\n')}\n`,
      { mode: 0o600 },
    );
    const handle = fs.openSync(next, 'r+');
    fs.fsyncSync(handle);
    fs.closeSync(handle);
    fs.renameSync(next, file);
  }
  return keys;
}
