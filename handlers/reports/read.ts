import fs from 'node:fs/promises';
import { PersonError } from '../../src/base/errors.js';
import { ROLE_NAMES, type Role } from '../../src/base/roles.js';
import { sayMoment } from '../../src/base/vietnamese/say.js';
import type { Talk } from '../../src/chat/command.js';
import type { Reply } from '../../src/chat/message.js';
import { personById } from '../../src/store/people.js';
import {
  lateFilesOf,
  newestReports,
  type Report,
  reportByCode,
  reportFiles,
} from '../../src/store/reports.js';
import { settingsUnder } from '../../src/store/settings.js';
import type { House } from '../house.js';
import { may, mayShowHere } from '../rights.js';
import { log, placeOf, privately, rows } from '../saying.js';
import { type ForwardedFile, repliesOf } from './forwarding.js';
import { keptFile } from './kept-file.js';
import { maskPhones } from './mask-phones.js';

const LISTED = 15;
const WITH_BUTTON = 8;
const SHORT = 70;

/** Says it where officers may see it: here, or in private. False: it could not be said in private. */
async function say(talk: Talk, reply: Reply): Promise<boolean> {
  if (!mayShowHere(talk.speaker.role, talk.group)) return privately(talk, reply);
  await talk.reply(reply);
  return true;
}

const mapOf = ({ latitude, longitude }: Report) =>
  latitude === null ? null : `Vị trí: https://maps.google.com/?q=${latitude},${longitude}`;

async function present(files: ForwardedFile[]): Promise<ForwardedFile[]> {
  const there = await Promise.all(
    files.map(({ path, shown }) =>
      fs.access(shown?.path ?? path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return files.filter((_, at) => there[at]);
}

/** A report as it was kept, with its pictures; without the sender's name and phone. */
export async function readReport(house: House, talk: Talk, code: string): Promise<void> {
  const report = await reportByCode(house.db, code);
  if (report === null)
    throw new PersonError(
      `Em không thấy tin báo ${code}. Anh/chị xem lại mã, hoặc gõ “tin” để xem các tin mới nhất.`,
    );
  const sender = await personById(house.db, report.personId);
  const kept = await reportFiles(house.db, report.id);
  const files = await present(kept.map((row) => keptFile(house, row)));
  const late = (await settingsUnder(house.db, lateFilesOf(report.id))).length;
  const gone = kept.length - files.length;
  const lines = [
    `Tin báo ${code} · ${sayMoment(report.receivedMs)}${sender?.hamletName == null ? '' : ` · ${sender.hamletName}`}`,
    report.text === '' ? null : maskPhones(report.text),
    mapOf(report),
    `Người gửi: ${ROLE_NAMES[sender?.role ?? 'guest']}, tên được giữ kín`,
    late === 0 ? null : `Còn ${late} tệp đang tải về, em gửi vào nhóm cán bộ ngay khi có.`,
    gone === 0 ? null : `${gone} tệp của tin này không còn trên máy.`,
  ];
  await log(talk, [
    {
      action: 'report.read',
      result: 'ok',
      detail: code,
      place: placeOf(talk, !mayShowHere(talk.speaker.role, talk.group)),
    },
  ]);
  const words = lines.filter((line) => line !== null).join('\n');
  for (const reply of await repliesOf((name) => talk.spool(name), code, words, files))
    if (!(await say(talk, reply))) return;
}

/** What somebody is told of a report whose code they send: officers read it, its sender hears that it arrived. */
export async function aboutReport(house: House, talk: Talk, code: string): Promise<void> {
  if (may(talk.speaker.role, 'reports')) return readReport(house, talk, code);
  const report = await reportByCode(house.db, code);
  await talk.reply(
    report === null || report.personId !== talk.speaker.personId
      ? `Em không thấy tin báo ${code} của anh/chị. Anh/chị xem lại mã giúp nhé.`
      : `Tin báo ${code} đã nhận lúc ${sayMoment(report.receivedMs)} và đã chuyển tới cán bộ. Cần thêm gì, anh/chị cứ gửi tiếp vào đây.`,
  );
}

/** The newest reports; with `before`, those that came before it. */
export async function listReports(house: House, talk: Talk, before: string | null): Promise<void> {
  const from = before === null ? undefined : (await reportByCode(house.db, before))?.id;
  const reports = await newestReports(house.db, LISTED, from);
  if (reports.length === 0) {
    await say(talk, {
      kind: 'text',
      text: before === null ? 'Chưa có tin báo nào.' : 'Không còn tin báo nào cũ hơn.',
    });
    return;
  }
  const lines = reports.map(({ code, receivedMs, role, text, files }) => {
    const words = maskPhones(text).replace(/\s+/g, ' ').trim();
    const short = words.length <= SHORT ? words : `${words.slice(0, SHORT - 1).trimEnd()}…`;
    const more = [short, files === 0 ? '' : `(${files} tệp)`].filter((part) => part !== '').join(' ');
    return `• ${code} · ${sayMoment(receivedMs)} · ${ROLE_NAMES[role as Role]}: ${more}`;
  });
  await say(talk, {
    kind: 'text',
    text: `${before === null ? 'Tin báo mới nhất' : `Tin báo trước ${before}`}:\n${lines.join('\n')}\n\nĐọc một tin cả ảnh: /tin <mã>`,
    buttons: [
      ...rows(reports.slice(0, WITH_BUTTON).map(({ code }) => ({ label: code, says: `tin ${code}` }))),
      ...(reports.length < LISTED ? [] : [[{ label: 'Cũ hơn', says: `tin trước ${reports.at(-1)!.code}` }]]),
    ],
  });
}
