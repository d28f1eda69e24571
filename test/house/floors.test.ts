import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

/** Which rooms a room may import; itself always. Longest prefix wins. */
const FLOORS: [room: string, may: string[]][] = [
  ['src/base', []],
  ['src/store', ['src/base']],
  ['src/chat', ['src/store', 'src/base']],
  ['src/intake', ['src/chat', 'src/base']],
  ['media', ['src/base']],
  // the entry of the service: its parent's way to make a database ready is its own
  ['media/main.ts', ['media', 'src/base', 'src/migrate']],
  ['handlers', ['src/chat', 'src/store', 'src/intake', 'src/base', 'media/types', 'media/client']],
  ['src/demo', ['src/chat', 'src/store', 'src/base', 'media/types', 'media/client']],
  ['src/channels', ['src/chat', 'src/store', 'src/base', 'src/web']],
  ['src/web', ['src/chat', 'src/store', 'src/base']],
  ['src', ['src', 'handlers', 'media']],
];

const walk = (folder: string): string[] =>
  fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'generated' ? [] : walk(full);
    return full.endsWith('.ts') ? [full] : [];
  });

const sources = ['src', 'handlers', 'media'].flatMap(walk);
const importsOf = (file: string) =>
  [...fs.readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
const inRoom = (target: string, room: string) => target === room || target.startsWith(`${room}/`);
const roomOf = (file: string) =>
  FLOORS.filter(([room]) => inRoom(file, room)).sort((a, b) => b[0].length - a[0].length)[0]!;

describe('the house', () => {
  test('imports go downstairs, through doors', () => {
    const wrong = sources.flatMap((file) => {
      const [room, may] = roomOf(file);
      return importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, ''))
        .filter((target) => ![room, ...may].some((allowed) => inRoom(target, allowed)))
        .map((target) => `${file} imports ${target}`);
    });
    expect(sources.length).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  });

  test("only the bot's store and the recorder's index name Prisma", () => {
    const naming = sources.filter((file) => importsOf(file).some((name) => /prisma|generated\//.test(name)));
    expect(naming.filter((file) => !/^(src\/store|media\/index)\//.test(file))).toEqual([]);
    expect(naming.length).toBeGreaterThan(1);
  });

  test("nothing asks the host's clock zone", () => {
    const zoned =
      /\.(getHours|getMinutes|getSeconds|getDate|getDay|getMonth|getFullYear|setHours|getTimezoneOffset|toLocale(?:Date|Time)?String)\(/;
    expect(sources.filter((file) => zoned.test(fs.readFileSync(file, 'utf8')))).toEqual([]);
  });

  test('acting as somebody else is loaded only by the demo', () => {
    const importers = sources.filter((file) =>
      /from '[^']*personas\.js'/.test(fs.readFileSync(file, 'utf8')),
    );
    const types = importers.filter(
      (file) => !/import type[^;]*personas\.js'/.test(fs.readFileSync(file, 'utf8')),
    );
    expect(types).toEqual([]);
  });
});
