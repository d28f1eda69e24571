import { fold } from '../../src/base/vietnamese/text.js';
import { type Command, command, type Talk } from '../../src/chat/command.js';
import { readCode } from '../codes.js';
import type { House } from '../house.js';
import { exampleButtons, firstReachable } from '../quick.js';
import { redeem } from '../redeem.js';
import { calling, insists } from '../saying.js';

type Args = { do: 'help' } | { do: 'about'; name: string } | { do: 'redeem'; code: string };

/** Commands a role may use, in the order of the table. */
export const commandsFor = (table: Command[], talk: Pick<Talk, 'speaker'>): Command[] =>
  table.filter((one) => one.may === 'everybody' || one.may.includes(talk.speaker.role));

/** `trogiup`, also start and menu: what this person may do, with examples to press. */
export const helpCommand = (house: House, table: () => Command[]) =>
  command<Args>({
    name: 'trogiup',
    aliases: ['trợ giúp', 'hướng dẫn', 'start', 'menu', 'help', 'bắt đầu', 'giúp đỡ'],
    summary: 'Xem em làm được gì',
    example: 'trợ giúp',
    may: 'everybody',
    inGroups: true,
    section: 'chung',
    async read(words, talk) {
      const payload = talk.message.startPayload;
      if (payload !== undefined && payload !== '' && talk.group === null)
        return { kind: 'args', args: { do: 'redeem', code: payload } };
      if (fold(words) === '') return { kind: 'args', args: { do: 'help' } };
      const code = readCode(words);
      if (code !== null && code.kind !== 'receipt' && talk.group === null)
        return { kind: 'args', args: { do: 'redeem', code: words } };
      const about = commandsFor(table(), talk).find((one) =>
        [one.name, ...one.aliases].some((name) => fold(name) === fold(words)),
      );
      if (about !== undefined) return { kind: 'args', args: { do: 'about', name: about.name } };
      return insists(talk) ? { kind: 'args', args: { do: 'help' } } : { kind: 'not-mine' };
    },
    async run(talk, args) {
      if (args.do === 'redeem') return redeem(house, talk, args.code);
      if (args.do === 'about') {
        const about = table().find((one) => one.name === args.name);
        if (about !== undefined)
          await talk.reply({
            kind: 'text',
            text: `${about.summary}.\nVí dụ: ${about.example}`,
            buttons: [[{ label: about.example.slice(0, 40), says: about.example }]],
          });
        return;
      }
      await help(house, talk, table());
    },
  });

/** Known to who needs them (a report names the words that open it); the help must fit one screen. */
const ASIDE = new Set(['trogiup', 'quyen', 'noi', 'lienket', 'tin']);

/**
 * The help of this person; guests and households get one warm sentence instead of a list.
 * @param said words of theirs that were taken for talk: a button sends them as a report all the same
 */
export async function help(house: House, talk: Talk, table: Command[], said = ''): Promise<void> {
  const { role } = talk.speaker;
  const maybeReport = fold(said).split(' ').length >= 3 && said.length <= 500;
  if (role === 'guest' || role === 'household' || role === 'donor') {
    await talk.reply({
      kind: 'text',
      text: `Chào ${calling(talk.speaker.name)}, đây là ${house.settings.communeName}. ${
        talk.group === null
          ? 'Thấy gì đáng ngờ, anh/chị cứ gửi ảnh, video hoặc vài dòng chữ vào đây: cán bộ nhận được ngay, tên anh/chị được giữ kín.'
          : 'Thấy gì đáng ngờ, anh/chị nhắn riêng cho em ảnh, video hoặc vài dòng chữ: cán bộ nhận được ngay, tên anh/chị được giữ kín.'
      }${role === 'guest' ? '\nNếu có mã mời, anh/chị gõ mã vào đây.' : ''}\nViệc khẩn cấp xin gọi ngay 113.`,
      buttons: [
        ...(maybeReport ? [[{ label: 'Gửi tin báo này', says: `báo tin ${said}` }]] : []),
        [
          { label: 'Báo tin', says: 'báo tin' },
          { label: 'Quyền của tôi', says: 'quyền' },
        ],
      ],
    });
    return;
  }
  const slash = talk.group === null ? '' : '/';
  const first = await firstReachable(house, talk);
  const lines = commandsFor(table, talk)
    .filter((one) => (talk.group === null || one.inGroups) && !ASIDE.has(one.name))
    .filter((one) => one.name !== 'baotin' || role === 'hamletHead')
    .map((one) => {
      const example = one.name === 'anh' && first !== null ? `ảnh ${first}` : one.example;
      return `• ${slash}${example}\n   ${one.summary}`;
    });
  await talk.reply({
    kind: 'text',
    text: `Chào ${calling(talk.speaker.name)}. ${talk.group === null ? 'Anh/chị cứ gõ như nói chuyện, không dấu cũng được' : 'Trong nhóm, xin gõ dấu / phía trước'}:\n\n${lines.join('\n')}`,
    buttons: await exampleButtons(house, talk),
  });
}
