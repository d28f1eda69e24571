import { findAmount, sayAmount } from '../src/base/vietnamese/money.js';
import { fold } from '../src/base/vietnamese/text.js';
import type { Command, Fallbacks, Talk } from '../src/chat/command.js';
import { readCode } from './codes.js';
import { help } from './commands/help.js';
import type { House } from './house.js';
import { joinByCode } from './join-accounts.js';
import { answerQuickly, exampleButtons } from './quick.js';
import { redeem } from './redeem.js';
import { looksLikeReport } from './reports/looks-like-report.js';
import { aboutReport } from './reports/read.js';
import { receiveReport } from './reports/report.js';
import { may } from './rights.js';
import { smallTalk, speaksOfBooks, speaksOfGiving } from './small-talk.js';

/** Those whose words without a command are more likely a mistyped command than a report. */
const STAFF = new Set(['chief', 'officer', 'technician']);

/** What to do with words that are no command, and with files. Groups: silence. */
export const makeFallbacks = (
  house: House,
  {
    table,
    ...quick
  }: {
    table: () => Command[];
    pictures: Command;
    clips: Command;
    storyboards: Command;
    cameras: Command;
  },
): Fallbacks => ({
  async words(talk) {
    if (talk.group !== null) return talk.staySilent();
    const text = talk.message.text.trim();
    const code = readCode(text);
    if (code?.kind === 'receipt') return aboutReport(house, talk, code.code);
    if (code?.kind === 'account') return joinByCode(house, talk, code.code, false);
    if (code !== null) return redeem(house, talk, text);
    if (talk.message.place !== undefined) return receiveReport(house, talk, text);
    if (/^(?:moi|truong)[\s-]?[a-z0-9-]{1,9}$/i.test(text) && /[\d-]/.test(text))
      return talk.reply(CODE_SHORT);
    const kind = smallTalk(text);
    if (kind !== null) return answerSmallTalk(talk, kind);
    if (await answerQuickly(house, talk, quick, text)) return;
    const { role } = talk.speaker;
    if (await offerBooking(talk, text)) return;
    if ((role === 'guest' || role === 'household' || role === 'donor') && speaksOfGiving(text))
      return aboutGiving(house, talk, text);
    if (role === 'guest' || role === 'household' || role === 'donor') {
      if (!looksLikeReport(text)) return help(house, talk, table(), GREETING.test(fold(text)) ? '' : text);
    } else if (!looksLikeReport(text) && GREETING.test(fold(text))) return help(house, talk, table());
    else if (STAFF.has(role) || !looksLikeReport(text) || speaksOfBooks(text))
      return askStaff(house, talk, text);
    await receiveReport(house, talk, text);
  },
  async files(talk) {
    if (talk.group !== null) return talk.staySilent();
    await receiveReport(house, talk, talk.message.text.trim());
  },
});

const GREETING =
  /^(?:(?:xin )?chao|hello|hi|hey|alo|a lo|em oi|anh oi|chi oi|bot oi|em chao|chau chao|kinh chao)(?: |$)/;

const CODE_SHORT = 'Mã này còn thiếu chữ. Mã mời có dạng MOI-XXXXX-XXXXX, anh/chị chép lại cả mã giúp nhé.';

async function answerSmallTalk(talk: Talk, kind: 'thanks' | 'agreed'): Promise<void> {
  const outside = !may(talk.speaker.role, 'cameraList');
  const more = outside ? ' Thấy gì đáng ngờ, anh/chị cứ gửi ảnh, video hoặc vài dòng vào đây nhé.' : '';
  await talk.reply(kind === 'thanks' ? `Dạ, không có gì ạ.${more}` : `Dạ vâng ạ.${more}`);
}

/** "bà Tư ủng hộ 200k", "thu của ông Tám 300k": whoever may book gifts is offered to. */
async function offerBooking(talk: Talk, text: string): Promise<boolean> {
  if (!may(talk.speaker.role, 'donation')) return false;
  const folded = fold(text);
  const found = findAmount(text);
  if (found === null || folded.split(' ').length > 14) return false;
  if (!/(?:^| )(?:ung ho|dong gop|gop|nhan|thu|tang|bieu)(?: |$)/.test(folded)) return false;
  const donor = found.rest
    .replace(
      /^(?:(?:em|tôi|anh|toi)\s+)?(?:mới |vừa |đã )?(?:thu|nhận|nhan|ủng hộ|ung ho|đóng góp|tặng)(?:\s+(?:của|từ|cua|tu))?\s+/iu,
      '',
    )
    .replace(/\s+(?:ủng hộ|ung ho|đóng góp|dong gop|góp|gop|tặng|biếu)(?:\s.*)?$/iu, '')
    .trim();
  if (donor === '' || donor.length > 80) return false;
  const amount = sayAmount(found.amount);
  await talk.ask(`Ghi nhận ${donor} ủng hộ ${amount} ạ?`, [
    { label: 'Ghi nhận', says: `ghi nhận ${donor} ${amount}` },
    { label: 'Gửi thành tin báo', says: `báo tin ${text}` },
  ]);
  return true;
}

async function aboutGiving(house: House, talk: Talk, text: string): Promise<void> {
  await talk.reply({
    kind: 'text',
    text: `Cảm ơn tấm lòng của anh/chị. Muốn ủng hộ, anh/chị gặp trưởng thôn hoặc đến ${house.settings.communeName}; khoản nào cũng được ghi nhận và cảm ơn. Cần hỏi thêm, anh/chị bấm nút dưới để nhắn cho cán bộ.`,
    buttons: [[{ label: 'Nhắn cho cán bộ', says: `báo tin ${text}` }]],
  });
}

async function askStaff(house: House, talk: Talk, text: string): Promise<void> {
  const worth = fold(text).split(' ').length >= 3;
  await talk.reply({
    kind: 'text',
    text: `Em chưa rõ ý anh/chị.${worth ? ' Nếu đây là tin báo, bấm nút dưới để gửi vào nhóm cán bộ.' : ''}`,
    buttons: [
      ...(worth ? [[{ label: 'Gửi thành tin báo', says: `báo tin ${text}` }]] : []),
      ...(worth ? [] : await exampleButtons(house, talk)),
      [{ label: 'Trợ giúp', says: 'trợ giúp' }],
    ],
  });
}
