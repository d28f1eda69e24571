import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { PassThrough } from 'node:stream';
import { createClient } from '@libsql/client';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { tellBackup } from '../../handlers/alerts/backup.js';
import { RecorderIndex } from '../../media/index/index.js';
import { backupName, choose, chooseOld } from '../../src/backup/chosen.js';
import { type Manifest, readBackup, writeBackup } from '../../src/backup/entries.js';
import { BackupFault, placeFault } from '../../src/backup/fault.js';
import { type BackUpOptions, backUp, backUpNightly } from '../../src/backup/make.js';
import { isBackupDue, startNightly } from '../../src/backup/nightly.js';
import { askPassphrase, typeKeys } from '../../src/backup/passphrase.js';
import { type RestoreOptions, restore, withDataDir } from '../../src/backup/restore.js';
import { HEADER_BYTES, openStream, sealStream } from '../../src/backup/sealed-file.js';
import { MARKER, unfinishedRestore } from '../../src/backup/unfinished.js';
import { readBackupStatus, writeBackupStatus } from '../../src/base/backup-status.js';
import { DAY_MS, fromVietnamTime, systemClock } from '../../src/base/clock.js';
import { readEnvFile } from '../../src/base/env-file.js';
import { findInstallation } from '../../src/base/installation.js';
import { makeLog } from '../../src/base/log.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { migrate } from '../../src/migrate.js';
import { openDatabase } from '../../src/store/database.js';
import { openHouse } from '../support/house.js';
import { endProducts, eventually, startProduct } from '../support/product.js';
import { projectRoot } from '../support/project-root.js';

const PASSPHRASE = 'Con mắt thần ở cổng chợ';
/** Cheap to guess, and quick: what a guess costs is not what is tested here. */
const QUICK = { cost: { logN: 4, r: 8, p: 1 } };
const quiet = makeLog({ name: 'test', level: 'silent', dir: null });
const program = (name: string) => path.join(projectRoot, 'dist', 'src', 'bin', `${name}.js`);

let folder: string;
const at = (...parts: string[]) => path.join(folder, ...parts);
const write = (file: string, content: string | Buffer) => {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
};
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-backup-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
afterAll(endProducts);

const kindOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no fault',
    (error: unknown) => (error instanceof BackupFault ? error.kind : `other: ${String(error)}`),
  );

async function tablesOf(file: string): Promise<string[]> {
  const client = createClient({ url: `file:${file}` });
  const { rows } = await client.execute(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_prisma_migrations' ORDER BY name",
  );
  client.close();
  return rows.map((row) => String(row[0]));
}

/** Two rows in every table there is, whatever its columns. */
async function fillEveryTable(file: string, sealed: string): Promise<void> {
  const tables = await tablesOf(file);
  const client = createClient({ url: `file:${file}` });
  await client.execute('PRAGMA journal_mode=WAL');
  await client.execute('PRAGMA foreign_keys=OFF');
  for (const table of tables) {
    const columns = (await client.execute(`PRAGMA table_info("${table}")`)).rows.map((row) => ({
      name: String(row.name),
      type: String(row.type),
    }));
    for (const row of [1, 2]) {
      const values = columns.map(({ name, type }) =>
        name.endsWith('Sealed')
          ? sealed
          : name === 'removedMs'
            ? null
            : /INT/.test(type)
              ? 1_790_000_000 + row
              : type === 'REAL'
                ? row / 3
                : type === 'BOOLEAN'
                  ? 1
                  : type === 'BLOB'
                    ? Buffer.from([row])
                    : `${table}.${name} Đặng Thị Ngọ ${row}`,
      );
      const names = columns.map(({ name }) => `"${name}"`).join(', ');
      await client.execute({
        sql: `INSERT INTO "${table}" (${names}) VALUES (${columns.map(() => '?').join(', ')})`,
        args: values,
      });
    }
  }
  client.close();
}

async function contentOf(file: string): Promise<Record<string, unknown[]>> {
  const client = createClient({ url: `file:${file}` });
  const content: Record<string, unknown[]> = {};
  for (const table of await tablesOf(file))
    content[table] = (await client.execute(`SELECT * FROM "${table}" ORDER BY 1, 2`)).rows.map((row) => ({
      ...row,
    }));
  client.close();
  return content;
}

/** The databases with all their tables, migrated once and copied for each test. */
let migrated: string | null = null;
afterAll(() => migrated !== null && fs.rmSync(migrated, { recursive: true, force: true }));
async function migratedDatabases(): Promise<string> {
  if (migrated !== null) return migrated;
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-migrated-'));
  await Promise.all(
    (['bot', 'recorder'] as const).map((name) => migrate(projectRoot, name, path.join(made, `${name}.db`))),
  );
  migrated = made;
  return made;
}

interface Place {
  cwd: string;
  data: string;
  key: string;
}

/** An installation as a year of use leaves it. */
async function makeInstallation(full = true): Promise<Place> {
  const [cwd, data, key] = [at('cwd'), at('data'), makeKey()];
  fs.mkdirSync(data, { recursive: true });
  for (const name of ['bot.db', 'recorder.db'])
    fs.copyFileSync(path.join(await migratedDatabases(), name), path.join(data, name));
  const sealed = makeSeal(key).seal('rtsp://u:p@10.0.0.9/1');
  if (full) for (const name of ['bot.db', 'recorder.db']) await fillEveryTable(path.join(data, name), sealed);
  write(
    path.join(cwd, '.env'),
    `# của chúng tôi\nDATA_DIR=${data}\nTELEGRAM_BOT_TOKEN=1:x\nSECRET_KEY=${key}\nRECORDER_TOKEN=tok\n`,
  );
  write(path.join(data, 'signing', 'ed25519.key'), 'a key that comes later');
  write(path.join(data, 'reports', '2026-11', 'a.jpg'), randomBytes(5000));
  write(path.join(data, 'reports', '2026-11', 'b.jpg.part'), 'half');
  write(path.join(data, 'recordings', 'cam1', 'main', 'x.mp4'), randomBytes(100_000));
  write(path.join(data, 'first-chief-code.txt'), '123-456');
  write(path.join(data, 'recorder-clock.json'), '{}');
  write(path.join(data, 'chain-heads.json'), 'heads of the backup');
  write(path.join(data, 'logs', 'bot.log'), 'log');
  return { cwd, data, key };
}

