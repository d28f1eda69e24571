import { PersonError } from '../../src/base/errors.js';
import { amountInWords, findAmount, readAmount, sayAmount } from '../../src/base/vietnamese/money.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { addDonation, type Donation, donationById } from '../../src/store/donations.js';
import { type Group, listGroups } from '../../src/store/groups.js';
import { listPeople } from '../../src/store/people.js';
import { chatOf } from '../alerts/recipients.js';
import type { House } from '../house.js';
import { MAY } from '../rights.js';
import { placeOf } from '../saying.js';

type Args =
  | { do: 'explain' }
  | { do: 'ask-amount'; donor: string }
  | { do: 'ask-donor'; amountDong: number }
  /** a bare "300": a figure without its unit */
  | { do: 'ask-unit'; donor: string; figure: number }
  /** digits that are no amount: negative, or beyond all reason */
  | { do: 'unread' }
  /** several gifts in one message, or one told by the head */
  | { do: 'one-by-one' }
  | { do: 'record'; donor: string; amountDong: number; sure: boolean }
  | { do: 'thank'; donationId: number; groupId: number | null };

const LEAST = 1000;
const MOST = 100_000_000_000;
/** A larger gift is asked about once before it is booked: more often a slip of the finger. */
const LARGE = 200_000_000;

/** "Nguyễn Văn An", "Hội phụ nữ thôn 1": begins with a capital, short, no talk. */
const LIKE_A_NAME =
  /^(?:(?:ông|bà|anh|chị|cô|chú|bác|gia đình|cụ|em|hội|công ty)\s+)?\p{Lu}[\p{L}\p{M}\d]*(?:\s+[\p{Lu}\d][\p{L}\p{M}\d]*){0,5}$/u;
/** "ông Sáu", "ba Tu": a title and one or two words, with or without capitals. */
const TITLED = /^(?:ong|ba|anh|chi|co|chu|bac|cu|gia dinh|cong ty|hoi|ho|thay|to|lop)( [a-z0-9]+){1,4}$/;
/** How the money came, behind the amount: no part of the name. */
const BY = /\s*[,(]?\s*(?:bằng |bang )?(?:tiền mặt|tien mat|chuyển khoản|chuyen khoan|ck)\)?\s*$/iu;

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
      const sure = /^đúng\s+/iu.test(said);
      const told = said.replace(/^đúng\s+/iu, '').replace(BY, '');
      const found = findAmount(told) ?? bareAmount(told);
      const donor = donorName(found?.rest ?? told);
      const negative = /(?:^|\s)(?:-|âm |am )\s*\d/iu.test(told);
      if (negative) return { kind: 'args', args: { do: 'unread' } };
      if (
        found !== null &&
        (findAmount(found.rest) !== null || /(?:^| )moi (?:ho|nha|nguoi|gia dinh)(?: |$)/.test(fold(donor)))
      )
        return { kind: 'args', args: { do: 'one-by-one' } };
      if (found === null) {
        const figure = /^(.*\S)\s+(\d{1,3})$/u.exec(donor);
        const named = figure?.[1] ?? '';
        const numbered = /(?:^| )(?:to|thon|khu|xom|lop|doi|khoa|so|chi hoi)$/.test(fold(named));
        if (figure !== null && !numbered && (LIKE_A_NAME.test(named) || TITLED.test(fold(named))))
          return { kind: 'args', args: { do: 'ask-unit', donor: named, figure: Number(figure[2]) } };
        if (LIKE_A_NAME.test(donor)) return { kind: 'args', args: { do: 'ask-amount', donor } };
        if (/\d\s*(?:đ|d|đồng|dong|k|nghìn|nghin|ngàn|ngan|tr|triệu|trieu|tỷ|tỉ|ty|ti)$/iu.test(told))
          return { kind: 'args', args: { do: 'unread' } };
        return /(?:^|\s)\d/.test(told) ? { kind: 'args', args: { do: 'unread' } } : { kind: 'not-mine' };
      }
      if (donor === '') return { kind: 'args', args: { do: 'ask-donor', amountDong: Number(found.amount) } };
      if (fold(donor).split(' ').length > 12) return { kind: 'not-mine' };
      return { kind: 'args', args: { do: 'record', donor, amountDong: Number(found.amount), sure } };
    },
    async run(talk, args) {
      if (args.do === 'explain')
        return talk.askWords(
          'Ai ủng hộ, bao nhiêu ạ? Ví dụ: Nguyễn Văn An 500.000đ, hoặc: bà Năm 2 triệu',
          'ghi nhận',
        );
      if (args.do === 'ask-amount')
        return talk.askWords(`${args.donor} ủng hộ bao nhiêu ạ? Ví dụ: 500.000đ`, `ghi nhận ${args.donor}`);
      if (args.do === 'ask-donor')
        return talk.askWords(
          `Ai ủng hộ ${sayAmount(args.amountDong)} ạ? Ví dụ: Nguyễn Văn An`,
          `ghi nhận ${sayAmount(args.amountDong)}`,
        );
      if (args.do === 'ask-unit') {
        const [thousands, millions] = [args.figure * 1000, args.figure * 1_000_000];
        return talk.ask(
          `${args.donor} ủng hộ bao nhiêu ạ? Em chưa rõ “${args.figure}” là nghìn hay triệu.`,
          [thousands, millions]
            .filter((amount) => amount >= LEAST)
            .map((amount) => ({
              label: sayAmount(amount),
              says: `ghi nhận ${args.donor} ${sayAmount(amount)}`,
            })),
        );
      }
      if (args.do === 'unread')
        throw new PersonError(
          'Số tiền này em đọc không được nên chưa ghi gì. Xin viết rõ, ví dụ: ghi nhận bà Năm 500.000đ, hoặc: ghi nhận bà Năm 2 triệu',
        );
      if (args.do === 'one-by-one')
        throw new PersonError(
          'Mỗi tin em ghi một khoản để không nhầm tên, nên chưa ghi gì. Xin gửi từng người, mỗi người một tin, ví dụ: ghi nhận bà Năm 300.000đ',
        );
      if (args.do === 'thank') return thank(house, talk, args.donationId, args.groupId);
      await record(house, talk, args);
    },
  });

