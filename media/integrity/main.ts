import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { readSettings } from '../../src/base/config.js';
import { exists } from '../../src/base/durable.js';
import { readEnvFile } from '../../src/base/env-file.js';
import { spins } from '../recording/disk-kind.js';
import { CAMERA_ID } from '../recording/names.js';
import { HEADS_FILE } from './known-heads.js';
import type { Problem } from './report.js';
import { verifyRecordings } from './verify.js';
import { HELP, problemWords, reportWords } from './words.js';

/**
 * npm run verify-recordings: checks recordings against their chains. Needs the recordings' folder, or a copy, and
 * nothing else. Exit 0: all right · 1: something is wrong · 2: could not check.
 */

/** Something the person can mend; said as it is. */
class CannotCheck extends Error {}

/** Problems that are printed one by one; with --json all are. */
const SHOWN = 200;

const OPTIONS = {
  camera: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  day: { type: 'string' },
  head: { type: 'string' },
  content: { type: 'boolean' },
  recordings: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

function readOptions(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS }).values;
  } catch {
    throw new CannotCheck(`Có tùy chọn không hiểu.\n${HELP}`);
  }
}

function readDay(name: string, text: string | undefined): string | undefined {
  const real = text === undefined || new Date(`${text}T00:00:00Z`).toString() !== 'Invalid Date';
  if (text === undefined || (/^\d{4}-\d\d-\d\d$/.test(text) && real)) return text;
  throw new CannotCheck(`--${name} phải là một ngày viết như 2026-11-21.`);
}

/** The folders asked for; else those of this installation, or of its demo. */
async function places(given: { recordings?: string | undefined; data?: string | undefined }) {
  if (given.recordings !== undefined)
    return {
      root: path.resolve(given.recordings),
      data: given.data === undefined ? null : path.resolve(given.data),
    };
  const settings = readSettings({ ...readEnvFile(path.resolve('.env')), ...process.env });
  const data = path.resolve(given.data ?? settings.DATA_DIR);
  const demo = path.join(data, 'demo');
  const isDemo =
    !(await exists(path.join(data, 'recorder.db'))) && (await exists(path.join(demo, 'recordings')));
  if (isDemo) return { root: path.join(demo, 'recordings'), data: demo };
  return { root: path.resolve(settings.RECORDINGS_DIR ?? path.join(data, 'recordings')), data };
}

/** Files hashed at a time: one more than there are cores, so that each has one while another is read; a disk that spins reads one after the other. */
async function workersFor(root: string): Promise<number> {
  return (await spins(root)) === true ? 1 : os.availableParallelism() + 1;
}

async function check(args: string[], say: (line: string) => void): Promise<number> {
  const values = readOptions(args);
  if (values.help) {
    say(HELP);
    return 0;
  }
  const { camera } = values;
  if (camera !== undefined && !CAMERA_ID.test(camera))
    throw new CannotCheck('--camera là mã camera trong thư mục ghi hình, ví dụ cam1.');
  const day = readDay('day', values.day);
  const from = day ?? readDay('from', values.from);
  const to = day ?? readDay('to', values.to);
  const head = values.head?.replace(/\s/g, '').toLowerCase();
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head))
    throw new CannotCheck('--head là mã 64 chữ số trong tin nhắn của ngày đó, chép đủ cả mã.');
  if (head !== undefined && (from === undefined || from !== to || camera !== undefined))
    throw new CannotCheck(
      '--head cần --day và không dùng cùng --camera: mã tính trên mọi camera của một ngày.',
    );
  const { root, data } = await places(values);
  if (!(await exists(root))) throw new CannotCheck(`Không có thư mục ghi hình ${root}.`);
  const headsFile = data === null ? null : path.join(data, HEADS_FILE);
  const problems: Problem[] = [];
  let found = 0;
  const begunMs = performance.now();
  const report = await verifyRecordings({
    ...{ root, headsFile, content: values.content === true, nowMs: Date.now() },
    workers: await workersFor(root),
    ...(camera !== undefined && { camera }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    ...(head !== undefined && { head }),
    onProblem: (problem) => {
      found++;
      if (values.json) problems.push(problem);
      else if (found <= SHOWN) say(problemWords(problem));
    },
    ...(process.stderr.isTTY && {
      onProgress: ({ chains, files }) => void process.stderr.write(`\r… ${chains} sổ, ${files} tệp `),
    }),
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (report.chains === 0 && report.keys.length === 0)
    throw new CannotCheck(`Thư mục ${root} không có bản ghi hình nào để kiểm tra.`);
  const tookMs = Math.round(performance.now() - begunMs);
  const code = report.wrong > 0 ? 1 : report.unreadable > 0 ? 2 : 0;
  if (values.json) say(JSON.stringify({ ok: code === 0, root, ...report, tookMs, problems }));
  else {
    if (found > SHOWN) say(`… và ${found - SHOWN} chỗ nữa. Xem hết bằng --json.`);
    const asked = { content: values.content === true, head: head !== undefined, tookMs };
    const scope = { camera: camera ?? null, from: from ?? null, to: to ?? null };
    const hasHeads = headsFile !== null && (await exists(headsFile));
    say(reportWords(report, { ...asked, ...scope, hasHeads }));
  }
  return code;
}

try {
  process.exitCode = await check(process.argv.slice(2), (line) => void process.stdout.write(`${line}\n`));
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  const known = error instanceof CannotCheck;
  process.stderr.write(known ? `${message}\n` : `Chưa kiểm tra được: ${code ?? message}\n`);
  process.exitCode = 2;
}