const installed = ({ cwd }: Place) => findInstallation(cwd, {});
async function backUpTo(place: Place, to: string, changes: Partial<BackUpOptions> = {}) {
  fs.mkdirSync(to, { recursive: true });
  return backUp(installed(place), {
    ...{ place: to, passphrase: PASSPHRASE, version: '0.1.0', seal: QUICK },
    ...changes,
  });
}
const restoreFrom = (file: string, changes: Partial<RestoreOptions> = {}) =>
  restore({
    ...{ file, passphrase: PASSPHRASE, root: projectRoot, cwd: at('new'), dataDir: null, replace: false },
    ...changes,
  });
const filesIn = (where: string): string[] =>
  fs
    .readdirSync(where, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(where, name)).isFile())
    .sort();

const manifest: Manifest = {
  ...{ kind: 'manifest', version: '1', createdMs: 0, demo: false, withReports: false },
  ...{ dataDir: '/d', recordingsDir: '/r', migrations: {}, leftOut: [] },
};
const tiny = { cost: { logN: 1, r: 1, p: 1 }, chunkBytes: 64 };
const readBytes = async (bytes: Buffer, passphrase = PASSPHRASE) => {
  fs.writeFileSync(at('x.backup'), bytes);
  return readBackup(at('x.backup'), passphrase);
};

describe('the envelope', () => {
  /** Nine bytes of a chunk's head, four of its sum, the bytes, the tag. */
  const CHUNK = 9 + 4 + 64 + 16;

  async function makeFile(): Promise<Buffer> {
    const parts: Buffer[] = [];
    const sources = [
      { path: 'bot.db', bytes: randomBytes(700) },
      { path: 'a/b.txt', bytes: Buffer.from('chữ') },
    ];
    for await (const part of writeBackup(manifest, sources, PASSPHRASE, tiny)) parts.push(part);
    return Buffer.concat(parts);
  }

  test('cut anywhere, it says that it is cut', async () => {
    const whole = await makeFile();
    expect((await readBytes(whole)).files.map((file) => file.path)).toEqual(['bot.db', 'a/b.txt']);
    for (let length = 0; length < whole.length; length += 1)
      expect(await kindOf(readBytes(whole.subarray(0, length))), `first ${length} bytes`).toBe('cut');
  }, 60_000);

  test('a changed bit is never taken for anything else, wherever it is', async () => {
    const whole = await makeFile();
    for (let index = 0; index < whole.length; index += 1) {
      const changed = Buffer.from(whole);
      changed[index]! ^= 1 << (index % 8);
      expect(await kindOf(readBytes(changed)), `byte ${index}`).toBe(index < 16 ? 'not-a-backup' : 'damaged');
    }
    expect(await kindOf(readBytes(Buffer.concat([whole, Buffer.from('x')])))).toBe('damaged');
  }, 60_000);

  test('chunks swapped, doubled or missing in the middle are told apart from damage', async () => {
    const whole = await makeFile();
    const chunk = (n: number) => whole.subarray(HEADER_BYTES + n * CHUNK, HEADER_BYTES + (n + 1) * CHUNK);
    const chunks = Math.ceil((whole.length - HEADER_BYTES) / CHUNK);
    expect(chunks).toBeGreaterThan(8);
    const build = (order: number[]) =>
      readBytes(Buffer.concat([whole.subarray(0, HEADER_BYTES), ...order.map(chunk)]));
    const order = [...Array(chunks).keys()];
    expect(await kindOf(build(order))).toBe('no fault');
    expect(await kindOf(build([0, 2, 1, ...order.slice(3)]))).toBe('reordered');
    expect(await kindOf(build([0, 1, 1, ...order.slice(2)]))).toBe('reordered');
    expect(await kindOf(build(order.filter((n) => n !== 4)))).toBe('reordered');
    expect(await kindOf(build(order.slice(0, -1)))).toBe('cut');
  });

  test('a chunk of another backup with the same passphrase does not fit', async () => {
    const [one, other] = [await makeFile(), await makeFile()];
    const mixed = Buffer.from(one);
    other.copy(mixed, HEADER_BYTES + CHUNK, HEADER_BYTES + CHUNK, HEADER_BYTES + 2 * CHUNK);
    expect(await kindOf(readBytes(mixed))).toBe('damaged');
  });

  test('a wrong passphrase is told as that; accents may come composed or not', async () => {
    const whole = await makeFile();
    expect(await kindOf(readBytes(whole, `${PASSPHRASE}.`))).toBe('wrong-passphrase');
    expect(await kindOf(readBytes(whole, PASSPHRASE.normalize('NFD')))).toBe('no fault');
    expect(await kindOf(readBytes(Buffer.from('PK\u0003\u0004 some zip')))).toBe('not-a-backup');
    expect(await kindOf(readBackup(at('nowhere'), PASSPHRASE))).toBe('not-found');
  });

  test('any bytes in any pieces come out as they went in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 200 }),
        async (pieces, chunkBytes) => {
          const sealed: Buffer[] = [];
          const source = (async function* () {
            yield* pieces;
          })();
          for await (const part of sealStream(source, PASSPHRASE, { ...tiny, chunkBytes })) sealed.push(part);
          fs.writeFileSync(at('y'), Buffer.concat(sealed));
          const handle = await fs.promises.open(at('y'));
          const opened: Buffer[] = [];
          try {
            for await (const part of openStream(handle, PASSPHRASE)) opened.push(part);
          } finally {
            await handle.close();
          }
          expect(Buffer.concat(opened)).toEqual(Buffer.concat(pieces));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a path that leads out of the folder is not followed', async () => {
    for (const name of ['../x', '/etc/x', 'a//b', 'a\\b', 'C:x', 'a/../../b']) {
      const parts: Buffer[] = [];
      for await (const part of writeBackup(
        manifest,
        [{ path: name, bytes: Buffer.from('x') }],
        PASSPHRASE,
        tiny,
      ))
        parts.push(part);
      expect(await kindOf(readBytes(Buffer.concat(parts))), name).toBe('damaged');
    }
  });
});

