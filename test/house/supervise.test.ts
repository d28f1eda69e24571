import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { supervise } from '../../src/supervise.js';

const log = pino({ level: 'silent' });
let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-supervise-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A service of our kind that notes its starts and stops in a file. */
function program(body: string): string {
  const script = path.join(folder, 'service.mjs');
  fs.writeFileSync(
    script,
    `import fs from 'node:fs';
     const note = (word) => fs.appendFileSync(${JSON.stringify(path.join(folder, 'notes'))}, word + ' ');
     note('start');
     process.on('disconnect', () => process.exit(0));
     const onStop = (stop) => process.on('message', (m) => { if (m.type === 'stop') stop(); });
     const pongs = () => process.on('message', (m) => { if (m.type === 'ping') process.send({ type: 'pong' }); });
     ${body}
     process.send({ type: 'ready', port: 1234 });`,
  );
  return script;
}
const notes = () => fs.readFileSync(path.join(folder, 'notes'), 'utf8').trim().split(' ');
const begin = (body: string, pingEveryMs = 10_000) =>
  supervise({
    name: 'x',
    script: program(body),
    env: process.env,
    log,
    say: () => {},
    pingEveryMs,
    stopWithinMs: 300,
  });

test('a service that is killed is started again', async () => {
  const service = begin(`onStop(() => { note('stop'); process.exit(0); });`);
  expect(await service.ready).toBe(1234);
  process.kill(service.pid()!, 'SIGKILL');
  await vi.waitFor(() => expect(notes()).toEqual(['start', 'start']), 5000);
  await service.stop();
  expect(notes().at(-1)).toBe('stop');
});

test('a service that answers no ping is killed and started again', async () => {
  const first = "fs.readFileSync(process.argv[1].replace('service.mjs', 'notes'), 'utf8').trim() === 'start'";
  const service = begin(`if (!(${first})) pongs();`, 150);
  await service.ready;
  const hung = service.pid()!;
  await vi.waitFor(() => expect(notes().length).toBeGreaterThan(1), 10_000);
  expect(() => process.kill(hung, 0)).toThrow();
  await service.stop();
});

test('a service that does not stop when asked is killed after the deadline, and not started again', async () => {
  const service = begin(`onStop(() => note('asked')); setInterval(() => {}, 1000);`);
  await service.ready;
  const pid = service.pid()!;
  await service.stop();
  expect(() => process.kill(pid, 0)).toThrow();
  expect(notes()).toEqual(['start', 'asked']);
});

test('what it says at every start is said once; something else is said again', async () => {
  const said: string[] = [];
  const line =
    "fs.readFileSync(process.argv[1].replace('service.mjs', 'notes'), 'utf8').trim().split(' ').length";
  const service = supervise({
    name: 'x',
    script: program(`process.send({ type: 'say', line: ${line} < 3 ? 'no ffmpeg' : 'well again' });
      if (${line} < 3) setTimeout(() => process.exit(1), 50); else onStop(() => process.exit(0));`),
    env: process.env,
    log,
    say: (text) => said.push(text),
    stopWithinMs: 300,
  });
  await vi.waitFor(() => expect(said).toContain('well again'), 10_000);
  expect(said.filter((text) => text === 'no ffmpeg')).toHaveLength(1);
  await service.stop();
});

test('a process that can not even be made does not end the parent', async () => {
  const service = supervise({ name: 'x', script: 'a\0b', env: process.env, log, say: () => {} });
  expect(service.pid()).toBeUndefined();
  await service.stop();
});
