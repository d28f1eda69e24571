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
 * The text with these settings: each in the line where it stood, new ones at the end, everything else as it was. Pure.
 * @param changes '' = the line stays, without a value
 */
export function changeEnvText(text: string, changes: Readonly<Record<string, string>>): string {
  const left = new Map(Object.entries(changes));
  const lines = text === '' ? [] : text.replace(/\r?\n$/, '').split(/\r?\n/);
  const changed = lines.flatMap((line) => {
    const name = /^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=/.exec(line)?.[1];
    if (name === undefined || !(name in changes)) return [line];
    const value = left.get(name);
    left.delete(name);
    // the last line of a name counts: a second one would overrule it
    return value === undefined ? [] : [envLine(name, value)];
  });
  for (const [name, value] of left) if (value !== '') changed.push(envLine(name, value));
  return changed.length === 0 ? '' : `${changed.join('\n')}\n`;
}

/** Quoted where the reader would take something off. */
const envLine = (name: string, value: string) =>
  /^\s|\s$|^(["']).*\1$/.test(value) ? `${name}="${value}"` : `${name}=${value}`;

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