describe('what is backed up while others work on it', () => {
  const whole = async (sources: Parameters<typeof writeBackup>[1]) => {
    const parts: Buffer[] = [];
    for await (const part of writeBackup(manifest, sources, PASSPHRASE, tiny)) parts.push(part);
    return Buffer.concat(parts);
  };

  test('a file that is gone by then is left out, and the rest is whole', async () => {
    write(at('here'), 'here');
    const sources = [
      { path: 'gone', file: at('gone') },
      { path: 'here', file: at('here') },
    ];
    write(at('some.backup'), await whole(sources));
    const { files } = await readBackup(at('some.backup'), PASSPHRASE);
    expect(files).toEqual([{ path: 'here', sizeBytes: 4 }]);
  });

  test('a file in whose place another is put while it is read stays what it was', async () => {
    const [old, next] = [randomBytes(400_000), Buffer.from('short')];
    write(at('head'), old);
    const parts: Buffer[] = [];
    for await (const part of writeBackup(manifest, [{ path: 'head', file: at('head') }], PASSPHRASE, tiny)) {
      if (parts.length === 3) {
        write(at('head.new'), next);
        fs.renameSync(at('head.new'), at('head'));
      }
      parts.push(part);
    }
    expect(fs.readFileSync(at('head'))).toEqual(next);
    write(at('some.backup'), Buffer.concat(parts));
    let read = Buffer.alloc(0);
    await readBackup(at('some.backup'), PASSPHRASE, async (_name, bytes) => {
      for await (const piece of bytes) read = Buffer.concat([read, piece]);
    });
    expect(read.equals(old)).toBe(true);
  });

  test('a data disk that can not be read is not called the stick’s fault', async () => {
    const place = await makeInstallation(false);
    fs.mkdirSync(at('stick'));
    // opens, and can't be read
    const broken = path.join(place.data, 'signing', 'ed25519.key');
    const open = fsp.open;
    vi.spyOn(fsp, 'open').mockImplementation(async (file, ...more) =>
      file === broken ? open(path.dirname(broken), 'r') : open(file, ...more),
    );
    try {
      const fault = await backUpTo(place, at('stick')).catch((error: unknown) => error);
      expect(fault).toMatchObject({ kind: 'source-failed', message: expect.stringContaining('ed25519.key') });
      expect(fs.readdirSync(at('stick'))).toEqual([]);
    } finally {
      vi.restoreAllMocks();
    }
  });

  test('a stick that takes no file of that size is not called full', () => {
    const fault = placeFault(Object.assign(new Error('x'), { code: 'EFBIG' }), '/media/usb');
    expect(fault).toMatchObject({ kind: 'place-failed', message: expect.stringContaining('FAT32') });
  });
});

describe('what an archive may bring', () => {
  test('nothing that we would not have put in, whoever made it', async () => {
    const names = [
      'recordings/cam1/x.mp4',
      'logs/x',
      'demo/.env',
      'first-chief-code.txt',
      'refused-logins.json',
    ];
    const sources = [...names, 'signing/key'].map((name) => ({ path: name, bytes: Buffer.from('x') }));
    const parts: Buffer[] = [];
    const settings = { path: '.env', bytes: Buffer.from(`SECRET_KEY=${makeKey()}\n`) };
    for await (const part of writeBackup(manifest, [settings, ...sources], PASSPHRASE, tiny))
      parts.push(part);
    write(at('some.backup'), Buffer.concat(parts));
    await restoreFrom(at('some.backup'), { dataDir: at('second') });
    expect(filesIn(at('second'))).toEqual([path.join('signing', 'key')]);
  });

  test('heads that are none of ours are damage, not a crash', async () => {
    for (const made of [null, 3, { kind: 'manifest' }, { ...manifest, migrations: { 'bot.db': 'x' } }]) {
      const parts: Buffer[] = [];
      for await (const part of writeBackup(made as never, [], PASSPHRASE, tiny)) parts.push(part);
      expect(await kindOf(readBytes(Buffer.concat(parts))), JSON.stringify(made)).toBe('damaged');
    }
  });

  test('originals go where reports are, on another disk too', async (context) => {
    const other = fs.existsSync('/dev/shm') ? fs.mkdtempSync('/dev/shm/mat-than-') : null;
    if (other === null || fs.statSync(other).dev === fs.statSync(folder).dev) return context.skip();
    try {
      const place = await makeInstallation(false);
      const { file } = await backUpTo(place, at('stick'), { withReports: true });
      fs.mkdirSync(at('second'));
      fs.symlinkSync(other, at('second', 'reports'));
      const { oldFolder } = await restoreFrom(file, { dataDir: at('second') });
      expect(oldFolder).toBeNull();
      expect(fs.readFileSync(path.join(other, '2026-11', 'a.jpg'))).toEqual(
        fs.readFileSync(path.join(place.data, 'reports', '2026-11', 'a.jpg')),
      );
      expect(unfinishedRestore(at('second'))).toBeNull();
    } finally {
      fs.rmSync(other, { recursive: true, force: true });
    }
  });
});

describe('what goes in and what stays', () => {
  test('everything small but what is made again or belongs to this machine; reports only when asked', async () => {
    const place = await makeInstallation();
    const apart = [path.join(place.data, 'recordings'), path.join(place.data, 'logs')];
    const chosen = await choose(place.data, apart, false);
    expect(chosen).toEqual({
      databases: ['bot.db', 'recorder.db'],
      files: ['chain-heads.json', 'signing/ed25519.key'],
      leftOut: ['reports'],
    });
    const all = await choose(place.data, apart, true);
    expect(all.files).toEqual(['chain-heads.json', 'reports/2026-11/a.jpg', 'signing/ed25519.key']);
  });

  test("names tell Vietnam's time, and the oldest go by their names", () => {
    expect(backupName(fromVietnamTime(2026, 11, 22, 2, 30))).toBe('mat-than-20261122-0230.backup');
    const names = [
      ...['mat-than-20261120-0230.backup', 'mat-than-20261122-0230.backup', 'holiday.jpg'],
      ...[
        'mat-than-20261121-0230.backup',
        'mat-than-20261121-0230-2.backup',
        'mat-than-99999999-0000.backup.part',
      ],
    ];
    const newest = 'mat-than-20261122-0230.backup';
    expect(chooseOld(names, 2, newest)).toEqual([
      'mat-than-20261121-0230.backup',
      'mat-than-20261120-0230.backup',
    ]);
    // set back by a year, the clock must not make the one just written the first to go
    expect(chooseOld(names, 1, 'mat-than-20251122-0230.backup')).not.toContain(
      'mat-than-20251122-0230.backup',
    );
    expect(chooseOld(names, 14, newest)).toEqual([]);
  });

  test('it is due once a night, again each hour while it fails, and after a night switched off', () => {
    const night = fromVietnamTime(2026, 11, 22, 2, 30);
    const good = (ms: number) => ({ atMs: ms, lastGoodMs: ms });
    expect(isBackupDue(night, null)).toBe(true);
    expect(isBackupDue(night - 1, good(night - DAY_MS + 1000))).toBe(false);
    expect(isBackupDue(night, good(night - DAY_MS + 1000))).toBe(true);
    expect(isBackupDue(night + 60_000, good(night + 1000))).toBe(false);
    expect(isBackupDue(night + 8 * 3_600_000, good(night - 2 * DAY_MS))).toBe(true);
    expect(isBackupDue(night + 3_000_000, { atMs: night, lastGoodMs: null })).toBe(false);
    expect(isBackupDue(night + 3_600_000, { atMs: night, lastGoodMs: null })).toBe(true);
    // the clock was a year ahead when the last one was made
    expect(isBackupDue(night, good(night + 365 * DAY_MS))).toBe(true);
  });
});

