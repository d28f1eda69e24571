import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Talk } from '../../src/chat/command.js';
import { type TalkHouse, talkTo } from '../support/talk.js';
import { makeTable } from './table.js';

const { commands, runs } = makeTable();
const refusals: string[] = [];
let house: TalkHouse;

beforeAll(async () => {
  house = talkTo({
    commands,
    onRefused: async (talk: Talk, command) => void refusals.push(`${talk.speaker.name} ${command.name}`),
  });
  await house.ready;
});
beforeEach(() => {
  runs.length = 0;
  refusals.length = 0;
});
afterAll(() => house.close());

const texts = async (said: ReturnType<ReturnType<TalkHouse['as']>['say']>) =>
  (await said).map((heard) => heard.text);

describe('a command is called', () => {
  it.each([
    ['ảnh cổng chợ'],
    ['anh cổng chợ'],
    ['ẢNH Cổng chợ'],
    ['/anh cổng chợ'],
    ['/anh@mat_than_bot cổng chợ'],
    ['/ảnh cổng chợ'],
    ['/ánh cổng chợ'],
    ['hinh cổng chợ'],
    ['chụp ảnh cổng chợ'],
    ['chup anh: cổng chợ'],
    ['ảnh cổng chợ'.normalize('NFD')],
  ])('by %s', async (text) => {
    expect(await texts(house.as('canbo').say(text))).toEqual(['Ảnh cổng chợ']);
  });

  it('by a slash with one slip of the finger', async () => {
    expect(await texts(house.as('khach').say('/trogiip'))).toEqual(['Trợ giúp']);
    expect(await texts(house.as('khach').say('/trợ giúp'))).toEqual(['Trợ giúp']);
  });

  it('by a deep link, with its payload', async () => {
    expect(await texts(house.as('khach').say('', { startPayload: 'moi-abc' }))).toEqual(['Mời vào: moi-abc']);
  });

  it('an unknown slash names the nearest', async () => {
    const [text] = await texts(house.as('khach').say('/trogxxup'));
    expect(text).toContain('/trogiup');
  });
});

describe('everyday words run nothing', () => {
  const everyday = [
    'anh ơi',
    'ánh cổng chợ',
    'ánh sáng kém quá',
    'ảnh hưởng gì không',
    'anhh cổng chợ',
    'moi nguoi oi',
  ];
  it.each(everyday)('%s: friendly help in private', async (text) => {
    expect(await texts(house.as('canbo').say(text))).toEqual(['(trợ giúp)']);
    expect(runs).toEqual([]);
  });

  it.each([...everyday, 'ảnh cổng chợ', 'trợ giúp'])('%s: silence in a group', async (text) => {
    expect(await house.as('canbo').in('nhom-canbo').say(text)).toEqual([]);
    expect(runs).toEqual([]);
  });

  it('an everyday sentence of somebody without rights is no offence', async () => {
    expect(await texts(house.as('khach').say('anh ơi'))).toEqual(['(trợ giúp)']);
    expect(refusals).toEqual([]);
  });

  it('what a group says among itself is not kept', async () => {
    const { inboxId } = await house.as('ho').in('nhom-thon1').begin('chuyện nhà tôi');
    const { database, chat } = await house.ready;
    await chat.turnDone(inboxId);
    const row = await database.inbox.findUniqueOrThrow({ where: { id: inboxId } });
    expect(row.payload).not.toContain('chuyện nhà');
  });
});

describe('rights', () => {
  it('refuses with one sentence and tells the audit', async () => {
    const said = await texts(house.as('ho').say('ảnh cổng chợ'));
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/chưa được giao quyền/);
    expect(runs).toEqual([]);
    expect(refusals).toEqual(['Bà Hộ anh']);
  });

  it('a removed person is a guest', async () => {
    const { database } = await house.ready;
    const canbo = { where: { alias: 'canbo' } };
    await database.person.update({ ...canbo, data: { removedMs: 1n } });
    expect((await texts(house.as('canbo').say('/anh cổng chợ')))[0]).toMatch(/chưa được giao quyền/);
    await database.person.update({ ...canbo, data: { removedMs: null } });
  });

  it('a command for private chats points there from a group', async () => {
    const [heard] = await house.as('truong').in('nhom-canbo').say('/kin');
    expect(heard!.text).toMatch(/nhắn riêng/);
    expect(heard!.labels).toEqual(['Mở chat riêng']);
    expect(runs).toEqual([]);
  });

  it('a slash whose words do not fit explains itself', async () => {
    const [text] = await texts(house.as('canbo').say('/anh ơi'));
    expect(text).toContain('Ví dụ: ảnh cổng chợ');
  });
});

