import { PersonError } from '../../src/base/errors.js';
import { amountInWords, findAmount, readAmount, sayAmount } from '../../src/base/vietnamese/money.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { ChannelName } from '../../src/chat/message.js';
import { writeAudit } from '../../src/store/audit.js';
import { addDonation, type Donation, donationById } from '../../src/store/donations.js';
import { type Group, listGroups } from '../../src/store/groups.js';
import { listPeople } from '../../src/store/people.js';
import { privateChatsOf } from '../alerts/recipients.js';
import type { House } from '../house.js';
import { MAY } from '../rights.js';
import { placeOf } from '../saying.js';

type Args =
  | { do: 'explain' }
  | { do: 'ask-amount'; donor: string }
  | { do: 'record'; donor: string; amountDong: number }
  | { do: 'thank'; donationId: number; groupId: number | null };

const LEAST = 1000;
const MOST = 1_000_000_000_000;

/** "Nguyễn Văn An", "Hội phụ nữ thôn 1": begins with a capital, short, no talk. */
const LIKE_A_NAME =
  /^(?:(?:ông|bà|anh|chị|cô|chú|bác|gia đình|cụ|em|hội|công ty)\s+)?\p{Lu}[\p{L}\p{M}]*(?:\s+\p{Lu}[\p{L}\p{M}]*){0,5}$/u;

/** `ghinhan`: books a gift once, thanks the donor in the chosen group, and in private where the donor has an account. */
export const donateCommand = (house: House) =>
  command<Args>({
    name: 'ghinhan',
    aliases: ['ghi nhận', 'ghi nhận ủng hộ', 'nhận ủng hộ'],
    summary: 'Ghi nhận khoản ủng hộ và cảm ơn',
    example: 'ghi nhận Nguyễn Văn An 500.000đ',
    may: MAY.donation,
    inGroups: true,
    section: 'báo tin',
    async read(words) {
      const said = words.trim();
      if (said === '') return { kind: 'args', args: { do: 'explain' } };
      const thanks = /^cam on (\d{1,9}) (\d{1,9}|khong)$/.exec(fold(said));
      if (thanks !== null)
        return {
          kind: 'args',
          args: {
            do: 'thank',
            donationId: Number(thanks[1]),
            groupId: thanks[2] === 'khong' ? null : Number(thanks[2]),
          },
        };
      const found = findAmount(said) ?? bareAmount(said);
      const donor = (found?.rest ?? said)
        .replace(/^\s*(?:của|từ|cho|cua|tu)\s+/iu, '')
        .replace(/\s+(?:ủng hộ|ung ho|đóng góp|góp|tặng|số tiền|số tiền là)\s*$/iu, '')
        .replace(/[\s,:;–-]+$/u, '')
        .trim();
      if (found === null)
        return LIKE_A_NAME.test(donor)
          ? { kind: 'args', args: { do: 'ask-amount', donor } }
          : { kind: 'not-mine' };
      if (donor === '' || fold(donor).split(' ').length > 12) return { kind: 'not-mine' };
      return { kind: 'args', args: { do: 'record', donor, amountDong: Number(found.amount) } };
    },
    async run(talk, args) {
      if (args.do === 'explain')
        return talk.askWords(
          'Ai ủng hộ, bao nhiêu ạ? Ví dụ: Nguyễn Văn An 500.000đ, hoặc: bà Năm 2 triệu',
          'ghi nhận',
        );
      if (args.do === 'ask-amount')
        return talk.askWords(`${args.donor} ủng hộ bao nhiêu ạ? Ví dụ: 500.000đ`, `ghi nhận ${args.donor}`);
      if (args.do === 'thank') return thank(house, talk, args.donationId, args.groupId);
      await record(house, talk, args.donor, args.amountDong);
    },
  });

/** "Nguyễn Văn An 500000": bare digits at the end count when they are an amount somebody would give. */
function bareAmount(text: string): { amount: bigint; rest: string } | null {
  const match = /^(.*\S)\s+(\d{4,12})$/u.exec(text);
  const amount = match === null ? null : readAmount(match[2] ?? '');
  return match === null || amount === null ? null : { amount, rest: match[1] ?? '' };
}

/** Groups where this person may thank: the chief in every public or hamlet group, a hamlet head in the own ones. */
async function groupsToThank(house: House, talk: Talk): Promise<Group[]> {
  return (await listGroups(house.db)).filter(
    (group) =>
      group.purpose === 'public' ||
      (group.purpose === 'hamlet' &&
        (talk.speaker.role === 'chief' ||
          (group.hamletId !== null && group.hamletId === talk.speaker.hamletId))),
  );
}

