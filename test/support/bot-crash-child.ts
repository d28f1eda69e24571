/**
 * A bot to be killed: the real chat core on a real database, in a process of its own. Its platform is the parent:
 * messages come by IPC and are confirmed there only when `accept` has resolved (as Telegram's polling does); what is
 * sent is appended to a file, which is the moment "the platform has taken it".
 * Arguments: database file, spool folder, file of what was sent.
 */
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import { pino } from 'pino';
import { systemClock } from '../../src/base/clock.js';
import { makeChat } from '../../src/chat/chat.js';
import { command } from '../../src/chat/command.js';
import type { Channel, Incoming } from '../../src/chat/message.js';
import { filesOf, wordsOf } from '../../src/chat/outgoing.js';
import { openDatabase } from '../../src/store/database.js';
import { WIDE_LIMITS } from './channel.js';

const [databaseFile, spoolDir, sentFile] = process.argv.slice(2) as [string, string, string];
const pause = (most: number) => new Promise((resolve) => setTimeout(resolve, Math.random() * most));

/** where everybody's words are told, too */
const GROUP = 'nhom';

const sent = fs.openSync(sentFile, 'a');
const channel: Channel = {
  name: 'console',
  limits: WIDE_LIMITS,
  async start(accept) {
    process.on('message', (incoming: Incoming) => {
      if (incoming.kind !== 'message') return;
      void accept(incoming).then(() => process.send!({ confirmed: incoming.externalId }));
    });
  },
  async send(to, reply) {
    // a busy group: what is for it piles up, and is gathered
    await pause(to.chatId === GROUP ? 60 : 4);
    const contents = await Promise.all(filesOf(reply).map((file) => fsp.readFile(file.path, 'utf8')));
    fs.writeSync(sent, `${JSON.stringify({ chatId: to.chatId, text: wordsOf(reply), contents })}\n`);
    process.send!({ sent: true });
    // the platform's answer on its way back: killed here, it has the message and we don't know
    await pause(4);
    return { ids: ['1'] };
  },
  act: async () => {},
  fetch: async () => ({ sizeBytes: 0 }),
  privateChatLink: () => null,
  stop: async () => {},
};

/** "ghi 17": one row that must be written once, a word to the group, three replies, the last with a file. */
const write = command<string>({
  name: 'ghi',
  aliases: ['ghi'],
  summary: 'Ghi một dòng',
  example: 'ghi 17',
  may: 'everybody',
  inGroups: true,
  section: 'chung',
  read: async (words) => ({ kind: 'args', args: words }),
  async run(talk, words) {
    await talk.progress('đang ghi');
    await pause(6);
    const made = await talk.once('ghi', async (tx) => {
      const row = await tx.audit.create({
        data: {
          atMs: BigInt(Date.now()),
          personName: talk.speaker.name,
          action: 'ghi',
          place: talk.message.chatId,
          result: 'ok',
          detail: words,
        },
      });
      return row.id;
    });
    await talk.tell({ channel: 'console', chatId: GROUP }, `tin ${words}`, 'nhom', 'stranger-report', {
      ...{ digest: 'tin', brief: words },
    });
    await talk.reply(`${words} a ${made}`);
    await pause(6);
    await talk.reply(`${words} b ${made}`);
    const path = await talk.spool('tep.txt');
    await fsp.writeFile(path, `tệp ${words}`);
    const { size } = await fsp.stat(path);
    await talk.reply({
      kind: 'document',
      file: { path, sizeBytes: size, fileName: 'tep.txt' },
      caption: `${words} c ${made}`,
    });
  },
});

const log = pino({ level: 'error' });
const database = await openDatabase(databaseFile);
const chat = makeChat({
  database,
  clock: systemClock,
  log,
  channels: [channel],
  commands: [write],
  fallbacks: { words: (talk) => talk.reply('?'), files: (talk) => talk.reply('?') },
  digests: { tin: { say: (parts) => `gom ${parts.map(({ text }) => text).join(' ')}` } },
  spoolDir,
});
await chat.start();
process.on('message', (message: { drain?: true }) => {
  if (message.drain) void chat.drained().then(() => process.send!({ drained: true }));
});
process.on('disconnect', () => process.exit(0));
process.send!({ ready: true });