describe('there and back', () => {
  test('every row of every table, the settings and keys, and both stores open on them', async () => {
    const place = await makeInstallation();
    const before = {
      bot: await contentOf(path.join(place.data, 'bot.db')),
      recorder: await contentOf(path.join(place.data, 'recorder.db')),
    };
    expect(Object.values(before.bot).every((rows) => rows.length === 2)).toBe(true);
    const { file, sameDisk } = await backUpTo(place, at('stick'), { withReports: true });
    expect(sameDisk).toBe(true);
    expect(fs.statSync(file).mode & 0o077).toBe(0);
    const bytes = fs.readFileSync(file);
    for (const secret of [place.key, 'Đặng Thị Ngọ', PASSPHRASE, 'SECRET_KEY', 'bot.db'])
      expect(bytes.includes(secret), secret).toBe(false);
    expect(filesIn(at('data')).filter((name) => name.startsWith('backup-work'))).toEqual([]);

    const restored = await restoreFrom(file, { dataDir: at('second') });
    expect(await contentOf(at('second', 'bot.db'))).toEqual(before.bot);
    expect(await contentOf(at('second', 'recorder.db'))).toEqual(before.recorder);
    expect(restored.keysFit).toBe(true);
    expect(readEnvFile(at('new', '.env'))).toEqual({
      ...readEnvFile(path.join(place.cwd, '.env')),
      DATA_DIR: at('second'),
    });
    for (const name of [at('new', '.env'), at('second', 'bot.db'), at('second', 'recorder.db')])
      expect(fs.statSync(name).mode & 0o077, name).toBe(0);
    expect(fs.readFileSync(at('second', 'signing', 'ed25519.key'), 'utf8')).toBe('a key that comes later');
    expect(fs.readFileSync(at('second', 'reports', '2026-11', 'a.jpg'))).toEqual(
      fs.readFileSync(path.join(place.data, 'reports', '2026-11', 'a.jpg')),
    );
    for (const name of ['first-chief-code.txt', 'recordings', 'logs', 'recorder-clock.json', MARKER])
      expect(fs.existsSync(at('second', name)), name).toBe(false);
    expect(restored.summary.join('\n')).toMatch(/2 người.*2 khoản ủng hộ.*2 tin báo/);

    const bot = await openDatabase(at('second', 'bot.db'));
    expect(await bot.person.count()).toBe(2);
    await bot.$disconnect();
    const index = await RecorderIndex.open(at('second', 'recorder.db'), makeSeal(place.key));
    expect((await index.cameras.list()).map((camera) => camera.url)).toContain('rtsp://u:p@10.0.0.9/1');
    await index.close();
  }, 60_000);

  test('a copy of one moment, while others write without a pause', async () => {
    const place = await makeInstallation(false);
    const file = path.join(place.data, 'bot.db');
    const writer = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { createClient } from '${path.join(projectRoot, 'node_modules/@libsql/client/lib-esm/node.js')}';
       const db = createClient({ url: 'file:${file}' });
       await db.execute('PRAGMA journal_mode=WAL');
       for (let n = 1; ; n += 1) {
         await db.batch([
           { sql: 'INSERT INTO Hamlet (id, name) VALUES (?, ?)', args: [n, 'thôn ' + n] },
           { sql: "INSERT OR REPLACE INTO Setting (key, value) VALUES ('count', ?)", args: [String(n)] },
         ], 'write');
         if (n === 50) console.log('writing');
         await new Promise(setImmediate);
       }`,
    ]);
    try {
      await once(writer.stdout, 'data');
      const backup = await backUpTo(place, at('stick'));
      expect(writer.exitCode).toBeNull();
      await restoreFrom(backup.file, { dataDir: at('second') });
      const copy = await openDatabase(at('second', 'bot.db'));
      const counted = Number((await copy.setting.findUnique({ where: { key: 'count' } }))?.value);
      expect(counted).toBeGreaterThanOrEqual(50);
      expect(await copy.hamlet.count()).toBe(counted);
      await copy.$disconnect();
    } finally {
      writer.kill('SIGKILL');
      await once(writer, 'close');
    }
  }, 60_000);

  test('what waited a day ago is not said now; what waits this minute is', async () => {
    const place = await makeInstallation(false);
    const bot = await openDatabase(path.join(place.data, 'bot.db'));
    await bot.outbox.create({
      data: {
        key: 'k',
        channel: 'telegram',
        chatId: '1',
        payload: '{}',
        priority: 1,
        createdMs: 0n,
        nextMs: 0n,
      },
    });
    await bot.inbox.create({
      data: { channel: 'telegram', chatId: '1', externalId: '1', payload: '{}', receivedMs: 0n },
    });
    await bot.$disconnect();
    const { file } = await backUpTo(place, at('stick'));
    const states = async (where: string) => {
      const db = await openDatabase(at(where, 'bot.db'));
      const found = [(await db.outbox.findFirst())?.state, (await db.inbox.findFirst())?.state];
      await db.$disconnect();
      return found;
    };
    expect((await restoreFrom(file, { dataDir: at('now') })).settled).toBe(0);
    expect(await states('now')).toEqual(['waiting', 'waiting']);
    const tomorrow = { now: () => Date.now() + DAY_MS };
    const late = await restoreFrom(file, { dataDir: at('late'), cwd: at('new2'), clock: tomorrow });
    expect(late.settled).toBe(2);
    expect(await states('late')).toEqual(['failed', 'done']);
  }, 60_000);

  test('a backup of an older version is brought forward, one of a newer version is refused', async () => {
    const place = await makeInstallation(false);
    for (const name of ['bot', 'recorder'] as const) {
      const first = path.join(projectRoot, 'prisma', name, 'migrations', '0001_begin', 'migration.sql');
      fs.rmSync(path.join(place.data, `${name}.db`));
      // the first version's schema only, as Prisma would have left it
      const old = at(`old-${name}`);
      fs.mkdirSync(path.join(old, 'migrations', '0001_begin'), { recursive: true });
      fs.copyFileSync(first, path.join(old, 'migrations', '0001_begin', 'migration.sql'));
      const current = createClient({ url: `file:${path.join(await migratedDatabases(), `${name}.db`)}` });
      const log = (await current.execute('SELECT * FROM _prisma_migrations ORDER BY migration_name'))
        .rows[0]!;
      const ddl = String(
        (await current.execute("SELECT sql FROM sqlite_master WHERE name = '_prisma_migrations'"))
          .rows[0]![0],
      );
      current.close();
      const client = createClient({ url: `file:${path.join(place.data, `${name}.db`)}` });
      await client.executeMultiple(fs.readFileSync(first, 'utf8'));
      await client.execute(ddl);
      await client.execute({
        sql: `INSERT INTO _prisma_migrations VALUES (${Object.keys(log)
          .map(() => '?')
          .join(', ')})`,
        args: Object.values(log),
      });
      if (name === 'bot') await client.execute("INSERT INTO Hamlet (name) VALUES ('Thôn 1')");
      client.close();
    }
    const { file, manifest } = await backUpTo(place, at('stick'));
    expect(manifest.migrations).toEqual({ 'bot.db': ['0001_begin'], 'recorder.db': ['0001_begin'] });
    await restoreFrom(file, { dataDir: at('second') });
    for (const name of ['bot', 'recorder'])
      expect(Object.keys(await contentOf(at('second', `${name}.db`)))).toEqual(
        await tablesOf(path.join(await migratedDatabases(), `${name}.db`)),
      );
    expect((await contentOf(at('second', 'bot.db'))).Hamlet).toHaveLength(1);

    const client = createClient({ url: `file:${path.join(place.data, 'bot.db')}` });
    await client.execute("UPDATE _prisma_migrations SET migration_name = '9999_later'");
    client.close();
    const newer = await backUpTo(place, at('stick2'));
    expect(await kindOf(restoreFrom(newer.file, { dataDir: at('third'), cwd: at('new3') }))).toBe(
      'newer-data',
    );
    expect(fs.existsSync(at('third'))).toBe(false);
  }, 60_000);
});

describe('the folder it is restored into', () => {
  test('a folder with data is refused, and with --replace set aside whole; recordings stay where they are', async () => {
    const place = await makeInstallation();
    const { file } = await backUpTo(place, at('stick'));
    // SQLite takes in its own logs when it likes
    const held = () => filesIn(place.data).filter((name) => !/-(?:wal|shm)$/.test(name));
    const before = held();
    expect(await kindOf(restoreFrom(file, { cwd: place.cwd }))).toBe('not-empty');
    expect(held()).toEqual(before);
    write(path.join(place.data, 'chain-heads.json'), 'newer heads');
    write(path.join(place.data, 'bot.db-wal'), 'of the old one');
    const old = fs.readFileSync(path.join(place.data, 'bot.db'));
    write(path.join(place.cwd, '.env'), 'COMMUNE_NAME=Khác\n');
    const restored = await restoreFrom(file, { cwd: place.cwd, replace: true });
    expect(restored.oldFolder).not.toBeNull();
    expect(fs.readFileSync(path.join(restored.oldFolder!, 'bot.db'))).toEqual(old);
    expect(fs.readFileSync(path.join(restored.oldFolder!, 'bot.db-wal'), 'utf8')).toBe('of the old one');
    expect(fs.existsSync(path.join(place.data, 'bot.db-wal'))).toBe(false);
    expect(fs.existsSync(path.join(place.data, 'recordings', 'cam1', 'main', 'x.mp4'))).toBe(true);
    expect(fs.readFileSync(path.join(place.data, 'chain-heads.json'), 'utf8')).toBe('newer heads');
    expect(fs.existsSync(path.join(place.data, 'recorder-clock.json'))).toBe(true);
    expect(fs.readFileSync(restored.oldEnvFile!, 'utf8')).toBe('COMMUNE_NAME=Khác\n');
    expect(readEnvFile(path.join(place.cwd, '.env')).SECRET_KEY).toBe(place.key);
    // and what was set aside is not backed up again
    expect((await backUpTo(place, at('stick2'))).manifest.leftOut).toEqual(['reports']);
  }, 60_000);

  test('settings that are there are not overwritten unasked', async () => {
    const place = await makeInstallation(false);
    const { file } = await backUpTo(place, at('stick'));
    fs.rmSync(place.data, { recursive: true });
    write(at('new', '.env'), 'PORT=9000\n');
    expect(await kindOf(restoreFrom(file))).toBe('settings-there');
    expect(fs.existsSync(place.data)).toBe(false);
    const restored = await restoreFrom(file, { dataDir: at('second') });
    expect(restored.settingsApart).toBe(true);
    expect(fs.readFileSync(at('new', '.env'), 'utf8')).toBe('PORT=9000\n');
    expect(readEnvFile(restored.envFile).SECRET_KEY).toBe(place.key);
    expect(withDataDir('A=1\nDATA_DIR=/old\n', '/new')).toBe('A=1\nDATA_DIR=/new\n');
    expect(withDataDir('A=1', '/new')).toBe('A=1\nDATA_DIR=/new\n');
  }, 60_000);

  test('a file that is not whole changes nothing at all', async () => {
    const place = await makeInstallation();
    const { file } = await backUpTo(place, at('stick'));
    fs.truncateSync(file, fs.statSync(file).size - 1);
    const held = filesIn(place.data);
    expect(await kindOf(restoreFrom(file, { cwd: place.cwd, replace: true }))).toBe('cut');
    expect(filesIn(place.data)).toEqual(held);
    expect(await kindOf(restoreFrom(file, { dataDir: at('second') }))).toBe('cut');
    expect(fs.existsSync(at('second'))).toBe(false);
  }, 60_000);

  test('a folder that another process holds is refused by the command', async () => {
    const place = await makeInstallation(false);
    const { file } = await backUpTo(place, at('stick'));
    const lock = path.join(projectRoot, 'dist', 'src', 'base', 'folder-lock.js');
    const holder = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `const { takeFolder } = await import('${lock}'); console.log(await takeFolder('${place.data}')); setInterval(() => {}, 1000);`,
    ]);
    try {
      await once(holder.stdout, 'data');
      const said = await run('restore', [file, '--replace'], `${PASSPHRASE}\n`, place.cwd);
      expect(said.code).toBe(1);
      expect(said.stderr).toContain(`đang chạy trên thư mục ${place.data} (tiến trình ${holder.pid})`);
    } finally {
      holder.kill('SIGKILL');
      await once(holder, 'close');
    }
  }, 60_000);

  test('nothing starts on a folder whose restore ended in the middle, and doing it again mends it', async () => {
    const place = await makeInstallation(false);
    const { file } = await backUpTo(place, at('stick'));
    write(path.join(place.data, MARKER), 'x');
    expect(unfinishedRestore(place.data)).toContain('chưa xong');
    const product = await startProduct({
      env: { DATA_DIR: place.data },
      envFile: { DEMO: '0' },
      untilReady: false,
    });
    expect((await product.ended).code).toBe(1);
    expect(product.terminal()).toContain('npm run restore');
    await restoreFrom(file, { cwd: place.cwd, replace: true });
    expect(unfinishedRestore(place.data)).toBeNull();
  }, 60_000);
});

describe('the stick', () => {
  const nightly = (place: Place, to: string, changes: Partial<BackUpOptions> = {}) =>
    backUpNightly(
      findInstallation(place.cwd, { BACKUP_DIR: to, BACKUP_PASSPHRASE: PASSPHRASE, BACKUP_KEEP: '2' }),
      '0.1.0',
      quiet,
      { seal: QUICK, ...changes },
    );

  test('the newest stay, the oldest go, strangers’ files are left alone', async () => {
    const place = await makeInstallation(false);
    write(at('stick', 'photo.jpg'), 'x');
    for (const day of [0, 1, 2, 3]) {
      const clock = { now: () => fromVietnamTime(2026, 11, 22 + day, 2, 30) };
      await nightly(place, at('stick'), { clock });
    }
    expect(filesIn(at('stick'))).toEqual([
      ...['mat-than-20261124-0230.backup', 'mat-than-20261125-0230.backup', 'photo.jpg'],
    ]);
    expect(await readBackupStatus(place.data)).toMatchObject({
      ok: true,
      file: 'mat-than-20261125-0230.backup',
      failingSinceMs: null,
    });
  }, 60_000);

  test('not there, or no passphrase: said, and remembered as failing since then', async () => {
    const place = await makeInstallation(false);
    expect(await kindOf(nightly(place, at('away')))).toBe('place-missing');
    const since = (await readBackupStatus(place.data))!.failingSinceMs;
    expect(since).not.toBeNull();
    expect(await kindOf(nightly(place, at('away'), { passphrase: '' }))).toBe('no-passphrase');
    expect(await kindOf(nightly(place, at('away'), { passphrase: 'ngắn quá' }))).toBe('weak-passphrase');
    expect((await readBackupStatus(place.data))!.failingSinceMs).toBe(since);
    write(at('file'), 'not a folder');
    expect(await kindOf(nightly(place, at('file')))).toBe('place-missing');
    fs.mkdirSync(at('away'));
    await nightly(place, at('away'));
    expect(await readBackupStatus(place.data)).toMatchObject({
      ok: true,
      failingSinceMs: null,
      sentence: null,
    });
  }, 60_000);

  test('full while it is written: the old ones stay as they are; pulled out: the empty folder is no stick', async (context) => {
    const place = await makeInstallation(false);
    const stick = at('stick');
    fs.mkdirSync(stick);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', stick], { stdio: 'ignore' });
    } catch {
      context.skip('a real full disk needs the right to mount');
    }
    try {
      const clock = (day: number) => ({ now: () => fromVietnamTime(2026, 11, day, 2, 30) });
      const first = await nightly(place, stick, { clock: clock(20) });
      expect(first.sameDisk).toBe(false);
      await nightly(place, stick, { clock: clock(21) });
      const before = filesIn(stick).map((name) => [
        name,
        fs.readFileSync(path.join(stick, name)).toString('hex'),
      ]);
      expect(before).toHaveLength(2);
      write(path.join(place.data, 'blob'), randomBytes(1_500_000));
      expect(await kindOf(nightly(place, stick, { clock: clock(22) }))).toBe('place-full');
      expect(
        filesIn(stick).map((name) => [name, fs.readFileSync(path.join(stick, name)).toString('hex')]),
      ).toEqual(before);
      expect((await readBackupStatus(place.data))!.sentence).toContain('đã đầy');
      fs.rmSync(path.join(place.data, 'blob'));
      await nightly(place, stick, { clock: clock(23) });
      expect(filesIn(stick)).toEqual(['mat-than-20261121-0230.backup', 'mat-than-20261123-0230.backup']);
    } finally {
      execFileSync('umount', [stick]);
    }
    expect(await kindOf(nightly(place, stick))).toBe('place-missing');
    expect(filesIn(stick)).toEqual([]);
  }, 60_000);

  test('a broken database is told, and no old backup goes for it', async () => {
    const place = await makeInstallation();
    fs.mkdirSync(at('stick'));
    await nightly(place, at('stick'), { clock: { now: () => fromVietnamTime(2026, 11, 20) } });
    const file = path.join(place.data, 'recorder.db');
    const bytes = fs.readFileSync(file);
    bytes.fill(7, 4096);
    fs.writeFileSync(file, bytes);
    expect(await kindOf(nightly(place, at('stick')))).toBe('source-failed');
    expect((await readBackupStatus(place.data))!.sentence).toMatch(/recorder\.db.*hỏng/);
    expect(filesIn(at('stick'))).toEqual(['mat-than-20261120-0000.backup']);
  }, 60_000);

  test('the parent runs the command by itself when it is due', async () => {
    const place = await makeInstallation(false);
    fs.mkdirSync(at('stick'));
    const env = {
      ...process.env,
      ...readEnvFile(path.join(place.cwd, '.env')),
      ...{ BACKUP_DIR: at('stick'), BACKUP_PASSPHRASE: PASSPHRASE },
    };
    const running = startNightly({
      ...{ dataDir: place.data, program: program('backup'), env, log: quiet, clock: systemClock },
      lookEveryMs: 20,
    });
    try {
      const status = await eventually('a status', () => readBackupStatus(place.data), 25_000);
      expect(status).toMatchObject({ ok: true });
      expect(
        (await readBackup(at('stick', status.file!), PASSPHRASE)).files.map((file) => file.path),
      ).toContain('recorder.db');
    } finally {
      running.stop();
    }
  }, 60_000);

  test('a command that dies without a word is told too', async () => {
    write(at('dies.mjs'), 'process.exit(3)');
    const running = startNightly({
      ...{ dataDir: folder, program: at('dies.mjs'), env: process.env, log: quiet, clock: systemClock },
      lookEveryMs: 20,
    });
    try {
      const status = await eventually('a status', () => readBackupStatus(folder));
      expect(status).toMatchObject({ ok: false, sentence: expect.stringContaining('không rõ lý do') });
    } finally {
      running.stop();
    }
  });

  test('people hear once that it fails, and once that it works again', async () => {
    const house = await openHouse();
    try {
      const told = async () => {
        await tellBackup(house.house);
        const rows = await house.db.outbox.findMany({ where: { key: { startsWith: 'backup-' } } });
        return rows.map((row) => (JSON.parse(row.payload) as { reply: { text: string } }).reply.text);
      };
      expect(await told()).toEqual([]);
      const atMs = house.clock.now();
      const fails = { ok: false as const, atMs, sentence: 'Không thấy nơi lưu bản sao (/media/usb).' };
      await writeBackupStatus(house.dataDir, fails);
      const first = await told();
      expect(first.length).toBeGreaterThan(0);
      expect(first[0]).toContain('/media/usb');
      expect(first[0]).toContain('Chưa có bản sao nào');
      await writeBackupStatus(house.dataDir, { ...fails, atMs: atMs + 3_600_000 });
      expect(await told()).toEqual(first);
      const works = {
        ok: true as const,
        atMs: atMs + 7_200_000,
        file: 'f',
        sizeBytes: 1,
        place: '/m',
        sameDisk: false,
      };
      await writeBackupStatus(house.dataDir, works);
      const second = await told();
      expect(second).toHaveLength(first.length * 2);
      expect(second.at(-1)).toContain('được trở lại');
      await writeBackupStatus(house.dataDir, { ...works, atMs: atMs + DAY_MS });
      expect(await told()).toEqual(second);
      // plugged in nowhere: the folder lies on the disk that it shall save
      await writeBackupStatus(house.dataDir, { ...works, atMs: atMs + 2 * DAY_MS, sameDisk: true });
      const third = await told();
      expect(third).toHaveLength(first.length * 3);
      expect(third.at(-1)).toContain('cùng ổ với dữ liệu (/m)');
      expect(await told()).toEqual(third);
    } finally {
      await house.close();
    }
  });
});

async function run(
  name: string,
  args: string[],
  input: string,
  cwd: string,
  env: Record<string, string> = {},
) {
  const child = spawn(process.execPath, [program(name), ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: os.homedir(), ...env },
  });
  const out = { stdout: '', stderr: '', code: null as number | null };
  child.stdout.on('data', (text: Buffer) => {
    out.stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    out.stderr += text.toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  [out.code] = (await once(child, 'close')) as [number | null];
  return out;
}

describe('the commands', () => {
  test('ask for the passphrase, never take it as an argument, never show it', async () => {
    const place = await makeInstallation(false);
    fs.mkdirSync(at('stick'));
    const made = await run('backup', ['--to', at('stick')], `${PASSPHRASE}\n`, place.cwd);
    expect(made.stderr).toContain('mật khẩu');
    expect(made.code).toBe(0);
    expect(made.stdout).toContain('Đã sao lưu và đọc lại kiểm tra');
    const file = at('stick', filesIn(at('stick'))[0]!);
    const checked = await run('backup', ['--check', file], PASSPHRASE, place.cwd);
    expect(checked.stdout).toContain('còn nguyên vẹn');
    fs.mkdirSync(at('new'));
    const wrong = await run('restore', [file, '--data-dir', at('second')], 'không phải đâu\n', at('new'));
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('Mật khẩu sao lưu chưa đúng')]);
    const back = await run('restore', [file, '--data-dir', at('second')], `${PASSPHRASE}\n`, at('new'));
    expect(back.stderr).not.toMatch(/Error|lỗi/);
    expect([back.code, back.stdout]).toEqual([0, expect.stringContaining('Đã khôi phục vào')]);
    const silent = await run('backup', ['--to', at('stick')], '', place.cwd);
    expect([silent.code, silent.stderr]).toEqual([1, expect.stringContaining('Chưa nhập mật khẩu')]);
    const nowhere = await run('backup', [], '', place.cwd);
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringContaining('--to')]);
    const unknown = await run('restore', [file, '--passphrase', PASSPHRASE], '', at('new'));
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('Không hiểu lệnh này')]);
    for (const said of [made, checked, wrong, back, silent, nowhere, unknown])
      expect(said.stdout + said.stderr).not.toContain(PASSPHRASE);
  }, 60_000);

  test('a key that stands in the environment and not in .env is in the backup all the same', async () => {
    const place = await makeInstallation(false);
    write(path.join(place.cwd, '.env'), `DATA_DIR=${place.data}`);
    fs.mkdirSync(at('stick'));
    const env = { SECRET_KEY: place.key, RECORDER_TOKEN: 'tok', BACKUP_PASSPHRASE: PASSPHRASE };
    const made = await run('backup', ['--to', at('stick')], '', place.cwd, env);
    expect([made.code, made.stderr]).toEqual([0, '']);
    await restoreFrom(at('stick', filesIn(at('stick'))[0]!), { dataDir: at('second') });
    expect(readEnvFile(at('new', '.env'))).toMatchObject({ SECRET_KEY: place.key, RECORDER_TOKEN: 'tok' });
  }, 60_000);

  test('at a terminal the keys are not shown, and can be corrected', async () => {
    expect(typeKeys('', 'mậ\u007fật\r')).toEqual({ line: 'mật', state: 'done' });
    expect(typeKeys('abc', '\u0015x')).toEqual({ line: 'x', state: 'typing' });
    expect(typeKeys('abc', '\u0003').state).toBe('left');
    // an arrow, Delete and the marks around what is pasted write nothing
    expect(typeKeys('ab', '\u001b[D\u001b[3~\u001bOP\u001b[200~c[A\u001b[201~')).toEqual({
      ...{ line: 'abc[A', state: 'typing' },
    });
    const raw: boolean[] = [];
    let shown = '';
    const input = Object.assign(new PassThrough(), {
      isTTY: true as const,
      setRawMode(mode: boolean) {
        raw.push(mode);
        return this as never;
      },
    });
    const asked = askPassphrase(
      {
        input,
        say: (text) => {
          shown += text;
        },
      },
      'Mật khẩu: ',
    );
    // a letter that is cut in the middle of its bytes
    const bytes = Buffer.from('ghế\r');
    input.write(bytes.subarray(0, 3));
    input.write(bytes.subarray(3));
    expect(await asked).toBe('ghế');
    expect(raw).toEqual([true, false]);
    expect(shown).toBe('Mật khẩu: \n');
  });
});

describe('the machine is lost, the disk with the recordings is not', () => {
  test('backed up while it runs, restored elsewhere: every recording is listed, the newer ones too', async () => {
    const first = await startProduct({ env: { MAT_THAN_SEGMENT_MS: '4000' } });
    const recordings = path.join(first.home, 'recordings');
    const closed = (where = recordings) =>
      filesIn(where).filter((name) => name.endsWith('.mp4') && !name.endsWith('.recording.mp4'));
    await eventually('recordings', () => closed().length >= 4, 40_000);
    fs.mkdirSync(at('stick'));
    const officer = { by: 'Đại úy Tuấn', why: 'vụ trộm' };
    const range = { startMs: Date.now() - 6000, endMs: Date.now() - 3000 };
    const kept = await first.recorder().hold({ id: 'before-backup', cameraId: 'cam1', ...range, ...officer });
    const over = await first
      .recorder()
      .hold({ id: 'released-since', cameraId: 'cam2', ...range, ...officer });
    const env = { DATA_DIR: first.data };
    const made = await run('backup', ['--to', at('stick')], `${PASSPHRASE}\n`, first.cwd, env);
    expect([made.code, made.stdout]).toEqual([0, expect.stringContaining('Đã sao lưu')]);
    const backedUpMs = Date.now();
    const count = closed().length;
    await eventually('newer recordings', () => closed().length >= count + 8, 40_000);
    const fresh = await first.say('canbo', 'ảnh 1');
    expect(fresh[0]!.kind).toBe('photo');
    // what the backup does not know lies beside the recordings
    const later = { startMs: backedUpMs, endMs: backedUpMs + 4000 };
    const newer = await first.recorder().hold({ id: 'after-backup', cameraId: 'cam3', ...later, ...officer });
    await first.recorder().releaseHold(over.id, { by: 'Đại úy Tuấn', why: 'xong việc' });
    await first.recorder().addCamera({ id: 'moi', name: 'Trạm bơm', url: 'test:yard' });
    await first.say('truong', 'camera xóa 4 chắc chắn');
    await first.say('truong', 'camera sửa 2 tên Cổng trường mới');
    const lastMs = Date.now() - 2000;
    await first.stop();

    const file = at('stick', filesIn(at('stick'))[0]!);
    const back = await run('restore', [file, '--data-dir', at('second')], `${PASSPHRASE}\n`, first.cwd);
    expect([back.code, back.stdout]).toEqual([0, expect.stringContaining('4 camera')]);
    fs.rmSync(at('second', 'demo', 'recordings'), { recursive: true, force: true });
    fs.renameSync(recordings, at('second', 'demo', 'recordings'));
    const second = await startProduct({
      after: first,
      env: { DATA_DIR: at('second'), MAT_THAN_SEGMENT_MS: '4000' },
    });
    const cameras = (await second.recorder().cameras()).map(({ id }) => id).sort();
    // as they were at the end, not at the backup: one was added, one removed, one has another name
    expect(cameras).toEqual(['cam1', 'cam2', 'cam3', 'moi']);
    expect((await second.recorder().camera('cam2')).name).toBe('Cổng trường mới');
    const holds = await second.recorder().holds();
    expect(holds.map(({ id }) => id).sort()).toEqual([newer.id, kept.id, over.id].sort());
    expect(holds.find(({ id }) => id === over.id)?.released?.why).toBe('xong việc');
    expect((await second.recorder().holds({ active: true })).map(({ id }) => id).sort()).toEqual(
      [newer.id, kept.id].sort(),
    );
    for (const camera of ['cam1', 'cam2', 'cam3', 'cam4'])
      await eventually(`all of ${camera} is listed`, async () => {
        const range = { startMs: backedUpMs, endMs: lastMs };
        const { gaps } = await second.recorder().coverage(camera, range);
        return gaps.length === 0;
      });
    const [picture] = await second.say('canbo', 'ảnh 1');
    expect(picture!.kind).toBe('photo');
    // the bot takes over the camera that it does not know, and forgets the one that was removed, and says so once
    const told = await eventually('the cameras are put in agreement', async () => {
      const lines = (await second.chat('canbo', 'nhom-canbo')).map((line) => JSON.stringify(line));
      const about = lines.filter((line) => line.includes('📷'));
      return about.length > 0 && about;
    });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('Trạm bơm');
    const [list] = await second.say('truong', 'camera');
    expect(list!.text).toMatch(/Cần xem lại\n.* 5\. Trạm bơm/);
    expect((await second.say('canbo', 'ảnh trạm bơm'))[0]!.kind).toBe('photo');
    await eventually(
      'the removed one is gone',
      async () => !(await second.say('truong', 'camera'))[0]!.text.includes('Nhà văn hóa'),
      90_000,
    );
    expect((await second.recorder().cameras()).map(({ id }) => id)).not.toContain('cam4');
    await second.stop();
    // every file that is there has its row, every row its file
    const client = createClient({ url: `file:${at('second', 'demo', 'recorder.db')}` });
    const rows = (await client.execute('SELECT path FROM Segment ORDER BY path')).rows.map((row) =>
      String(row[0]),
    );
    client.close();
    expect(rows).toEqual(
      closed(at('second', 'demo', 'recordings')).map((name) => name.replaceAll('\\', '/')),
    );
    // and its proof, signed with the key that came back, from before the loss and after it
    const where = ['--recordings', at('second', 'demo', 'recordings'), '--data', at('second', 'demo')];
    const verified = await run(
      '../../media/integrity/main',
      [...where, '--content', '--json'],
      '',
      first.cwd,
    );
    expect([verified.code, verified.stderr]).toEqual([0, '']);
    const proof = JSON.parse(verified.stdout);
    expect(proof).toMatchObject({ ok: true, problems: [], rebuilt: 0, unprotected: 0, unreadable: 0 });
    expect(proof.keys).toHaveLength(1);
  }, 240_000);
});