const money = (donation: Pick<Donation, 'amountDong'>) =>
  `${sayAmount(donation.amountDong)} (${amountInWords(donation.amountDong).toLowerCase()})`;

export const thanksWords = (commune: string, donation: Pick<Donation, 'donorName' | 'amountDong'>) =>
  `${commune} trân trọng cảm ơn ${donation.donorName} đã ủng hộ ${money(donation)} cho hệ thống camera an ninh.\nMỗi tấm lòng là thêm một con mắt giữ bình yên cho quê hương.`;

async function record(house: House, talk: Talk, donor: string, amountDong: number): Promise<void> {
  if (donor.length > 80) throw new PersonError('Tên người ủng hộ dài quá, xin viết trong 80 chữ cái.');
  if (amountDong < LEAST || amountDong > MOST)
    throw new PersonError(
      `Em đọc được số tiền ${sayAmount(amountDong)}, có vẻ chưa đúng. Xin viết rõ, ví dụ: 500.000đ hoặc 2 triệu.`,
    );
  const same = (await listPeople(house.db)).filter((person) => fold(person.name) === fold(donor));
  const donorId = same.length === 1 ? (same[0]?.id ?? null) : null;
  const id = await talk.once('donation', async (tx) => {
    const donationId = await addDonation(tx, {
      donorName: donor,
      donorId,
      amountDong,
      recordedMs: talk.nowMs,
      recordedById: talk.speaker.personId,
      inboxId: talk.inboxId,
    });
    await writeAudit(tx, [
      {
        atMs: talk.nowMs,
        personId: talk.speaker.personId,
        personName: talk.speaker.name,
        action: 'donation.add',
        place: placeOf(talk),
        result: 'ok',
        detail: `số ${donationId}: ${donor}, ${sayAmount(amountDong)}`,
      },
    ]);
    return donationId;
  });
  const donation = { donorName: donor, amountDong };
  const thanks = thanksWords(house.settings.communeName, donation);
  const chat = donorId === null ? undefined : (await privateChatsOf(house.db, donorId))[0];
  if (chat !== undefined)
    await house.tell(chat, `Kính gửi ${donor},\n${thanks}`, {
      key: `donation:${id}:private`,
      priority: 'notice',
    });
  const privately = chat === undefined ? '' : ' Em đã gửi lời cảm ơn riêng.';
  const said = `Đã ghi nhận số ${id}: ${donor} ủng hộ ${money(donation)}.${privately}`;

  const groups = await groupsToThank(house, talk);
  const here = groups.find((group) => group.id === talk.group?.groupId);
  const only = groups[0];
  if (here !== undefined) {
    await talk.reply(thanks);
  } else if (only === undefined) {
    await talk.reply(`${said}\nChưa có nhóm chung hay nhóm thôn nào để đăng lời cảm ơn.`);
  } else if (groups.length === 1) {
    await thankIn(house, only, id, thanks);
    await talk.reply(`${said} Lời cảm ơn đã đăng ở ${only.title}.`);
  } else {
    await talk.ask(`${said}\nĐăng lời cảm ơn ở nhóm nào ạ?`, [
      ...groups
        .slice(0, 9)
        .map((group) => ({ label: group.title, says: `ghi nhận cảm ơn ${id} ${group.id}` })),
      { label: 'Không đăng', says: `ghi nhận cảm ơn ${id} không` },
    ]);
  }
}

const thankIn = (house: House, group: Group, donationId: number, thanks: string) =>
  house.tell({ channel: group.channel as ChannelName, chatId: group.chatId }, thanks, {
    key: `donation:${donationId}:group:${group.id}`,
    priority: 'notice',
  });

async function thank(house: House, talk: Talk, donationId: number, groupId: number | null): Promise<void> {
  const donation = await donationById(house.db, donationId);
  if (donation === null || (talk.speaker.role !== 'chief' && donation.recordedById !== talk.speaker.personId))
    throw new PersonError('Em không thấy khoản ủng hộ này.');
  if (groupId === null) {
    await talk.reply('Vâng, em không đăng. Khoản ủng hộ vẫn được ghi nhận.');
    return;
  }
  const group = (await groupsToThank(house, talk)).find((one) => one.id === groupId);
  if (group === undefined)
    throw new PersonError('Nhóm này không còn, hoặc không phải nhóm anh/chị đăng được.');
  await thankIn(house, group, donationId, thanksWords(house.settings.communeName, donation));
  await talk.reply(`Đã đăng lời cảm ơn ${donation.donorName} ở ${group.title}.`);
}
