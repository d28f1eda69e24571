import { fold } from '../../src/base/vietnamese/text.js';
import { command } from '../../src/chat/command.js';
import type { House } from '../house.js';
import { insists, log, sayInPrivate } from '../saying.js';

/** `dangnhap`: a link that opens our pages once, in private only. */
export const loginCommand = (house: House, makeLink: (personId: number) => Promise<string>) =>
  command<null>({
    name: 'dangnhap',
    aliases: ['đăng nhập', 'login'],
    summary: 'Lấy đường dẫn mở trang web',
    example: 'đăng nhập',
    may: ['chief', 'officer', 'technician', 'hamletHead'],
    inGroups: true,
    section: 'chung',
    async read(words, talk) {
      return fold(words) === '' || fold(words) === 'web' || insists(talk)
        ? { kind: 'args', args: null }
        : { kind: 'not-mine' };
    },
    async run(talk) {
      const link = await makeLink(talk.speaker.personId);
      await sayInPrivate(
        talk,
        `Bấm nút dưới để mở trang của ${house.settings.communeName}. Đường dẫn chỉ dùng được một lần, trong ít phút; anh/chị đừng chuyển cho ai nhé.`,
        [[{ label: 'Mở trang', url: link }]],
      );
      await log(talk, [{ action: 'login.link', result: 'ok', place: `${talk.message.channel}:private` }]);
    },
  });
