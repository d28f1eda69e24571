import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Incoming, Message } from '../../src/chat/message.js';
import { openDatabase } from '../../src/store/database.js';
import { compile } from './compiled.js';
import { openTestDatabase } from './database.js';

export interface CrashOptions {
  kills: number;
  /** messages said in each life of the process */
  messagesPerLife: number;
  chats: number;
  /** the kill comes after a random number of replies of that life, up to this, and a few milliseconds */
  repliesBeforeKill: number;
  random?: () => number;
}

export interface CrashOutcome {
  kills: number;
  messages: number;
  /** commands whose change was not made */
  lostChanges: number;
  /** changes made more than once */
  doubledChanges: number;
  /** replies that never came */
  missingReplies: number;
  /** replies that came again */
  duplicateReplies: number;
  /** most duplicates that one kill caused */
  mostDuplicatesPerKill: number;
  /** first copies of replies of a chat that came out of order */
  disordered: number;
  /** files whose content was not what was written for that message */
  wrongFiles: number;
  /** messages of which the group heard nothing; those it heard of in two ways, alone and in a digest; and the digests */
  toldToNobody: number;
  toldTwoWays: number;
  digests: number;
  /** messages put aside, never answered properly */
  setAside: number;
  /** folders left in the spool at the end */
  spoolLeft: number;
  /** replies the platform had taken when each kill came, in that life: shows that messages were under way */
  repliesPerLife: number[];
  restartMs: number[];
}

const CHILD = 'test/support/bot-crash-child.ts';

interface Life {
  process: ChildProcess;
  next(what: 'ready' | 'drained'): Promise<void>;
  /** when it has sent so many replies */
  sent(count: number): Promise<void>;
}

