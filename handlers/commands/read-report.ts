import { fold } from '../../src/base/vietnamese/text.js';
import { command } from '../../src/chat/command.js';
import { readCode } from '../codes.js';
import type { House } from '../house.js';
import { listReports, readReport } from '../reports/read.js';
import { MAY, may } from '../rights.js';
import { insists } from '../saying.js';

type Args = { do: 'list'; before: string | null } | { do: 'read'; code: string };

const NEWEST = new Set(['', 'moi', 'moi nhat', 'hom nay', 'gan day', 'danh sach']);

/** The code in the words; the TB may be left out where the words are surely meant so. */
function codeOf(words: string, sure: boolean): string | null {
  const bare = words.trim();
  const whole =
    readCode(bare) ??
    (/^[A-Za-z0-9]{4}$/.test(bare) && (sure || /\d/.test(bare)) ? readCode(`TB-${bare}`) : null);
  return whole?.kind === 'receipt' ? whole.code : null;
}

/** `tin`: the newest reports of people, or one of them whole with its pictures. */
export const readReportCommand = (house: House) =>
  command<Args>({
    name: 'tin',
    aliases: ['xem tin', 'đọc tin', 'xem tin báo', 'đọc tin báo'],
    summary: 'Đọc tin báo của người dân, cả ảnh và video',
    example: 'tin mới nhất',
    may: MAY.reports,
    inGroups: true,
    section: 'xem',
    async read(words, talk) {
      const sure = insists(talk);
      // others say "tin" in everyday sentences
      if (!sure && !may(talk.speaker.role, 'reports')) return { kind: 'not-mine' };
      if (NEWEST.has(fold(words))) return { kind: 'args', args: { do: 'list', before: null } };
      const before = /^(?:trước|truoc)\s+(\S+)$/iu.exec(words.trim())?.[1];
      const code = codeOf(before ?? words, sure);
      if (code === null && sure)
        return {
          kind: 'answer',
          reply: (here) =>
            here.reply(
              'Anh/chị gõ mã tin sau chữ tin, ví dụ: /tin TB-7K3M. Chỉ gõ /tin để xem các tin mới nhất.',
            ),
        };
      if (code === null) return { kind: 'not-mine' };
      return {
        kind: 'args',
        args: before === undefined ? { do: 'read', code } : { do: 'list', before: code },
      };
    },
    async run(talk, args) {
      if (args.do === 'read') await readReport(house, talk, args.code);
      else await listReports(house, talk, args.before);
    },
  });
