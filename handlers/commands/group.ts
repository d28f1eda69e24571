import { randomUUID } from 'node:crypto';
import { PersonError, WorldError } from '../../src/base/errors.js';
import { type GroupPurpose, PURPOSE_NAMES } from '../../src/base/roles.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import type { ChannelName } from '../../src/chat/message.js';
import { accountsOf } from '../../src/store/accounts.js';
import { writeAudit } from '../../src/store/audit.js';
import { bindGroup, listGroups } from '../../src/store/groups.js';
import { peopleByRole, personById } from '../../src/store/people.js';
import { type Hamlet, listHamlets } from '../../src/store/places.js';
import { findGroup, personOfAccount } from '../../src/store/speakers.js';
import { channelName, MESSENGERS } from '../channel-names.js';
import type { House } from '../house.js';
import { MAY } from '../rights.js';
import { findHamlet, hamletCalled, insists, log, namesHamlet, placeOf, rows } from '../saying.js';

type Args =
  | { do: 'show' }
  | { do: 'unbind'; groupId: number | null }
  | { do: 'make'; name: string }
  | { do: 'decide'; groupId: number; userId: string; letIn: boolean }
  | { do: 'bind'; purpose: GroupPurpose; hamlet: Hamlet | null };

const OFFICERS = new Set(['can bo', 'nhom can bo', 'cong an']);
const PUBLIC = new Set(['chung', 'cong khai', 'nhom chung', 'ba con', 'toan xa']);

/** `nhom`: what this group is for. Said inside the group by the chief; in private it lists the groups. */
export const groupCommand = (house: House) =>
  command<Args>({
    name: 'nhom',
    aliases: ['nhóm', 'danh sách nhóm'],
    summary: 'Giao việc cho nhóm chat: cán bộ, thôn, chung',
    example: 'nhóm cán bộ',
    may: MAY.groups,
    inGroups: true,
    section: 'quản lý',
    async read(words, talk) {
      const folded = fold(words);
      if (folded === '' || folded === 'danh sach') return { kind: 'args', args: { do: 'show' } };
      if (OFFICERS.has(folded)) return bind('officers', null);
      if (PUBLIC.has(folded)) return bind('public', null);
      const unbind = /^(?:bo|huy|go)(?: (?:so )?(\d{1,9}))?$/.exec(folded);
      if (unbind !== null)
        return {
          kind: 'args',
          args: { do: 'unbind', groupId: unbind[1] === undefined ? null : Number(unbind[1]) },
        };
      const name = /^(?:tạo|tao)\s+(?:(?:nhóm|nhom)\s+)?(.{2,80})$/iu.exec(words.trim())?.[1];
      if (name !== undefined) return { kind: 'args', args: { do: 'make', name } };
      const decide = /^(cho vao|tu choi) (\d{1,9}) (\d{1,30})$/.exec(folded);
      if (decide !== null)
        return {
          kind: 'args',
          args: {
            ...{ do: 'decide', letIn: decide[1] === 'cho vao' },
            ...{ groupId: Number(decide[2]), userId: decide[3]! },
          },
        };
      const hamlet = findHamlet(await listHamlets(house.db), words);
      if (hamlet !== null) return bind('hamlet', hamlet);
      if (insists(talk) || (talk.group !== null && namesHamlet(words)))
        return {
          kind: 'answer',
          reply: async () => {
            if (namesHamlet(words)) await hamletCalled(house, words);
            await choose(house, talk, 'Nhóm này dùng để làm gì ạ?');
          },
        };
      return { kind: 'not-mine' };
    },
    async run(talk, args) {
      if (args.do === 'make') return makeGroup(house, talk, args.name);
      if (args.do === 'decide') return decideJoin(house, talk, args);
      if (args.do === 'show' && talk.group === null) return list(house, talk);
      if (args.do === 'show')
        return choose(
          house,
          talk,
          talk.group?.purpose == null
            ? 'Nhóm này chưa được giao việc gì. Anh/chị chọn giúp:'
            : `Nhóm này là ${await nameOf(house, talk)}. ${await topicOf(house, talk)}Muốn đổi, anh/chị chọn:`,
        );
      if (talk.group === null && !(args.do === 'unbind' && args.groupId !== null)) {
        await talk.reply(
          'Lệnh này gõ trong chính nhóm cần giao việc: thêm bot vào nhóm, rồi gõ trong nhóm “/nhom cán bộ”, “/nhom thôn 1” hoặc “/nhom chung”.',
        );
        return;
      }
      const groupId =
        args.do === 'unbind' && args.groupId !== null ? args.groupId : (talk.group?.groupId ?? 0);
      const done = await talk.once('bind', async (tx) => {
        const group = (await listGroups(tx)).find((one) => one.id === groupId);
        if (group === undefined) return null;
        await bindGroup(
          tx,
          groupId,
          args.do === 'bind'
            ? {
                ...{ purpose: args.purpose, hamletId: args.hamlet?.id ?? null },
                topic: talk.message.topic ?? null,
              }
            : null,
          { personId: talk.speaker.personId, nowMs: talk.nowMs },
        );
        await writeAudit(tx, [
          {
            atMs: talk.nowMs,
            personId: talk.speaker.personId,
            personName: talk.speaker.name,
            action: args.do === 'bind' ? 'group.bind' : 'group.unbind',
            place: placeOf(talk),
            result: 'ok',
            detail: `${group.title}${args.do === 'bind' ? `: ${PURPOSE_NAMES[args.purpose]}${args.hamlet === null ? '' : ` ${args.hamlet.name}`}` : ''}`,
          },
        ]);
        return group.title;
      });
      if (done === null) await talk.reply('Không thấy nhóm này. Gõ “nhóm” để xem danh sách.');
      else if (args.do === 'unbind') await talk.reply(`Nhóm “${done}” không còn nhận tin từ Mắt Thần.`);
      else
        await talk.reply(
          BOUND[args.purpose](args.hamlet) +
            (talk.message.topic === undefined ? '' : ' Tin gửi vào nhóm sẽ nằm trong chủ đề này.'),
        );
    },
  });