const donorName = (words: string) =>
  words
    .replace(/^\s*(?:của|từ|cho|cua|tu)\s+/iu, '')
    .replace(/\s+(?:ủng hộ|ung ho|đóng góp|góp|tặng|số tiền|số tiền là)\s*$/iu, '')
    .replace(BY, '')
    .replace(/\s+(?:chẵn|chan)\s*$/iu, '')
    .replace(/[\s,:;–-]+$/u, '')
    .trim();

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

async function record(
  house: House,
  talk: Talk,
  { donor, amountDong, sure }: Extract<Args, { do: 'record' }>,
): Promise<void> {
  if (donor.length > 80) throw new PersonError('Tên người ủng hộ dài quá, xin viết trong 80 chữ cái.');
  if (amountDong < LEAST || amountDong > MOST)
    throw new PersonError(
      `Em đọc được số tiền ${sayAmount(amountDong)}, có vẻ chưa đúng nên chưa ghi gì. Xin viết lại cả tên và số tiền, ví dụ: ghi nhận ${donor} 500.000đ`,
    );
  if (amountDong > LARGE && !sure)
    return talk.ask(`${donor} ủng hộ ${money({ amountDong })}, số tiền này đúng không ạ? Em chưa ghi gì.`, [
      { label: 'Đúng, ghi nhận', says: `ghi nhận đúng ${donor} ${sayAmount(amountDong)}` },
      { label: 'Chưa đúng, để tôi gõ lại', says: 'ghi nhận' },
    ]);
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
  const reached = donorId !== null && (await house.reaches(donorId));
  if (donorId !== null)
    await house.tell({ personId: donorId }, `Kính gửi ${donor},\n${thanks}`, {
      key: `donation:${id}:private`,
      priority: 'notice',
    });
  const privately =
    donorId === null
      ? ''
      : reached
        ? ' Em đã gửi lời cảm ơn riêng.'
        : ' Lời cảm ơn riêng em giữ lại, người ủng hộ nhắn cho em là em gửi.';
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
  house.tell(chatOf(group), thanks, {
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
