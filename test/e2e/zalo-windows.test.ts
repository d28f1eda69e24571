import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/product.js';
import type { TelegramServer, TgPerson } from '../support/telegram-server.js';
import { codeIn, consentIn, hasConsent, wordsOf, ZaloStage } from '../support/zalo/stage.js';
import type { ZaloPerson, ZaloServer } from '../support/zalo-server.js';

/** Whom Zalo lets be written to, and at whose cost, where the commune pays for more than 48 hours (ZALO_PAID). */

const DAY = 86_400_000;
const stage = new ZaloStage();
let telegram: TelegramServer;
let zalo: ZaloServer;
let chief: TgPerson;
let invitation: string;

const tells = async (who: TgPerson, text: string, what: RegExp) =>
  wordsOf(await stage.tells(who, text, what));
const sendsTo = (person: ZaloPerson) =>
  zalo.calls.filter(
    ({ name, params }) =>
      name === 'message/cs' && (params.recipient as { user_id?: string })?.user_id === person.id,
  );
const nothingWaits = () =>
  eventually(
    'nothing waits',
    async () => (await stage.rows(`SELECT id FROM Outbox WHERE state = 'waiting'`)).length === 0,
  );
const toldChief = () => stage.toldTelegram(chief).map(wordsOf);

/** A donor who wrote so long ago; we hear of it only now. @param also their Telegram, joined to it */
async function donorWho(id: number, name: string, wroteAgoMs: number, also?: TgPerson): Promise<ZaloPerson> {
  const person = zalo.person({ id: `55101857582619${id}`, name });
  zalo.clock = -wroteAgoMs;
  await stage.asks(person, invitation, /người ủng hộ/);
  const joining = also === undefined ? null : codeIn((await stage.asks(person, 'nối mã', /NOI-/)).text);
  zalo.clock = 0;
  if (also !== undefined) await stage.tells(also, joining!, /./);
  // it comes beside the talk
  await eventually(
    'the name is known',
    async () => (await stage.rows(`SELECT id FROM Person WHERE name = '${name}'`)).length > 0,
  );
  await nothingWaits();
  return person;
}

beforeAll(async () => {
  await stage.start({ ZALO_PAID: '1' });
  ({ telegram, zalo } = stage);
  zalo.world.paidLeft = 5;
  chief = telegram.user({ id: 11, name: 'Lê Văn Trường' });
  await stage.becomesChief(chief);
  const asked = await stage.tells(chief, 'nối Zalo OA', hasConsent);
  expect(await (await fetch(consentIn(asked)!)).text()).toContain('Đã nối Zalo');
  await zalo.webhook.set(`${stage.product.url}/zalo/oa`);
  await zalo.called('getoa');
  invitation = codeIn(await tells(chief, 'mời người ủng hộ 9 lượt 7 ngày', /MOI-/));
}, 120_000);

afterAll(async () => {
  await stage.end();
}, 60_000);

describe('who wrote last', () => {
  it('three days ago: it goes by Zalo, out of the paid quota', async () => {
    const donor = await donorWho(28201, 'Vi Thị Ba Ngày', 3 * DAY);
    await tells(chief, 'ghi nhận Vi Thị Ba Ngày 500.000đ', /Em đã gửi lời cảm ơn riêng/);
    const thanks = await stage.onZalo(donor, /trân trọng cảm ơn Vi Thị Ba Ngày/);
    expect(thanks.quota?.quota_type).toBe('sub_quota');
  }, 90_000);

  it('eight days ago, and is on Telegram too: it goes there, Zalo is not asked', async () => {
    const there = telegram.user({ id: 78, name: 'Tám Ngày' });
    const donor = await donorWho(28202, 'Lò Văn Tám Ngày', 8 * DAY, there);
    const asked = sendsTo(donor).length;
    await tells(chief, 'ghi nhận Lò Văn Tám Ngày 700.000đ', /Em đã gửi lời cảm ơn riêng/);
    await stage.onTelegram(there, /trân trọng cảm ơn Lò Văn Tám Ngày/);
    expect(sendsTo(donor)).toHaveLength(asked);
  }, 90_000);

  it('six days ago by our book, eight by Zalo’s: refused, and it goes to Telegram, once', async () => {
    const there = telegram.user({ id: 79, name: 'Sáu Ngày' });
    const donor = await donorWho(28203, 'Bùi Thị Sáu Ngày', 6 * DAY, there);
    // they choose Zalo, which is asked first
    await stage.tells(there, 'nối ưu tiên Zalo', /Zalo/);
    donor.state.lastInteractionMs = Date.now() - 8 * DAY;
    await tells(chief, 'ghi nhận Bùi Thị Sáu Ngày 800.000đ', /Đã ghi nhận/);
    await stage.onTelegram(there, /trân trọng cảm ơn Bùi Thị Sáu Ngày/);
    await nothingWaits();
    expect(sendsTo(donor).map(({ error }) => error)).toContain(-230);
    const thanks = [
      ...stage.toldTelegram(there).map(wordsOf),
      ...stage.toldZalo(donor).map(({ text }) => text),
    ];
    expect(thanks.filter((text) => text.includes('trân trọng cảm ơn Bùi'))).toHaveLength(1);
  }, 90_000);

  it('eight days ago and is nowhere else: it waits, the chief is asked to call, and it goes when they open the chat', async () => {
    const donor = await donorWho(28204, 'Hà Văn Vắng', 8 * DAY);
    const asked = sendsTo(donor).length;
    expect(await tells(chief, 'ghi nhận Hà Văn Vắng 900.000đ', /Đã ghi nhận/)).toContain('em giữ lại');
    await eventually('the chief is asked to call', () =>
      toldChief().some((text) => /chưa nhắn được cho Hà Văn Vắng[\s\S]*gọi/.test(text)),
    );
    expect(sendsTo(donor)).toHaveLength(asked);
    // a tap on the chat is an interaction, without a word
    donor.opensChat();
    await stage.onZalo(donor, /trân trọng cảm ơn Hà Văn Vắng/);
    await nothingWaits();
    expect(await stage.rows(`SELECT id FROM Outbox WHERE state = 'held'`)).toEqual([]);
  }, 90_000);
});
