import { ROLE_NAMES } from '../../src/base/roles.js';
import { fold } from '../../src/base/vietnamese/text.js';
import { type Command, command, type Talk } from '../../src/chat/command.js';
import { personById } from '../../src/store/people.js';
import type { House } from '../house.js';
import { calling, insists } from '../saying.js';

const WORDS = new Set(['', 'cua toi', 'cua em', 'cua minh', 'cua anh', 'cua chi', 'cua chau', 'toi', 'em']);

/** `quyen`: who am I, what may I do. */
export const rightsCommand = (house: House, table: () => Command[]) =>
  command<null>({
    name: 'quyen',
    aliases: ['quyền', 'quyền của tôi', 'tôi là ai', 'whoami'],
    summary: 'Xem mình là ai, làm được gì',
    example: 'quyền',
    may: 'everybody',
    inGroups: true,
    section: 'chung',
    async read(words, talk) {
      return WORDS.has(fold(words)) || insists(talk) ? { kind: 'args', args: null } : { kind: 'not-mine' };
    },
    async run(talk) {
      await talk.reply(await describe(house, talk, table()));
    },
  });

async function describe(house: House, talk: Talk, table: Command[]): Promise<string> {
  const { speaker } = talk;
  const person = await personById(house.db, speaker.personId);
  const where = person?.hamletName == null ? '' : ` · ${person.hamletName}`;
  const can = table
    .filter((one) => one.may === 'everybody' || one.may.includes(speaker.role))
    .map((one) => `• ${one.summary}`);
  const scope =
    speaker.role === 'technician'
      ? '\nAnh/chị xem và sửa được các camera được giao.'
      : speaker.role === 'hamletHead'
        ? '\nAnh/chị xem được ảnh các camera của thôn mình.'
        : speaker.role === 'guest' || speaker.role === 'household' || speaker.role === 'donor'
          ? '\nHình camera chỉ cán bộ được xem. Có việc cần xem lại, anh/chị nhắn vào đây hoặc liên hệ công an xã.'
          : '';
  return `${calling(speaker.name)} · ${ROLE_NAMES[speaker.role]}${where}\n\nAnh/chị làm được:\n${can.join('\n')}${scope}`;
}
