import { ROLE_NAMES, type Role } from '../src/base/roles.js';
import { hashToken } from '../src/base/seal.js';
import type { Talk } from '../src/chat/command.js';
import type { ChannelName } from '../src/chat/message.js';
import { type Account, accountOfCode, accountsOf, joinPeople, useJoinCode } from '../src/store/accounts.js';
import { countAudit, writeAudit } from '../src/store/audit.js';
import { personById } from '../src/store/people.js';
import { channelName } from './channel-names.js';
import { changeMembers, settleMembersSoon } from './group-members.js';
import type { House } from './house.js';
import { may } from './rights.js';
import { placeOf } from './saying.js';

const HOUR_MS = 3_600_000;
/** Wrong codes a person may send within an hour, and everybody together. */
const ATTEMPTS = { own: 5, ofAll: 100 };

/** Roles by what they let one do; of two people who become one, the greater stays. */
const RANK: Record<Role, number> = {
  guest: 0,
  donor: 1,
  household: 2,
  hamletHead: 3,
  technician: 3,
  officer: 4,
  chief: 5,
};

/** From here on a role carries rights over others' footage or money. */
const TRUSTED = RANK.hamletHead;

export type Joining =
  | { kind: 'same' | 'ask-chief' }
  | { kind: 'join'; keep: 'maker' | 'sayer'; ask: boolean };

/**
 * What becomes of two people when one says the other's code. Who made the code gives their rights to whoever says it; who
 * says it would give theirs to the maker, whom they may not know: that is asked about first. Two with different trusted
 * roles are for the chief to sort out. Pure.
 */
export function decideJoining(maker: { id: number; role: Role }, sayer: { id: number; role: Role }): Joining {
  if (maker.id === sayer.id) return { kind: 'same' };
  const [made, said] = [RANK[maker.role], RANK[sayer.role]];
  if (made >= TRUSTED && said >= TRUSTED && maker.role !== sayer.role) return { kind: 'ask-chief' };
  return { kind: 'join', keep: said > made ? 'sayer' : 'maker', ask: said > made || said >= TRUSTED };
}

type Outcome =
  | { kind: 'joined'; keepId: number; role: Role; name: string; account: Account }
  | { kind: 'asks'; account: Account }
  | { kind: 'same' | 'ask-chief' | 'unknown' | 'tired' };

/** Joins the account that speaks with the one that made the code. Few wrong tries an hour are heard. */
export async function joinByCode(house: House, talk: Talk, code: string, sure: boolean): Promise<void> {
  const hash = hashToken(code);
  const outcome = await talk.once('join', async (tx): Promise<Outcome> => {
    const note = (result: string, detail: string | null = null) =>
      writeAudit(tx, [
        {
          ...{ atMs: talk.nowMs, personId: talk.speaker.personId, personName: talk.speaker.name },
          ...{ action: 'account.join', place: placeOf(talk), result, detail },
        },
      ]);
    const wrong = { actions: ['account.join'], result: 'unknown', fromMs: talk.nowMs - HOUR_MS };
    if (
      (await countAudit(tx, { ...wrong, personId: talk.speaker.personId })) >= ATTEMPTS.own ||
      (await countAudit(tx, wrong)) >= ATTEMPTS.ofAll
    )
      return { kind: 'tired' };
    const account = await accountOfCode(tx, hash, talk.nowMs);
    const maker = account === null ? null : await personById(tx, account.personId);
    const sayer = await personById(tx, talk.speaker.personId);
    if (account === null || maker === null || sayer === null) {
      await note('unknown');
      return { kind: 'unknown' };
    }
    const joining = decideJoining(maker, { id: sayer.id, role: talk.speaker.role });
    if (joining.kind !== 'join') return { kind: joining.kind };
    if (joining.ask && !sure) return { kind: 'asks', account };
    if (!(await useJoinCode(tx, hash, talk.nowMs))) return { kind: 'unknown' };
    const [keep, gone] = joining.keep === 'maker' ? [maker, sayer] : [sayer, maker];
    if (may(keep.role, 'clip') && !may(gone.role, 'clip'))
      await changeMembers(tx, 'bring', await accountsOf(tx, gone.id), { name: keep.name, nowMs: talk.nowMs });
    await joinPeople(tx, keep.id, gone.id, talk.nowMs);
    await note('ok', `${gone.name} vào ${keep.name} (${ROLE_NAMES[keep.role]})`);
    return { kind: 'joined', keepId: keep.id, role: keep.role, name: keep.name, account };
  });
  if (outcome.kind === 'joined') {
    settleMembersSoon(house);
    return welcome(house, talk, outcome);
  }
  if (outcome.kind === 'asks')
    return talk.ask(
      `Mã này của tài khoản ${channelName(outcome.account.channel)} “${outcome.account.displayName}”. Nối rồi, tài khoản đó có mọi quyền của anh/chị. Đúng là tài khoản của chính anh/chị chứ ạ?`,
      [
        { label: 'Đúng, của tôi', says: `nối đúng ${code}` },
        { label: 'Không phải của tôi', says: 'nối' },
      ],
    );
  const sentences: Record<Exclude<Outcome['kind'], 'joined' | 'asks'>, string> = {
    same: 'Mã này anh/chị lấy từ chính tài khoản đã nối rồi. Hãy nhắn mã từ tài khoản kia (Zalo hoặc Telegram) giúp em nhé.',
    'ask-chief':
      'Hai tài khoản này đang có hai vai trò khác nhau nên em chưa nối. Anh/chị nhờ trưởng công an đổi một tài khoản thành khách trước nhé.',
    unknown:
      'Mã nối này chưa đúng hoặc đã hết 10 phút. Anh/chị gõ “nối” ở tài khoản kia để lấy mã mới giúp em nhé.',
    tired: 'Anh/chị đã thử nhiều mã chưa đúng. Xin đợi một giờ rồi thử lại giúp em nhé.',
  };
  await talk.reply(sentences[outcome.kind]);
}

async function welcome(
  house: House,
  talk: Talk,
  { keepId, role, name, account }: Extract<Outcome, { kind: 'joined' }>,
): Promise<void> {
  const here = channelName(talk.message.channel);
  // a stranger who got hold of a code shows at every account that was there before
  const accounts = await accountsOf(house.db, keepId);
  // not what the message says: some platforms tell no name there
  const newOne = accounts.find((one) => one.id === talk.speaker.addressId)?.displayName ?? talk.speaker.name;
  for (const other of accounts)
    if (other.id !== talk.speaker.addressId && other.privateChatId !== null && !other.blocked)
      await house.tell(
        { channel: other.channel as ChannelName, chatId: other.privateChatId },
        {
          kind: 'text',
          text: `Tài khoản ${here} “${newOne}” vừa được nối với anh/chị. Không phải anh/chị nối thì bấm nút dưới để bỏ ngay, rồi báo trưởng công an.`,
          buttons: [
            [{ label: 'Không phải tôi, bỏ ngay', says: `nối bỏ ${talk.speaker.addressId} chắc chắn` }],
          ],
        },
        { key: `${talk.inboxId}:joined:${other.id}`, priority: 'alert' },
      );
  await talk.reply({
    kind: 'text',
    text: `Đã nối với tài khoản ${channelName(account.channel)} “${account.displayName}”. Từ giờ ở đâu anh/chị cũng là ${name}, ${ROLE_NAMES[role]}.`,
    buttons: [[{ label: 'Xem các tài khoản', says: 'nối' }]],
  });
}
