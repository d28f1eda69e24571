import { once } from 'node:events';
import net from 'node:net';
import { pino } from 'pino';
import { TelegramServer as Emulator } from 'telegram-test-api/lib/telegramServer.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTelegram, type TelegramChannel } from '../../src/channels/telegram/index.js';
import type { Message } from '../../src/chat/message.js';
import { FAST, makeButtonMemory } from './telegram-fixture.js';

const TOKEN = '4839574812:AAFD39kkdpWt3ywyRZergyOLMaJhac60qcT';

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('Telegram before an emulator that others wrote (telegram-test-api)', () => {
  let emulator: Emulator;
  let channel: TelegramChannel;

  beforeEach(async () => {
    emulator = new Emulator({ port: await freePort(), host: '127.0.0.1' });
    await emulator.start();
    channel = makeTelegram({
      token: TOKEN,
      apiRoot: emulator.config.apiURL,
      log: pino({ level: 'silent' }),
      buttons: makeButtonMemory(),
      pauses: FAST,
    });
  });
  afterEach(async () => {
    await channel.stop();
    await emulator.stop();
  });

  it('answers words, and takes a pressed button', async () => {
    const person = emulator.getClient(TOKEN, { userId: 7001, chatId: 7001, firstName: 'Hùng' });
    const taken: Message[] = [];
    let told = () => {};
    await channel.start(async (incoming) => {
      taken.push(incoming as Message);
      told();
      return { inboxId: taken.length, fresh: true };
    });
    const take = async (count: number) => {
      while (taken.length < count)
        await new Promise<void>((resolve) => {
          told = resolve;
        });
    };
    await person.sendMessage(person.makeMessage('ảnh cổng chợ'));
    await take(1);
    expect(taken[0]).toMatchObject({ text: 'ảnh cổng chợ', chatKind: 'private', sender: { userId: '7001' } });

    const { ids } = await channel.send(
      { channel: 'telegram', chatId: '7001' },
      { kind: 'text', text: 'Camera nào?', buttons: [[{ label: 'Cổng chợ', says: 'ảnh cổng chợ' }]] },
    );
    const { result } = await person.getUpdates();
    expect(result[0]?.message).toMatchObject({
      text: 'Camera nào?',
      reply_markup: { inline_keyboard: [[{ text: 'Cổng chợ', callback_data: 'ảnh cổng chợ' }]] },
    });

    await person.sendCallback(person.makeCallbackQuery('ảnh cổng chợ'));
    await take(2);
    expect(taken[1]).toMatchObject({ text: 'ảnh cổng chợ', pressed: true });

    const changed = await channel.send(
      { channel: 'telegram', chatId: '7001' },
      { kind: 'text', text: 'Đang lấy ảnh…' },
      { replaces: ids[0] as string },
    );
    expect(changed.ids).toEqual(ids);
    const history = await person.getUpdatesHistory();
    expect(JSON.stringify(history)).toContain('Đang lấy ảnh…');
  });
});
