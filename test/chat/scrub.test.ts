import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { putIncoming } from '../../src/store/inbox.js';
import { scrubMessage } from '../../src/store/scrub.js';
import { openTestDatabase, type TestDatabase } from '../support/database.js';

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
  const { inboxId } = await putIncoming(
    test.database,
    {
      channel: 'console',
      chatId: 'truong',
      externalId: 'e1',
      payload: JSON.stringify({ text: `camera thêm Cổng ${SECRET}`, more: 'x'.repeat(9000) }),
    },
    1000,
  );
  expect(holding()).not.toEqual([]);
  await scrubMessage(test.database, inboxId, SECRET, '[đã ẩn]');
  expect(holding()).toEqual([]);
});
