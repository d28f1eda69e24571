/**
 * What each command gives on each channel: its example is said by a chief to the real bot core behind the real channel,
 * which speaks over HTTP with a stand-in of its platform; what arrived there is put in a table. As a program it prints the
 * table into src/channels/README.md.
 */
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import type { Channel, ChannelName } from '../../src/chat/message.js';
import { fileNotTaken, kindNotTaken, noPhotoHere, noVideoHere } from '../../src/chat/sentences.js';
import { makeMp4 } from '../channels/mp4.js';
import { openHouse } from './house.js';
import { CHIEF, MATRIX_PLATFORMS, type Platform, type Seen } from './matrix-platforms.js';
import { projectRoot } from './project-root.js';

export const MATRIX_FILE = path.join('src', 'channels', 'README.md');

const LINK = 'https://xa.example.vn/m/';
const SENTENCES = [noPhotoHere, noVideoHere, kindNotTaken, fileNotTaken(1).slice(0, 7)];
/** What goes out is not what is measured here: nothing waits for its turn. */
const AT_ONCE = { perSecond: 1000, perChatMs: 0, perGroupPerMinute: 1000 };

/** What a person gets, in a few words. */
function describe({ kind, text, buttons }: Seen): string {
  if (kind === 'text' && SENTENCES.some((sentence) => text.includes(sentence))) return 'a sentence: not here';
  const linked = text.includes(LINK) ? ' + link' : '';
  // what buttons became is in the words
  const menu = /Trả lời (?:số|1 )/.test(text) ? ' + numbered menu' : '';
  return `${kind}${linked}${buttons ? ' + buttons' : ''}${menu}`;
}

/** "I am cutting it": where nothing can be changed it stays above the answer. */
const isProgress = ({ kind, text }: Seen) => kind === 'text' && /^(?:⏳|Em đang|Đang )/.test(text);

/** Says every command's example on one platform. @returns by command, what came back */
async function sayAll(platform: Platform): Promise<Map<string, string>> {
  const gif = await sharp({ create: { width: 48, height: 27, channels: 3, background: '#369' } })
    .gif()
    .toBuffer();
  const { name } = platform.channel;
  const channel: Channel = {
    ...platform.channel,
    limits: { ...platform.channel.limits, rates: AT_ONCE },
  };
  const house = await openHouse({
    others: [channel],
    settings: { demo: false },
    house: { makeLoginLink: async () => 'https://xa.example.vn/login/x' },
    chat: {
      ...(platform.links ? { makeLink: async () => ({ url: `${LINK}${'x'.repeat(43)}` }) } : {}),
      async makePreview(_video, file) {
        fs.writeFileSync(file, gif);
        return { sizeBytes: gif.length, width: 48, height: 27 };
      },
    },
  });
  // platforms look into what they are given
  house.recorder.savePart = async (_job, _index, file) => {
    const bytes = makeMp4({ sound: true });
    fs.writeFileSync(file, bytes);
    return { sizeBytes: bytes.length };
  };
  try {
    const { chat } = await house.ready;
    await platform.opened();
    await bindChief(house.db, name, platform.chiefId);
    const said = new Map<string, string>();
    let newest = 0;
    for (const { name: command, example } of house.handlers.commands) {
      const before = (await platform.seen()).length;
      await platform.says(example);
      newest = await inboxAfter(house.db, name, newest);
      await chat.turnDone(newest);
      const shown = (await platform.seen()).slice(before).filter((one) => !isProgress(one));
      said.set(command, shown.map(describe).join(', then '));
    }
    return said;
  } finally {
    await house.close();
    await platform.close();
  }
}

type Db = Awaited<ReturnType<typeof openHouse>>['db'];

/** The chief of the demo has an account there. */
async function bindChief(db: Db, channel: ChannelName, userId: string): Promise<void> {
  const { id: personId } = await db.person.findFirstOrThrow({ where: { alias: CHIEF } });
  const where = { channel_userId: { channel, userId } };
  const create = { channel, userId, personId, displayName: 'Trường', createdMs: 0n };
  await db.address.upsert({ where, create, update: {} });
}

/** The message that was just said, once it has been taken care of. */
async function inboxAfter(db: Db, channel: ChannelName, newest: number): Promise<number> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const rows = await db.inbox.findMany({ where: { channel, id: { gt: newest } }, orderBy: { id: 'asc' } });
    const said = rows.find(({ payload }) => (JSON.parse(payload) as { kind: string }).kind === 'message');
    if (said?.state === 'done') return said.id;
    if (Date.now() > deadline) throw new Error(`what was said on ${channel} was not taken care of`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The table, Markdown. */
export async function printMatrix(): Promise<string> {
  const columns = await Promise.all(
    MATRIX_PLATFORMS.map(async ({ title, open }) => ({ title, said: await sayAll(await open()) })),
  );
  const house = await openHouse({ settings: { demo: false }, house: { makeLoginLink: async () => '' } });
  const commands = house.handlers.commands.map(({ name, example }) => ({ name, example }));
  await house.close();
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [
    row(['a chief says', ...columns.map(({ title }) => title)]),
    row(['---', ...columns.map(() => '---')]),
    ...commands.map(({ name, example }) =>
      row([`\`${example}\``, ...columns.map(({ said }) => said.get(name) || '–')]),
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
