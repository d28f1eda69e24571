import fs from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { makeChat } from '../../src/chat/chat.js';
import { putIncoming } from '../../src/store/inbox.js';
import { scrubMessage } from '../../src/store/scrub.js';
import { makeTestChannel } from '../support/channel.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';
import { PLAIN_FALLBACKS } from '../support/talk.js';

let test: TestDatabase;
beforeEach(async () => {
  test = await openTestDatabase();
});
afterEach(() => test.close());

const SECRET = 'rtsp://admin:SieuMat99@10.0.0.9/live';

/** Files of the database that hold the password, write-ahead log included. */
const holding = () =>
  fs.readdirSync(test.dir).filter((name) => fs.readFileSync(path.join(test.dir, name)).includes('SieuMat99'));

it('a scrubbed password stands in no file of the database any more', async () => {
  const [put] = await putIncoming(test.database, [
    {
      channel: 'console',
      chatId: 'truong',
      externalId: 'e1',
      payload: JSON.stringify({ text: `camera thêm Cổng ${SECRET}`, more: 'x'.repeat(9000) }),
      receivedMs: 1000,
    },
  ]);
  expect(holding()).not.toEqual([]);
  await scrubMessage(test.database, put!.inboxId, SECRET, '[đã ẩn]');
  expect(holding()).toEqual([]);
});

it('a camera’s password sent by whomever, understood or not, is not kept with the answered message', async () => {
  const channel = makeTestChannel();
  const chat = makeChat({
    database: test.database,
    clock: systemClock,
    log: pino({ level: 'silent' }),
    channels: [channel],
    commands: [],
    fallbacks: PLAIN_FALLBACKS,
    spoolDir: path.join(test.dir, 'spool'),
  });
  await chat.start();
  const message = {
    kind: 'message',
    channel: 'console',
    chatId: 'p',
    chatKind: 'private',
    externalId: 'e2',
  } as const;
  const sender = { userId: 'p', name: 'Lan' };
  await channel.hear({
    ...message,
    sender,
    sentMs: 0,
    text: `lắp ${SECRET}`,
    attachments: [],
    addressed: true,
  });
  await chat.drained();
  await chat.stop();
  const [row] = await test.database.inbox.findMany();
  expect(JSON.parse(row?.payload ?? '')).toMatchObject({
    text: 'lắp rtsp://10.0.0.9/live',
    externalId: 'e2',
  });
  expect(holding()).toEqual([]);
});
