import { ROLE_NAMES, type Role } from '../src/base/roles.js';
import type { Talk } from '../src/chat/command.js';
import { countAudit, writeAudit } from '../src/store/audit.js';
import { lookUpInvitation, useInvitation } from '../src/store/invitations.js';
import { hasPhone, personById, setRole } from '../src/store/people.js';
import { readCode } from './codes.js';
import { redeemChiefCode } from './first-chief.js';
import { followRole, settleMembersSoon } from './group-members.js';
import type { House } from './house.js';
import { calling, placeOf } from './saying.js';

/** Wrong codes a person may send within an hour. */
const ATTEMPTS_PER_HOUR = 5;
/** Wrong codes of everybody together within an hour. */
const ATTEMPTS_OF_ALL = 100;
const HOUR_MS = 3_600_000;

const WELCOME: Partial<Record<Role, string>> = {
  household:
    'Thấy gì đáng ngờ, anh/chị cứ chụp ảnh hoặc quay video gửi thẳng vào đây kèm vài chữ: cán bộ nhận được ngay, tên anh/chị được giữ kín.',
  donor:
    'Cảm ơn anh/chị đã chung tay giữ bình yên cho quê hương. Thấy gì đáng ngờ, anh/chị cứ gửi ảnh, video vào đây.',
  hamletHead:
    'Anh/chị xem được ảnh camera của thôn mình: gõ “ảnh”. Ghi nhận ủng hộ: gõ “ghi nhận <tên> <số tiền>”.',
  technician: 'Gõ “camera” để xem các camera được giao, cái nào mất hình và vì sao.',
  officer: 'Gõ “ảnh” để xem hình ngay, “clip <camera> 14h30” để lấy video. Gõ “trợ giúp” để xem tất cả.',
  chief: 'Gõ “trợ giúp” để xem tất cả những gì anh/chị làm được.',
};

/** Where the platform has a form for it: who came in may leave a phone number to be called back. Nobody must. */
async function offerForm(house: House, talk: Talk): Promise<void> {
  if (!talk.limits.form || talk.group !== null || (await hasPhone(house.db, talk.speaker.personId))) return;
  const title = 'Để lại số điện thoại (không bắt buộc)';
  const subtitle =
    'Cán bộ gọi lại khi cần hỏi thêm về tin anh/chị báo. Số được giữ kín. Không muốn thì anh/chị bỏ qua.';
  await talk.reply({ kind: 'text', text: `${title}. ${subtitle}`, form: { title, subtitle } });
}

/** Rank of a role: an invitation never takes rights away. */
const RANK: Record<Role, number> = {
  guest: 0,
  donor: 1,
  household: 1,
  hamletHead: 2,
  technician: 2,
  officer: 3,
  chief: 4,
};

type Outcome =
  | { kind: 'joined'; role: Role }
  | { kind: 'kept' | 'tired' | 'unknown' | 'expired' | 'used-up' | 'revoked' };

/** Opens the door with a code: an invitation, or the first chief's. Few wrong tries an hour are heard. */
export async function redeem(house: House, talk: Talk, words: string): Promise<void> {
  const code = readCode(words);
  if (code?.kind === 'chief') return redeemChiefCode(house, talk, code.code);
  const outcome = await talk.once('redeem', async (tx): Promise<Outcome> => {
    const since = { actions: ['invitation.redeem'], result: 'unknown', fromMs: talk.nowMs - HOUR_MS };
    const own = await countAudit(tx, { ...since, personId: talk.speaker.personId });
    if (own >= ATTEMPTS_PER_HOUR || (await countAudit(tx, since)) >= ATTEMPTS_OF_ALL)
      return { kind: 'tired' };
    const note = (result: string, detail: string | null = null) =>
      writeAudit(tx, [
        {
          atMs: talk.nowMs,
          personId: talk.speaker.personId,
          personName: talk.speaker.name,
          action: 'invitation.redeem',
          place: placeOf(talk),
          result,
          detail,
        },
      ]);
    const found = await lookUpInvitation(tx, code?.code ?? words, talk.nowMs);
    if (!found.ok) {
      await note(found.why);
      return { kind: found.why };
    }
    const { invitation } = found;
    const person = await personById(tx, talk.speaker.personId);
    const role = person?.role ?? 'guest';
    if (RANK[role] > RANK[invitation.role] || (role === invitation.role && role !== 'guest')) {
      // Somebody of the house who tries their own link: nothing changes, no use is spent.
      return { kind: 'kept' };
    }
    if (!(await useInvitation(tx, invitation))) return { kind: 'used-up' };
    if (person !== null) await followRole(tx, person, invitation.role, talk.nowMs);
    await setRole(tx, talk.speaker.personId, invitation.role, invitation.hamletId ?? undefined);
    await note('ok', `${ROLE_NAMES[invitation.role]}, lời mời ${invitation.id}`);
    return { kind: 'joined', role: invitation.role };
  });
  if (outcome.kind === 'joined') {
    settleMembersSoon(house);
    await talk.reply({
      kind: 'text',
      text: `Chào mừng ${calling(talk.speaker.name)} đến với ${house.settings.communeName}. Anh/chị là ${ROLE_NAMES[outcome.role]}.\n${WELCOME[outcome.role] ?? ''}`,
      buttons: [[{ label: 'Xem em làm được gì', says: 'trợ giúp' }]],
    });
    await offerForm(house, talk);
    return;
  }
  const sentences: Record<Exclude<Outcome['kind'], 'joined'>, string> = {
    kept: 'Anh/chị đã có quyền rồi, không cần dùng lời mời này. Gõ “quyền” để xem.',
    tired: 'Anh/chị đã thử nhiều mã chưa đúng. Xin đợi một giờ rồi thử lại, hoặc xin người mời gửi lại mã.',
    unknown: 'Mã mời này chưa đúng. Anh/chị xem lại từng chữ, hoặc xin người mời gửi lại nhé.',
    expired: 'Lời mời này đã hết hạn. Anh/chị xin người mời gửi lời mời mới nhé.',
    'used-up': 'Lời mời này đã dùng hết lượt. Anh/chị xin người mời gửi lời mời mới nhé.',
    revoked: 'Lời mời này đã được thu lại. Anh/chị liên hệ người mời nhé.',
  };
  await talk.reply(sentences[outcome.kind]);
}
