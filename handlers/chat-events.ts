import { toVietnamTime } from '../src/base/clock.js';
import { ROLE_NAMES, type Role } from '../src/base/roles.js';
import type { ChatEvent, SharedInfo } from '../src/chat/message.js';
import type { Troubles } from '../src/chat/pass-on.js';
import { accountsOf } from '../src/store/accounts.js';
import { writeAudit } from '../src/store/audit.js';
import { makeOnce } from '../src/store/effects.js';
import { type Erased, eraseAccount } from '../src/store/erase.js';
import { peopleByRole, personById, renamePerson, setPhone } from '../src/store/people.js';
import { scrubMessage } from '../src/store/scrub.js';
import { findGroup, identify, NO_NAME, personOfAccount } from '../src/store/speakers.js';
import { channelName } from './channel-names.js';
import { changeMembers, settleMembersSoon } from './group-members.js';
import type { House } from './house.js';
import { maskPhones } from './reports/mask-phones.js';
import { may } from './rights.js';
import { calling } from './saying.js';

/** When something happens to a chat: each event is answered or written down once. */
export async function onChatEvent(
  house: House,
  event: ChatEvent,
  inboxId: number,
  troubles: Pick<Troubles, 'groupClosed'>,
): Promise<void> {
  switch (event.event.type) {
    case 'bot-removed':
      return troubles.groupClosed(event);
    case 'bot-added':
      return greetGroup(house, event);
    case 'followed':
      return greet(house, event, event.event.userId);
    case 'asked-to-join':
      return askChiefs(house, event, event.event.userIds);
    case 'joined':
      return watchOfficers(house, event, event.event.userIds);
    case 'shared-info':
      return keepInfo(house, event, event.event, inboxId);
    case 'withdrew':
      return erase(house, event, event.event.userId, inboxId);
    case 'answered-by-hand':
      return noteAnswer(house, event, event.event, inboxId);
  }
}

/** A group that took the bot in learns how it is given its work. */
async function greetGroup(house: House, event: ChatEvent): Promise<void> {
  await house.tell(
    { channel: event.channel, chatId: event.chatId },
    `Chào cả nhóm, đây là ${house.settings.communeName}. Trưởng công an gõ /nhom để cho biết nhóm này dùng làm gì.`,
    { key: `bot-added:${event.channel}:${event.externalId}`, priority: 'notice' },
  );
}

/** Who begins to follow hears what this is for, once a day however often they do. */
async function greet(house: House, event: ChatEvent, userId: string): Promise<void> {
  const { db, settings } = house;
  const name = (await house.channelOf(event.channel)?.nameOf?.(userId)) ?? '';
  const sender = { userId, name };
  const known = await personOfAccount(db, event.channel, userId);
  if (known === null) await identify(db, event.channel, sender, event.chatId, event.sentMs);
  const personId = known ?? (await personOfAccount(db, event.channel, userId));
  const person = personId === null ? null : await personById(db, personId);
  const account = (await accountsOf(db, personId ?? 0)).find((one) => one.userId === userId);
  // they left again, and that was told first
  if (person === null || account === undefined || account.blocked) return;
  const { year, month, day } = toVietnamTime(event.sentMs);
  await house.tell(
    { channel: event.channel, chatId: event.chatId },
    {
      kind: 'text',
      text: `Chào ${calling(person.name)}, đây là ${settings.communeName}. Thấy gì đáng ngờ, anh/chị cứ chụp ảnh, quay video hoặc nhắn vài dòng vào đây: cán bộ nhận được ngay, tên anh/chị được giữ kín.${
        person.role === 'guest' ? ' Có mã mời thì anh/chị nhắn mã vào đây.' : ''
      } Việc khẩn cấp xin gọi ngay 113.`,
      buttons: [[{ label: 'Xem em làm được gì', says: 'trợ giúp' }]],
    },
    { key: `followed:${account.id}:${year}-${month}-${day}`, priority: 'answer' },
  );
}

/** Who it is, as far as we know: name and role, and whether they may see footage. */
async function whoIs(house: House, event: ChatEvent, userId: string) {
  const personId = await personOfAccount(house.db, event.channel, userId);
  const person = personId === null ? null : await personById(house.db, personId);
  const told = person === null ? await house.channelOf(event.channel)?.nameOf?.(userId) : null;
  const role: Role = person?.role ?? 'guest';
  return { name: person?.name ?? told ?? 'một người chưa rõ tên', role };
}

/** Somebody asks to be let into a group of ours: the chiefs decide by a button. */
async function askChiefs(house: House, event: ChatEvent, userIds: string[]): Promise<void> {
  const { db } = house;
  const group = await findGroup(db, event.channel, event.chatId, event.chatTitle);
  for (const userId of userIds) {
    const { name, role } = await whoIs(house, event, userId);
    const warning =
      group.purpose === 'officers' && !may(role, 'clip')
        ? '\nĐây là nhóm cán bộ: ai vào nhóm cũng thấy hình camera gửi trong nhóm.'
        : '';
    for (const { id } of await peopleByRole(db, 'chief'))
      await house.tell(
        { personId: id },
        {
          kind: 'text',
          text: `${name} (${ROLE_NAMES[role]}) xin vào nhóm “${group.title}”.${warning}`,
          buttons: [
            [{ label: 'Cho vào', says: `nhóm cho vào ${group.groupId} ${userId}` }],
            [{ label: 'Không cho vào', says: `nhóm từ chối ${group.groupId} ${userId}` }],
          ],
        },
        { key: `asked-to-join:${event.channel}:${event.externalId}:${userId}:${id}`, priority: 'answer' },
      );
  }
}

