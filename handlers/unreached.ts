import { toVietnamTime } from '../src/base/clock.js';
import { ROLE_NAMES } from '../src/base/roles.js';
import type { Held } from '../src/chat/chat.js';
import { peopleByRole, personById } from '../src/store/people.js';
import type { House } from './house.js';
import { maskPhones } from './reports/mask-phones.js';

const KEY = 'unreached:';
const MOST_LETTERS = 300;

/**
 * Somebody can't be written to: the chiefs are asked to call, each in private (the name may be a reporter's), once a
 * person and day however much waits.
 */
export async function askToCall(house: House, held: Held): Promise<void> {
  // a chief who can't be reached either: nobody is left to be told
  if (held.key.startsWith(KEY)) return;
  const person = await personById(house.db, held.personId);
  if (person === null) return;
  const { year, month, day } = toVietnamTime(held.createdMs);
  // an answer may hold what is for them alone (a code, a link); and of a guest nobody has a number
  if (held.answer && person.role === 'guest') return;
  const text = held.answer ? '' : maskPhones(held.text).trim();
  const words = text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}…` : text;
  const who = [ROLE_NAMES[person.role], person.hamletName].filter((part) => part !== null).join(', ');
  for (const chief of await peopleByRole(house.db, 'chief')) {
    if (chief.id === person.id) continue;
    await house.tell(
      { personId: chief.id },
      held.answer
        ? `${person.name} (${who}) hỏi em mà kênh chat không cho em trả lời người đó. Nhờ anh/chị gọi điện hỏi giúp người đó cần gì. Câu trả lời em giữ lại, người đó nhắn lại cho em là em gửi ngay.`
        : `Em chưa nhắn được cho ${person.name} (${who}): tài khoản chat đã lâu không nhắn cho em, hoặc đã chặn em. Nhờ anh/chị gọi điện báo giúp:\n“${words}”\nTin này em giữ lại, người đó nhắn cho em là em gửi ngay.`,
      {
        key: `${KEY}${chief.id}:${person.id}:${held.answer ? 'answer:' : ''}${year}-${month}-${day}`,
        priority: 'notice',
      },
    );
  }
}
