import { PersonError } from '../../src/base/errors.js';
import { hashToken } from '../../src/base/seal.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { Button } from '../../src/chat/message.js';
import {
  type Account,
  accountsOf,
  cutAccount,
  keepJoinCode,
  preferredChannelOf,
  setPreferredChannel,
} from '../../src/store/accounts.js';
import { writeAudit } from '../../src/store/audit.js';
import { channelName, MESSENGERS } from '../channel-names.js';
import { makeJoinCode, readCode } from '../codes.js';
import { changeMembers, settleMembersSoon } from '../group-members.js';
import type { House } from '../house.js';
import { joinByCode } from '../join-accounts.js';
import { may } from '../rights.js';
import { log, placeOf, rows } from '../saying.js';

type Args =
  | { do: 'show' }
  | { do: 'code' }
  | { do: 'consent'; another: boolean; sure: boolean }
  | { do: 'join'; code: string; sure: boolean }
  | { do: 'prefer'; channel: string | null }
  | { do: 'cut'; addressId: number; sure: boolean };

const CODE_MS = 10 * 60_000;

/** "zalo" → zalo-oa: what people call a channel, among those this person has. */
function channelCalled(words: string, accounts: readonly Account[]): string | null {
  const said = fold(words);
  const called = accounts.map((account) => account.channel);
  return (
    called.find((channel) => fold(channelName(channel)) === said) ??
    called.find((channel) => fold(channelName(channel)).startsWith(said)) ??
    null
  );
}

/** `noi`: one person, several accounts: join another one, choose where to be written to, take one off. */
export const accountCommand = (house: House) =>
  command<Args>({
    name: 'noi',
    aliases: ['nối', 'nối tài khoản', 'nối Zalo', 'nối Telegram'],
    summary: 'Nối tài khoản Zalo và Telegram của mình làm một',
    example: 'nối',
    may: 'everybody',
    inGroups: false,
    section: 'chung',
    async read(words, talk) {
      const said = fold(words);
      if (said === '') return { kind: 'args', args: { do: 'show' } };
      if (/^(?:ma|lay ma|ma moi|them|tai khoan|zalo|telegram)$/.test(said))
        return { kind: 'args', args: { do: 'code' } };
      // "nối Zalo" is an alias
      const oa = /^(?:zalo )?oa( khac)?( chac chan)?$/.exec(said);
      if (oa !== null)
        return {
          kind: 'args',
          args: { do: 'consent', another: oa[1] !== undefined, sure: oa[2] !== undefined },
        };
      const sure = /^đúng\s+/iu.test(words);
      const code = readCode(words.replace(/^đúng\s+/iu, ''));
      if (code?.kind === 'account') return { kind: 'args', args: { do: 'join', code: code.code, sure } };
      const cut = /^bo (\d{1,9})( chac chan)?$/.exec(said);
      if (cut !== null)
        return { kind: 'args', args: { do: 'cut', addressId: Number(cut[1]), sure: cut[2] !== undefined } };
      const prefer = /^uu tien (.+)$/.exec(said)?.[1];
      if (prefer === undefined) return { kind: 'not-mine' };
      if (/^(?:khong|nhu cu|noi nao cung duoc)$/.test(prefer))
        return { kind: 'args', args: { do: 'prefer', channel: null } };
      const channel = channelCalled(prefer, await accountsOf(house.db, talk.speaker.personId));
      if (channel === null)
        throw new PersonError(
          'Anh/chị chưa nối tài khoản nào như vậy. Gõ “nối” để xem các tài khoản đã nối.',
        );
      return { kind: 'args', args: { do: 'prefer', channel } };
    },
    async run(talk, args) {
      if (args.do === 'show') return show(house, talk);
      if (args.do === 'code') return giveCode(house, talk);
      if (args.do === 'consent') return giveConsentLink(house, talk, args);
      if (args.do === 'join') return joinByCode(house, talk, args.code, args.sure);
      if (args.do === 'prefer') return prefer(house, talk, args.channel);
      return cut(house, talk, args.addressId, args.sure);
    },
  });

const described = (account: Account, talk: Talk) =>
  `• ${channelName(account.channel)}: ${account.displayName}${
    account.id === talk.speaker.addressId ? ' (đang dùng)' : ''
  }${account.blocked ? ', đã chặn em' : account.privateChatId === null ? ', chưa nhắn riêng cho em' : ''}`;

async function show(house: House, talk: Talk): Promise<void> {
  const accounts = await accountsOf(house.db, talk.speaker.personId);
  const preferred = await preferredChannelOf(house.db, talk.speaker.personId);
  const channels = [...new Set(accounts.map((account) => account.channel))].filter(
    (channel) => channel !== 'console',
  );
  const where =
    channels.length < 2
      ? ''
      : `\nTin riêng em gửi qua ${preferred === null ? 'nơi anh/chị nhắn gần nhất' : channelName(preferred)}; nơi đó không nhận được thì em gửi nơi kia.`;
  const buttons: Button[] = [
    { label: 'Nối thêm tài khoản', says: 'nối mã' },
    ...(channels.length < 2 ? [] : channels).map((channel) => ({
      label: `Ưu tiên ${channelName(channel)}`,
      says: `nối ưu tiên ${channelName(channel)}`,
    })),
    ...accounts
      .filter((account) => account.id !== talk.speaker.addressId && account.channel !== 'console')
      .map((account) => ({
        label: `Bỏ ${channelName(account.channel)}: ${account.displayName}`,
        says: `nối bỏ ${account.id}`,
      })),
  ];
  await talk.reply({
    kind: 'text',
    text: `Tài khoản của anh/chị:\n${accounts.map((account) => described(account, talk)).join('\n')}${where}`,
    buttons: rows(buttons, 1),
  });
}