/** Footage goes to the officers' group: the chiefs learn who came in and is none of them. */
async function watchOfficers(house: House, event: ChatEvent, userIds: string[]): Promise<void> {
  const { db } = house;
  const group = await findGroup(db, event.channel, event.chatId, event.chatTitle);
  if (group.purpose !== 'officers') return;
  for (const userId of userIds) {
    const { name, role } = await whoIs(house, event, userId);
    if (may(role, 'clip')) continue;
    for (const { id } of await peopleByRole(db, 'chief'))
      await house.tell(
        { personId: id },
        `${name} (${ROLE_NAMES[role]}) vừa vào nhóm cán bộ “${group.title}” và sẽ thấy hình camera gửi trong nhóm. Không đúng người thì anh/chị đưa ra khỏi nhóm giúp.`,
        { key: `joined:${event.channel}:${event.externalId}:${userId}:${id}`, priority: 'alert' },
      );
  }
}

/** Name and phone that somebody gave us in the platform's form: the phone is sealed, the name kept where we had none. */
async function keepInfo(
  house: House,
  event: ChatEvent,
  { userId, info }: { userId: string; info: SharedInfo },
  inboxId: number,
): Promise<void> {
  const sender = { userId, name: '' };
  const known = await identify(house.db, event.channel, sender, event.chatId, event.sentMs);
  const { personId, role } = known;
  if (info.phone !== undefined) {
    await setPhone(house.db, personId, house.seal.seal(info.phone));
    await scrubMessage(house.db, inboxId, info.phone, '[số điện thoại]');
  }
  const name = info.name?.trim().slice(0, 80) ?? '';
  if (name !== '' && (role === 'guest' || known.name === NO_NAME))
    await renamePerson(house.db, personId, name);
  await house.tell(
    { personId },
    'Cảm ơn anh/chị, em đã lưu thông tin anh/chị gửi. Số điện thoại được giữ kín, chỉ cán bộ dùng khi cần gọi lại.',
    { key: `shared-info:${event.channel}:${event.externalId}`, priority: 'answer' },
  );
}

const count = (many: number, what: string) => (many === 0 ? [] : [`${many} ${what}`]);

function keptWords(erased: Erased): string {
  if (erased.kind !== 'person') return 'Chỉ xóa một tài khoản.';
  const kept = [
    ...count(erased.kept.reports, 'tin báo (chứng cứ, đã bỏ tên)'),
    ...count(erased.kept.donations, 'khoản ủng hộ (sổ thu đã công khai)'),
    ...count(erased.kept.logged, 'dòng nhật ký còn ghi tên (ai đã xem hình, làm gì thì không được sửa)'),
  ];
  return kept.length === 0 ? 'Không phải giữ lại gì.' : `Giữ lại theo quy định: ${kept.join(', ')}.`;
}

/** Somebody wants to be erased: it is done at once, and the chiefs learn what was kept and why. */
async function erase(house: House, event: ChatEvent, userId: string, inboxId: number): Promise<void> {
  const { db } = house;
  const account = { channel: event.channel, userId };
  const { erased, words } = await makeOnce(db, inboxId, 'erase', async (tx) => {
    const before = await personOfAccount(tx, account.channel, userId);
    const person = before === null ? null : await personById(tx, before);
    if (person !== null && may(person.role, 'clip'))
      await changeMembers(tx, 'remove', [account], { name: null, nowMs: house.clock.now() });
    const done = await eraseAccount(tx, account, inboxId, house.clock.now());
    const said = keptWords(done);
    if (done.kind !== 'unknown')
      await writeAudit(tx, [
        {
          ...{ atMs: event.sentMs, personId: null, personName: 'người rút dữ liệu', action: 'person.erase' },
          ...{ place: `${event.channel}:private`, result: 'ok', detail: said },
        },
      ]);
    return { erased: done, words: said };
  });
  if (erased.kind === 'unknown') return;
  settleMembersSoon(house);
  const key = `erased:${event.channel}:${event.externalId}`;
  const of = channelName(event.channel);
  if (erased.kind === 'account' && (await accountsOf(db, erased.personId)).length > 0)
    await house.tell(
      { personId: erased.personId },
      `Tài khoản ${of} của anh/chị đã rút đồng ý: em đã xóa tài khoản đó và mọi tin nhắn ở đó. Các tài khoản khác vẫn dùng bình thường.`,
      { key: `${key}:self`, priority: 'notice' },
    );
  else
    for (const { id } of await peopleByRole(db, 'chief'))
      await house.tell(
        { personId: id },
        `Một người dùng ${of} vừa rút đồng ý. Em đã xóa tên, số điện thoại và mọi lời người đó nhắn cho em, cả trong nhóm. ${words}`,
        { key: `${key}:${id}`, priority: 'notice' },
      );
}

/** An answer that somebody of ours wrote in the platform's own console stands in the log like the bot's own. */
async function noteAnswer(
  house: House,
  event: ChatEvent,
  { adminId, toUserId, text }: { adminId: string; toUserId: string; text: string },
  inboxId: number,
): Promise<void> {
  const personId = await personOfAccount(house.db, event.channel, toUserId);
  const person = personId === null ? null : await personById(house.db, personId);
  await makeOnce(house.db, inboxId, 'note', async (tx) => {
    await writeAudit(tx, [
      {
        ...{ atMs: event.sentMs, personId: null, action: 'chat.by-hand' },
        personName: `quản trị viên ${channelName(event.channel)} ${adminId.slice(-4)}`,
        ...{ place: `${event.channel}:private`, result: 'ok' },
        detail: `trả lời ${person?.name ?? 'người chưa rõ'}: ${maskPhones(text).slice(0, 300)}`,
      },
    ]);
    return null;
  });
}