describe('three ways to fail, and never silence', () => {
  it("the person's fault is said as it is", async () => {
    expect(await texts(house.as('khach').say('thử người'))).toEqual(['Anh/chị cho biết camera nào ạ?']);
  });
  it("the world's fault is said plainly", async () => {
    expect((await texts(house.as('khach').say('thử đời')))[0]).toMatch(/Ổ đĩa/);
  });
  it('our fault is an apology with a code, without the inside', async () => {
    const [text] = await texts(house.as('khach').say('thử ta'));
    expect(text).toMatch(/mã lỗi [0-9A-F]{6}/);
    expect(text).not.toContain('secret');
  });
  it('a handler that says nothing is answered for', async () => {
    expect(await texts(house.as('khach').say('thử im'))).toHaveLength(1);
  });
});

describe('open questions', () => {
  it.each([['1'], ['chọn 1'], ['số 1'], ['so 1'], ['1 nhé'], ['Cổng chợ'], ['cong cho']])(
    'a menu is answered by %s',
    async (answer) => {
      const canbo = house.as('canbo');
      const [menu] = await canbo.say('thử hỏi');
      expect(menu!.labels).toEqual(['Cổng chợ', 'Ngã ba']);
      expect(await texts(canbo.say(answer))).toEqual(['Ảnh cổng chợ']);
    },
  );
  it('by its button, which says what typing says', async () => {
    const canbo = house.as('canbo');
    await canbo.say('thử hỏi');
    expect((await canbo.press('Ngã ba')).map((heard) => heard.text)).toEqual(['Ảnh ngã ba']);
  });
  it('once only, and anything else falls through', async () => {
    const canbo = house.as('canbo');
    await canbo.say('thử hỏi');
    expect(await texts(canbo.say('ảnh ngã ba'))).toEqual(['Ảnh ngã ba']);
    expect(await texts(canbo.say('2'))).toEqual(['Ảnh ngã ba']);
    expect(await texts(canbo.say('2'))).toEqual(['(trợ giúp)']);
    await canbo.say('thử hỏi');
    expect(await texts(canbo.say('7'))).toEqual(['(trợ giúp)']);
  });
  it("one person's menu is nobody else's", async () => {
    await house.as('canbo').in('nhom-canbo').say('/thu hỏi');
    expect(await texts(house.as('truong').in('nhom-canbo').say('1', { addressed: true }))).not.toContain(
      'Ảnh cổng chợ',
    );
    expect(await texts(house.as('canbo').in('nhom-canbo').say('1', { addressed: true }))).toEqual([
      'Ảnh cổng chợ',
    ]);
  });
  it('a question for words takes the next words, or a farewell', async () => {
    const khach = house.as('khach');
    await khach.say('thử chữ');
    expect(await texts(khach.say('Nguyễn Văn A'))).toEqual(['Đã thử tên Nguyễn Văn A']);
    await khach.say('thử chữ');
    expect((await texts(khach.say('thôi')))[0]).toMatch(/bỏ qua/);
    expect(await texts(khach.say('Nguyễn Văn A'))).toEqual(['(trợ giúp)']);
  });
  it('a slash instead of the words ends the question', async () => {
    const khach = house.as('khach');
    await khach.say('thử chữ');
    expect(await texts(khach.say('/trogiup'))).toEqual(['Trợ giúp']);
    expect(await texts(khach.say('Nguyễn Văn A'))).toEqual(['(trợ giúp)']);
  });
  it('a pressed button ends its menu', async () => {
    const canbo = house.as('canbo');
    await canbo.say('thử hỏi');
    await canbo.press('Ngã ba');
    expect(await texts(canbo.say('1'))).toEqual(['(trợ giúp)']);
  });
  it('a button nobody knows any more is not taken for a report', async () => {
    expect((await texts(house.as('khach').say('cũ rồi', { pressed: true })))[0]).toMatch(/Nút này đã cũ/);
  });
});

describe('what a group must not see', () => {
  it('goes to the private chat', async () => {
    expect(await house.as('canbo').in('nhom-canbo').say('/thu riêng')).toEqual([]);
    await house.drained();
    expect(house.heardIn('canbo').at(-1)!.text).toBe('Chuyện riêng');
  });
  it('or gives a button that opens it', async () => {
    const [heard] = await house.as('nguoila').in('nhom-canbo').say('/thu riêng');
    expect(heard!.labels).toEqual(['Mở chat riêng']);
  });
});

it('a menu expires', async () => {
  let now = Date.UTC(2026, 10, 21, 7, 0);
  const frozen = talkTo({ commands, clock: { now: () => now } });
  const canbo = frozen.as('canbo');
  await canbo.say('thử hỏi');
  now += 10 * 60_000 + 1;
  expect(await texts(canbo.say('1'))).toEqual(['(trợ giúp)']);
  await frozen.close();
});

it('a channel without buttons prints numbers, and understands them', async () => {
  const plain = talkTo({ commands, limits: { buttons: false } });
  const [menu] = await plain.as('canbo').say('thử hỏi');
  expect(menu!.text).toBe('Camera nào ạ?\n\n1. Cổng chợ\n2. Ngã ba\nTrả lời số từ 1 đến 2 để chọn.');
  expect(await texts(plain.as('canbo').say('chọn 2'))).toEqual(['Ảnh ngã ba']);
  await plain.close();
});