const bind = (purpose: GroupPurpose, hamlet: Hamlet | null) => ({
  kind: 'args' as const,
  args: { do: 'bind' as const, purpose, hamlet },
});

const BOUND: Record<GroupPurpose, (hamlet: Hamlet | null) => string> = {
  officers: () =>
    'Đây là nhóm cán bộ. Tin báo của người dân và camera mất hình sẽ được báo vào đây; cán bộ xem được ảnh, clip ngay trong nhóm.',
  hamlet: (hamlet) => `Đây là nhóm của ${hamlet?.name ?? 'thôn'}. Hình camera không gửi vào nhóm này.`,
  public: () =>
    'Đây là nhóm chung. Lời cảm ơn người ủng hộ được đăng ở đây; hình camera không gửi vào nhóm này.',
};

/** Makes a group on the platform that lets us, with the chief and every officer who is there. */
async function makeGroup(house: House, talk: Talk, name: string): Promise<void> {
  const channel = MESSENGERS.map((one) => house.channelOf(one)).find((one) => one?.makeGroup !== undefined);
  if (channel?.makeGroup === undefined)
    throw new PersonError(
      'Ở đây em chưa tạo nhóm được. Anh/chị tạo nhóm trên Telegram, thêm bot vào, rồi gõ trong nhóm: /nhom cán bộ',
    );
  const of = channelName(channel.name);
  const people = [...(await peopleByRole(house.db, 'chief')), ...(await peopleByRole(house.db, 'officer'))];
  const accounts = (await Promise.all(people.map(({ id }) => accountsOf(house.db, id)))).flat();
  const userIds = accounts
    .filter((account) => account.channel === channel.name && !account.blocked)
    .map(({ userId }) => userId);
  if (userIds.length === 0)
    throw new PersonError(
      `Chưa có cán bộ nào dùng ${of}. Anh/chị gõ “nối” để nối tài khoản ${of} của mình trước.`,
    );
  // a run that a crash cut short may have made it: a second group would cost a second package
  const run = randomUUID();
  if ((await talk.once('make', async () => run)) !== run)
    throw new PersonError(
      `Lần trước bị ngắt giữa chừng nên em không rõ nhóm đã tạo xong chưa. Anh/chị xem trên ${of}; chưa có thì gõ lại lệnh.`,
    );
  const description = house.settings.communeName;
  const made = await channel.makeGroup({ name, description, userIds });
  if (made === null)
    throw new PersonError(
      'Gói của Zalo OA không còn nhóm (GMF) nào đủ chỗ. Anh/chị mua thêm gói nhóm trong trang quản trị OA, hoặc dùng nhóm Telegram.',
    );
  await findGroup(house.db, channel.name, made.chatId, name);
  await log(talk, [{ action: 'group.make', result: 'ok', detail: `${of}: ${name}` }]);
  await talk.reply(
    `Đã tạo nhóm “${name}” trên ${of} với ${userIds.length} người.${made.link === null ? '' : ` Mời thêm bằng đường dẫn: ${made.link}`}\nGiao việc: gõ trong nhóm “/nhom cán bộ”, “/nhom thôn 1” hoặc “/nhom chung”.`,
  );
}

