import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTelegram } from '../../src/channels/telegram/index.js';
import { startHttpProxy, startSocksProxy, type TestProxy } from '../support/telegram/proxies.js';
import { TelegramServer } from '../support/telegram-server.js';
import { channelTo, FAST, makeButtonMemory, makeLogBook } from './telegram-fixture.js';

describe('Telegram where the network stands in the way', () => {
  let server: TelegramServer;
  const proxies: TestProxy[] = [];

  beforeEach(async () => {
    server = await TelegramServer.start({ rates: false });
  });
  afterEach(async () => {
    for (const proxy of proxies.splice(0)) await proxy.stop();
    await server.stop();
  });

  for (const [kind, start, scheme] of [
    ['an HTTP proxy', startHttpProxy, 'http'],
    ['a SOCKS5 proxy', startSocksProxy, 'socks5'],
  ] as const)
    it(`goes through ${kind} with its login`, async () => {
      const proxy = await start();
      proxies.push(proxy);
      const officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
      officer.says('chào');
      const channel = channelTo(server, { proxy: `${scheme}://xa:matkhau@127.0.0.1:${proxy.port}` });
      await new Promise<void>((resolve) => {
        void channel.start(async () => {
          resolve();
          return { inboxId: 1, fresh: true };
        });
      });
      await channel.send({ channel: 'telegram', chatId: String(officer.id) }, { kind: 'text', text: 'chào' });
      await channel.stop();
      expect(proxy.through).toBeGreaterThan(0);
      expect(proxy.logins[0]).toBe('xa:matkhau');
    });

  it('keeps trying while the proxy is away, without showing its password', async () => {
    const book = makeLogBook();
    const proxy = await startHttpProxy();
    await proxy.stop();
    const channel = channelTo(server, {
      proxy: `http://xa:matkhau@127.0.0.1:${proxy.port}`,
      log: book.log,
    });
    await channel.start(async () => ({ inboxId: 1, fresh: true }));
    while (!book.text().includes('ECONNREFUSED')) await new Promise((resolve) => setImmediate(resolve));
    await channel.stop();
    expect(book.text()).not.toContain('matkhau');
  });

  it('refuses a proxy that is none', () => {
    const options = { log: makeLogBook().log, buttons: makeButtonMemory(), pauses: FAST };
    expect(() =>
      makeTelegram({ ...options, token: '1:a', apiRoot: server.apiRoot, proxy: 'ftp://127.0.0.1' }),
    ).toThrow('TELEGRAM_PROXY');
  });

  it('is not confused by a page that says the site is blocked', async () => {
    const book = makeLogBook();
    server.garble('getMe', 2);
    server.garble('getUpdates', 2);
    server.garble('sendMessage');
    const officer = server.user({ id: 7_000_000_001, name: 'Hùng' });
    officer.says('chào');
    const channel = channelTo(server, { log: book.log });
    await new Promise<void>((resolve) => {
      void channel.start(async () => {
        resolve();
        return { inboxId: 1, fresh: true };
      });
    });
    const to = { channel: 'telegram' as const, chatId: String(officer.id) };
    await expect(channel.send(to, { kind: 'text', text: 'a' })).rejects.toMatchObject({
      kind: 'unreachable',
    });
    await channel.stop();
    expect(book.text()).not.toContain(server.token.split(':')[1]);
    expect(book.text()).toContain('works again');
  });
});
