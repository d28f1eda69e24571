/**
 * What each command gives on each channel: its example is said by a chief on a channel with that platform's limits, and
 * what comes back is put in a table. As a program it prints the table into src/channels/README.md.
 */
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { CONSOLE_LIMITS } from '../../src/channels/console/channel.js';
import { telegramLimits } from '../../src/channels/telegram/telegram.js';
import { botLimits } from '../../src/channels/zalo/bot/channel.js';
import { oaLimits } from '../../src/channels/zalo/oa/limits.js';
import type { ChannelLimits, ChannelName, Reply } from '../../src/chat/message.js';
import { wordsOf } from '../../src/chat/outgoing.js';
import { fileNotTaken, kindNotTaken, noPhotoHere, noVideoHere } from '../../src/chat/sentences.js';
import { makeTestChannel } from './channel.js';
import { openHouse } from './house.js';
import { projectRoot } from './project-root.js';

export const MATRIX_FILE = path.join('src', 'channels', 'README.md');

const COLUMNS: { title: string; name: ChannelName; limits: ChannelLimits; links: boolean }[] = [
  { title: 'Telegram', name: 'telegram', limits: telegramLimits(false), links: true },
  {
    title: 'Zalo OA',
    name: 'zalo-oa',
    limits: oaLimits({ buttons: false, paid: false, formImage: null }),
    links: true,
  },
  { title: 'Zalo Bot', name: 'zalo-bot', limits: botLimits(true), links: true },
  { title: 'Zalo Bot, no public address', name: 'zalo-bot', limits: botLimits(false), links: false },
  { title: 'web console', name: 'console', limits: CONSOLE_LIMITS, links: true },
];

const LINK = 'https://xa.example.vn/m/';
const SENTENCES = [noPhotoHere, noVideoHere, kindNotTaken, fileNotTaken(1).slice(0, 7)];

/** What a person gets, in a few words. */
function kindOf(reply: Reply, limits: ChannelLimits): string {
  const words = wordsOf(reply);
  const linked = words.includes(LINK) ? ' + link' : '';
  // what buttons became is in the words
  const menu = /Trả lời (?:số|1 )/.test(words) ? ' + numbered menu' : '';
  const buttons =
    reply.kind !== 'album' && limits.buttons && (reply.buttons ?? []).length > 0 ? ' + buttons' : '';
  if (reply.kind === 'text' && SENTENCES.some((sentence) => words.includes(sentence)))
    return 'a sentence: not here';
  const what =
    reply.kind === 'photo' && reply.moving === true
      ? 'moving preview'
      : reply.kind === 'document'
        ? 'file'
        : reply.kind;
  return `${what}${linked}${buttons}${menu}`;
}

/** Says every command's example on one channel. @returns by command, what came back */
async function sayAll({ name, limits, links }: (typeof COLUMNS)[number]): Promise<Map<string, string>> {
  const channel = makeTestChannel({ name, limits: { ...limits, rates: makeTestChannel().limits.rates } });
  const gif = await sharp({ create: { width: 48, height: 27, channels: 3, background: '#369' } })
    .gif()
    .toBuffer();
  const house = await openHouse({
    // the console of the house is the same channel with other limits
    others: name === 'console' ? [] : [channel],
    ...(name === 'console' ? { limits } : {}),
    settings: { demo: false },
    house: { makeLoginLink: async () => 'https://xa.example.vn/login/…' },
    chat: {
      ...(links ? { makeLink: async () => ({ url: `${LINK}${'x'.repeat(43)}` }) } : {}),
      async makePreview(_video, file) {
        fs.writeFileSync(file, gif);
        return { sizeBytes: gif.length, width: 48, height: 27 };
      },
    },
  });
  try {
    const { chat } = await house.ready;
    const on = name === 'console' ? house.channel : channel;
    const { id: personId } = await house.db.person.findFirstOrThrow({ where: { alias: 'truong' } });
    if (name !== 'console')
      await house.db.address.create({
        data: {
          ...{ channel: name, userId: 'truong', personId, displayName: 'Trường', privateChatId: 'truong' },
          createdMs: 0n,
        },
      });
    const said = new Map<string, string>();
    for (const [at, one] of house.handlers.commands.entries()) {
      const { inboxId } = await on.hear({
        ...{ kind: 'message', channel: name, chatId: 'truong', chatKind: 'private', text: one.example },
        ...{ externalId: `matrix-${at}`, sender: { userId: 'truong', name: 'Trường' } },
        ...{ sentMs: house.clock.now(), attachments: [], addressed: true },
      });
      await chat.turnDone(inboxId);
      const mine = on.sent.filter((record) => record.inboxId === inboxId && record.to.chatId === 'truong');
      const replaced = new Set(mine.map((record) => record.replaces));
      const shown = mine.filter((record) => !replaced.has(record.id) && !isProgress(record.reply));
      said.set(one.name, shown.map(({ reply }) => kindOf(reply, limits)).join(', then '));
    }
    return said;
  } finally {
    await house.close();
  }
}

/** "I am cutting it": where nothing can be changed it stays above the answer. */
const isProgress = (reply: Reply) => reply.kind === 'text' && /^(?:⏳|Em đang|Đang )/.test(reply.text);

/** The table, Markdown. */
export async function printMatrix(): Promise<string> {
  const columns: Map<string, string>[] = [];
  for (const column of COLUMNS) columns.push(await sayAll(column));
  const house = await openHouse({ settings: { demo: false }, house: { makeLoginLink: async () => '' } });
  const commands = house.handlers.commands.map(({ name, example }) => ({ name, example }));
  await house.close();
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [
    row(['a chief says', ...COLUMNS.map(({ title }) => title)]),
    row(['---', ...COLUMNS.map(() => '---')]),
    ...commands.map(({ name, example }) =>
      row([`\`${example}\``, ...columns.map((column) => column.get(name) || '–')]),
    ),
  ].join('\n');
}

/** The file with the table as it should be now. */
export function putMatrix(file: string, table: string): string {
  return file.replace(
    /(<!-- printed: matrix -->\n)[\s\S]*?(<!-- \/printed -->)/,
    (_whole, begin: string, end: string) => `${begin}${table}\n${end}`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = path.join(projectRoot, MATRIX_FILE);
  fs.writeFileSync(file, putMatrix(fs.readFileSync(file, 'utf8'), await printMatrix()));
}
