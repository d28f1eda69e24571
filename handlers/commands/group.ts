import { type GroupPurpose, PURPOSE_NAMES } from '../../src/base/roles.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { command, type Talk } from '../../src/chat/command.js';
import { writeAudit } from '../../src/store/audit.js';
import { bindGroup, listGroups } from '../../src/store/groups.js';
import { type Hamlet, listHamlets } from '../../src/store/places.js';
import type { House } from '../house.js';
import { MAY } from '../rights.js';
import { findHamlet, hamletCalled, insists, namesHamlet, placeOf, rows } from '../saying.js';

type Args =
  | { do: 'show' }
  | { do: 'unbind'; groupId: number | null }
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