/** Where else the code can be said: the other channels that are open, with a way there. */
function elsewhere(house: House, talk: Talk): string {
  const others = MESSENGERS.filter((name) => name !== talk.message.channel && house.channelOf(name) !== null);
  return others
    .map((name) => {
      const link = house.channelOf(name)?.privateChatLink();
      return `\n• ${channelName(name)}${link == null ? '' : `: ${link}`}`;
    })
    .join('');
}

async function giveCode(house: House, talk: Talk): Promise<void> {
  const others = elsewhere(house, talk);
  if (others === '')
    throw new PersonError(
      `${house.settings.communeName} hiện chỉ dùng ${channelName(talk.message.channel)} nên chưa có tài khoản nào khác để nối.`,
    );
  const code = makeJoinCode();
  await keepJoinCode(house.db, {
    ...{ hash: hashToken(code), nowMs: talk.nowMs, ttlMs: CODE_MS },
    ...{ personId: talk.speaker.personId, addressId: talk.speaker.addressId },
  });
  await log(talk, [{ action: 'account.code', result: 'ok' }]);
  await talk.reply(
    `Mã nối tài khoản, dùng một lần trong 10 phút:\n\n${code}\n\nAnh/chị nhắn riêng mã này cho em từ tài khoản kia:${others}\nĐừng đưa mã cho ai: ai nhắn mã này sẽ dùng được quyền của anh/chị.`,
  );
}

/** The way to Zalo's page on which the OA's administrator lets us use it; the chief's alone. */
async function giveConsentLink(
  house: House,
  talk: Talk,
  { another, sure }: { another: boolean; sure: boolean },
): Promise<void> {
  if (talk.speaker.role !== 'chief')
    throw new PersonError('Việc nối Zalo OA của đơn vị do trưởng công an làm ạ.');
  if (house.zaloConsentLink === undefined)
    throw new PersonError(
      'Máy chủ chưa khai Zalo OA hoặc chưa có địa chỉ công khai. Anh/chị nhờ kỹ thuật viên chạy npm run setup trên máy chủ nhé.',
    );
  if (another && !sure)
    return talk.ask(
      'Đổi sang một Zalo OA khác? OA đang dùng sẽ thôi nhận tin; ai đã nhắn OA cũ phải nhắn lại cho OA mới.',
      [
        { label: 'Đổi OA', says: 'nối Zalo OA khác chắc chắn' },
        { label: 'Thôi', says: 'nối' },
      ],
    );
  await log(talk, [{ action: another ? 'zalo.consent-other' : 'zalo.consent', result: 'ok' }]);
  await talk.reply({
    kind: 'text',
    text: 'Anh/chị mở đường dẫn này bằng tài khoản quản trị Zalo OA rồi bấm Cho phép. Đường dẫn dùng được một lần, trong 24 giờ.',
    buttons: [
      [{ label: 'Cấp quyền Zalo OA', url: await house.zaloConsentLink(talk.speaker.personId, another) }],
    ],
  });
}

async function prefer(house: House, talk: Talk, channel: string | null): Promise<void> {
  await setPreferredChannel(house.db, talk.speaker.personId, channel);
  await talk.reply(
    channel === null
      ? 'Vâng, tin riêng em gửi nơi anh/chị nhắn gần nhất.'
      : `Vâng, từ giờ tin riêng em gửi qua ${channelName(channel)} trước; không được thì em gửi nơi kia.`,
  );
}

async function cut(house: House, talk: Talk, addressId: number, sure: boolean): Promise<void> {
  const accounts = await accountsOf(house.db, talk.speaker.personId);
  const account = accounts.find((one) => one.id === addressId);
  if (account === undefined || account.channel === 'console')
    throw new PersonError('Tài khoản này không còn nối với anh/chị. Gõ “nối” để xem các tài khoản đang nối.');
  const name = `${channelName(account.channel)} “${account.displayName}”`;
  if (!sure)
    return talk.ask(`Bỏ ${name}? Tài khoản đó sẽ thành khách, không xem và không nhận gì của anh/chị nữa.`, [
      { label: 'Bỏ', says: `nối bỏ ${addressId} chắc chắn` },
      { label: 'Thôi', says: 'nối' },
    ]);
  const done = await talk.once('account', async (tx) => {
    const gone = await cutAccount(tx, talk.speaker.personId, addressId, talk.nowMs);
    if (gone === null) return false;
    if (may(talk.speaker.role, 'clip'))
      await changeMembers(tx, 'remove', [gone], { name: talk.speaker.name, nowMs: talk.nowMs });
    await writeAudit(tx, [
      {
        ...{ atMs: talk.nowMs, personId: talk.speaker.personId, personName: talk.speaker.name },
        ...{ action: 'account.cut', place: placeOf(talk), result: 'ok', detail: name },
      },
    ]);
    return true;
  });
  settleMembersSoon(house);
  await talk.reply(done ? `Đã bỏ ${name}.` : 'Tài khoản này đã được bỏ trước đó.');
}