function begin(script: string, args: string[], onConfirmed: (externalId: string) => void): Life {
  const child = fork(script, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
  const seen = new Set<string>();
  const waiters = new Map<string, () => void>();
  let sent = 0;
  let onSent = () => {};
  child.on('message', (message: Record<string, unknown>) => {
    if (message.sent === true) {
      sent += 1;
      onSent();
    }
    if (typeof message.confirmed === 'string') onConfirmed(message.confirmed);
    for (const what of ['ready', 'drained'])
      if (message[what] === true) {
        seen.add(what);
        waiters.get(what)?.();
      }
  });
  return {
    process: child,
    sent: (count) =>
      new Promise((resolve) => {
        onSent = () => {
          if (sent >= count) resolve();
        };
        onSent();
      }),
    next: (what) =>
      seen.has(what)
        ? Promise.resolve()
        : new Promise((resolve, reject) => {
            waiters.set(what, resolve);
            child.once('exit', (code) => reject(new Error(`the bot ended by itself (${code})`)));
          }),
  };
}

const readLines = async (file: string) =>
  (await fs.readFile(file, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { chatId: string; text: string; contents: string[] });

/**
 * Kills a real bot process (SIGKILL) again and again with messages under way, lets it finish in a last life, and
 * counts what was lost, doubled or out of order. The parent plays the platform: it delivers again what was not confirmed.
 */
export async function crashBot(options: CrashOptions): Promise<CrashOutcome> {
  const random = options.random ?? Math.random;
  const compiled = await compile(CHILD);
  const script = compiled.script(CHILD);
  const test = await openTestDatabase();
  await test.database.$disconnect();
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-crash-'));
  const sentFile = path.join(dir, 'sent.jsonl');
  const spoolDir = path.join(dir, 'spool');
  const unconfirmed = new Map<string, Message>();
  const restartMs: number[] = [];
  const duplicatesAt: number[] = [];
  const linesAt: number[] = [];
  let count = 0;

  const say = (): Message => {
    count += 1;
    const chatId = `chat${1 + Math.floor(random() * options.chats)}`;
    return {
      kind: 'message',
      channel: 'console',
      chatId,
      chatKind: 'private',
      externalId: `e${count}`,
      sender: { userId: chatId, name: chatId },
      sentMs: Date.now(),
      text: `ghi ${count}`,
      attachments: [],
      addressed: true,
    };
  };
  /** replies that came again; progress lines don't count */
  const duplicates = (all: { chatId: string; text: string }[]) => {
    const replies = all.filter((line) => / [abc] /.test(line.text)).map((line) => line.text);
    return replies.length - new Set(replies).size;
  };

  let life: Life | undefined;
  try {
    for (let kill = 0; kill <= options.kills; kill += 1) {
      const begunMs = performance.now();
      life = begin(script, [test.file, spoolDir, sentFile], (id) => unconfirmed.delete(id));
      await life.next('ready');
      restartMs.push(performance.now() - begunMs);
      const deliver = (incoming: Incoming) => void life!.process.send(incoming, () => {});
      for (const message of unconfirmed.values()) deliver(message);
      if (kill === options.kills) break;
      for (let i = 0; i < options.messagesPerLife; i += 1) {
        const message = say();
        unconfirmed.set(message.externalId, message);
        deliver(message);
      }
      const exited = new Promise((resolve) => life!.process.once('exit', resolve));
      await life.sent(Math.floor(random() * (options.repliesBeforeKill + 1)));
      await new Promise((resolve) => setTimeout(resolve, random() * 20));
      life.process.kill('SIGKILL');
      await exited;
      const lines = await readLines(sentFile);
      duplicatesAt.push(duplicates(lines));
      linesAt.push(lines.length);
    }
    const last = life!;
    while (unconfirmed.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    last.process.send({ drain: true });
    await last.next('drained');
    const exited = new Promise((resolve) => last.process.once('exit', resolve));
    last.process.disconnect();
    await exited;

    const lines = await readLines(sentFile);
    duplicatesAt.push(duplicates(lines));
    const database = await openDatabase(test.file);
    const made = (await database.audit.findMany({ where: { action: 'ghi' } })).map((row) => row.detail!);
    const setAside = await database.outbox.count({ where: { key: { endsWith: ':aside' } } });
    await database.$disconnect();
    const firsts = new Map<string, { number: number; part: string }[]>();
    const heard = new Set<string>();
    let wrongFiles = 0;
    for (const { chatId, text, contents } of lines) {
      const [number, part] = text.split(' ');
      if (!/^[abc]$/.test(part ?? '')) continue;
      if (part === 'c' && contents[0] !== `tệp ${number}`) wrongFiles += 1;
      if (heard.has(`${number} ${part}`)) continue;
      heard.add(`${number} ${part}`);
      const list = firsts.get(chatId) ?? [];
      list.push({ number: Number(number), part: part! });
      firsts.set(chatId, list);
    }
    let disordered = 0;
    for (const list of firsts.values())
      for (let i = 1; i < list.length; i += 1) {
        const [a, b] = [list[i - 1]!, list[i]!];
        if (a.number > b.number || (a.number === b.number && a.part > b.part)) disordered += 1;
      }
    const told = new Map<string, number>();
    const inGroup = new Set(lines.flatMap(({ chatId, text }) => (chatId === 'nhom' ? [text] : [])));
    for (const text of inGroup)
      for (const number of text.split(' ').slice(1)) told.set(number, (told.get(number) ?? 0) + 1);
    const steps = duplicatesAt.map((total, at) => total - (duplicatesAt[at - 1] ?? 0));
    return {
      kills: options.kills,
      messages: count,
      lostChanges: count - new Set(made).size,
      doubledChanges: made.length - new Set(made).size,
      missingReplies: 3 * count - heard.size,
      duplicateReplies: duplicates(lines),
      mostDuplicatesPerKill: Math.max(0, ...steps),
      disordered,
      wrongFiles,
      toldToNobody: count - told.size,
      toldTwoWays: [...told.values()].filter((ways) => ways > 1).length,
      digests: [...inGroup].filter((text) => text.startsWith('gom ')).length,
      setAside,
      spoolLeft: (await fs.readdir(spoolDir).catch(() => [])).length,
      repliesPerLife: linesAt.map((total, at) => total - (linesAt[at - 1] ?? 0)),
      restartMs,
    };
  } finally {
    life?.process.kill('SIGKILL');
    await fs.rm(dir, { recursive: true, force: true });
    await test.close();
    await compiled.remove();
  }
}
