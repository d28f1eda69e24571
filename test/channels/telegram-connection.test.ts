import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeConnection, uploadMs } from '../../src/channels/telegram/connection.js';
import { pauseBefore } from '../../src/channels/telegram/polling.js';
import { TelegramServer } from '../support/telegram-server.js';

describe('the connection to Telegram', () => {
  let server: TelegramServer;
  beforeEach(async () => {
    server = await TelegramServer.start({ rates: false });
  });
  afterEach(() => server.stop());

  it('gives up a call that nobody answers', async () => {
    server.delay('getMe', 60_000);
    const connection = makeConnection({ token: server.token, apiRoot: `${server.apiRoot}/` });
    await expect(
      connection.call('getMe', (api, signal) => api.getMe(signal), { timeoutMs: 50 }),
    ).rejects.toMatchObject({ kind: 'unreachable', message: expect.stringContaining('no answer in time') });
    connection.close();
  });

  it('gives an upload the time that a slow line needs', () => {
    expect(uploadMs(0)).toBe(30_000);
    // 10 MB at 32 kB/s
    expect(uploadMs(10_000_000)).toBe(30_000 + 312_500);
  });

  it('waits longer from try to try, up to a bound, never all at one moment', () => {
    const pauses = { firstMs: 1000, mostMs: 60_000 };
    expect([1, 2, 3, 7, 1000].map((tries) => pauseBefore(tries, pauses, 1))).toEqual([
      1000, 2000, 4000, 60_000, 60_000,
    ]);
    expect(pauseBefore(7, pauses, 0)).toBe(45_000);
  });

  it('the stand-in makes a group when it is steered over HTTP', async () => {
    const say = (text: string) =>
      fetch(`${server.apiRoot}/control/say`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user: { id: 7, name: 'An' }, group: 'Nhóm thôn 1', text }),
      });
    await say('một');
    await say('hai');
    const said = server.unconfirmed.map((update) => update.message).filter((each) => each?.text);
    expect(said.map((each) => each?.text)).toEqual(['một', 'hai']);
    expect(said[0]?.chat).toEqual(said[1]?.chat);
    expect(said[0]?.chat.title).toBe('Nhóm thôn 1');
  });
});
