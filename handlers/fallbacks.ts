import { sayMoment } from '../src/base/vietnamese/say.js';
import { fold } from '../src/base/vietnamese/text.js';
import type { Command, Fallbacks, Talk } from '../src/chat/command.js';
import { reportByCode } from '../src/store/reports.js';
import { readCode } from './codes.js';
import { help } from './commands/help.js';
import type { House } from './house.js';
import { redeem } from './redeem.js';
import { looksLikeReport } from './reports/looks-like-report.js';
import { receiveReport } from './reports/report.js';

/** Those whose words without a command are more likely a mistyped command than a report. */
const STAFF = new Set(['chief', 'officer', 'technician']);

/** What to do with words that are no command, and with files. Groups: silence. */
export const makeFallbacks = (house: House, table: () => Command[]): Fallbacks => ({
  async words(talk) {
    if (talk.group !== null) return talk.staySilent();
    const text = talk.message.text.trim();
    const code = readCode(text);
    if (code?.kind === 'receipt') return aboutReport(house, talk, code.code);
    if (code !== null) return redeem(house, talk, text);
    if (talk.message.place !== undefined) return receiveReport(house, talk, text);
    if (!looksLikeReport(text)) return help(house, talk, table(), text);
    if (STAFF.has(talk.speaker.role)) return askStaff(talk, text);
    await receiveReport(house, talk, text);
  },
  async files(talk) {
    if (talk.group !== null) return talk.staySilent();
    await receiveReport(house, talk, talk.message.text.trim());
  },
});

async function askStaff(talk: Talk, text: string): Promise<void> {
  await talk.reply({
    kind: 'text',
    text: `Em chưa rõ ý anh/chị. Gõ “trợ giúp” để xem em làm được gì, ví dụ: ảnh 1 · camera${fold(text).length > 0 ? '. Nếu đây là tin báo, bấm nút dưới để gửi vào nhóm cán bộ.' : ''}`,
    buttons: [
      [{ label: 'Gửi thành tin báo', says: `báo tin ${text}` }],
      [{ label: 'Trợ giúp', says: 'trợ giúp' }],
    ],
  });
}

async function aboutReport(house: House, talk: Talk, code: string): Promise<void> {
  const report = await reportByCode(house.db, code);
  await talk.reply(
    report === null || report.personId !== talk.speaker.personId
      ? `Em không thấy tin báo ${code} của anh/chị. Anh/chị xem lại mã giúp nhé.`
      : `Tin báo ${code} đã nhận lúc ${sayMoment(report.receivedMs)} và đã chuyển tới cán bộ. Cần thêm gì, anh/chị cứ gửi tiếp vào đây.`,
  );
}