/** Lets somebody who asked into a group, or does not; the platform is told. */
async function decideJoin(
  house: House,
  talk: Talk,
  { groupId, userId, letIn }: Extract<Args, { do: 'decide' }>,
): Promise<void> {
  const group = (await listGroups(house.db)).find((one) => one.id === groupId);
  const channel = group === undefined ? null : house.channelOf(group.channel as ChannelName);
  if (group === undefined || channel?.decideJoin === undefined)
    throw new PersonError('Không thấy nhóm này. Gõ “nhóm” để xem danh sách.');
  const personId = await personOfAccount(house.db, group.channel, userId);
  const person = personId === null ? null : await personById(house.db, personId);
  const name = person?.name ?? (await channel.nameOf?.(userId)) ?? 'Người này';
  try {
    await channel.decideJoin(group.chatId, userId, letIn);
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== 'invalid') throw error;
    throw new PersonError(
      `${name} không còn chờ vào nhóm “${group.title}”: đã có người trả lời, hoặc đã thôi xin.`,
    );
  }
  await log(talk, [
    { action: letIn ? 'group.let-in' : 'group.turn-away', result: 'ok', detail: `${group.title}: ${name}` },
  ]);
  await talk.reply(
    letIn ? `Đã cho ${name} vào nhóm “${group.title}”.` : `Đã từ chối ${name} vào nhóm “${group.title}”.`,
  );
}

async function nameOf(house: House, talk: Talk): Promise<string> {
  const purpose = talk.group?.purpose;
  if (purpose == null) return 'nhóm chưa giao việc';
  const hamlet = (await listHamlets(house.db)).find((one) => one.id === talk.group?.hamletId);
  return hamlet === undefined ? PURPOSE_NAMES[purpose] : `nhóm của ${hamlet.name}`;
}

/** Where in a group with topics it is told things; empty in a group without. */
async function topicOf(house: House, talk: Talk): Promise<string> {
  const bound = (await listGroups(house.db)).find((one) => one.id === talk.group?.groupId)?.topic ?? null;
  const here = talk.message.topic ?? null;
  if (bound === null && here === null) return '';
  return bound === here
    ? 'Tin gửi vào nhóm nằm trong chủ đề này. '
    : `Tin gửi vào nhóm nằm ở chủ đề ${bound === null ? 'chung' : 'khác'}; chọn lại ở đây thì chuyển về đây. `;
}

async function choose(house: House, talk: Talk, text: string): Promise<void> {
  const hamlets = await listHamlets(house.db);
  await talk.reply({
    kind: 'text',
    text,
    buttons: rows([
      { label: 'Nhóm cán bộ', says: '/nhom cán bộ' },
      { label: 'Nhóm chung', says: '/nhom chung' },
      ...hamlets
        .slice(0, 10)
        .map((hamlet) => ({ label: `Nhóm ${hamlet.name}`, says: `/nhom ${hamlet.name}` })),
      ...(talk.group?.purpose == null ? [] : [{ label: 'Không dùng nữa', says: '/nhom bỏ' }]),
    ]),
  });
}

async function list(house: House, talk: Talk): Promise<void> {
  const groups = await listGroups(house.db);
  const lines = groups.map(
    (group) =>
      `• ${group.title}: ${group.purpose === null ? 'chưa giao việc' : group.hamletName === null ? PURPOSE_NAMES[group.purpose] : `nhóm của ${group.hamletName}`}`,
  );
  await talk.reply({
    kind: 'text',
    text:
      lines.length === 0
        ? 'Bot chưa ở nhóm nào. Thêm bot vào nhóm, rồi gõ trong nhóm: /nhom cán bộ'
        : `Các nhóm:\n${lines.join('\n')}\n\nGiao việc: gõ trong nhóm “/nhom cán bộ”, “/nhom thôn 1” hoặc “/nhom chung”.`,
    buttons: rows(
      groups
        .filter((group) => group.purpose !== null)
        .slice(0, 8)
        .map((group) => ({ label: `Bỏ ${group.title}`.slice(0, 40), says: `nhóm bỏ ${group.id}` })),
      1,
    ),
  });
}
