import type { Role } from '../../src/base/roles.js';
import type { DigestKind, DigestPart, Digests } from '../../src/chat/digest.js';
import type { Priority } from '../../src/chat/priority.js';
import { maskPhones } from './mask-phones.js';

/** Longest words of one report in a digest, letters; with less room than the least its code alone is named. */
const WORDS = { most: 90, least: 25 };

/** What a report is called in a digest: its code, and after a colon what it says. */
function briefOf(report: { code: string; more: boolean; text: string; files: number }): string {
  const { code, more, text, files } = report;
  const words = [
    maskPhones(text).replace(/\s+/g, ' ').trim(),
    files === 0 ? '' : `(${files} ảnh, video, tệp)`,
  ];
  return `${code}${more ? ' (thêm)' : ''}: ${words.filter((part) => part !== '').join(' ')}`;
}

/**
 * How a report goes to the officers. Those we know come before strangers, whose reports are gathered when they pile up:
 * anybody in the world can send thousands.
 */
export function urgencyOf(
  role: Role,
  report: { code: string; more: boolean; text: string; files: number },
): { priority: Priority; digest?: string; brief?: string } {
  if (role !== 'guest') return { priority: 'report' };
  return { priority: 'stranger-report', digest: 'stranger', brief: briefOf(report) };
}

const shortened = (text: string, most: number) =>
  text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;

/** Many reports of strangers as one text: each by its code, and with its first words as long as there is room. */
function say(parts: DigestPart[], textLength: number): string {
  const codes = new Set(parts.map(({ text }) => /^\S+/.exec(text)?.[0]?.replace(/:$/, '') ?? text));
  const [example = ''] = codes;
  const times = parts.map(({ atMs }) => atMs);
  const minutes = Math.max(1, Math.ceil((Math.max(...times) - Math.min(...times)) / 60_000));
  const head = `${codes.size} tin báo của người chưa quen gửi trong ${minutes} phút, em gom lại cho nhóm dễ theo dõi:`;
  const foot = `Đọc cả chữ và ảnh của từng tin: gõ /tin và mã, ví dụ /tin ${example}`;
  const room = Math.min(
    WORDS.most,
    Math.floor((textLength - head.length - foot.length - 2) / parts.length) - 3,
  );
  const body =
    room < WORDS.least
      ? [...codes].join(' ')
      : parts.map(({ text }) => `• ${shortened(text, room)}`).join('\n');
  return [head, body, foot].join('\n');
}

const STRANGER: DigestKind = {
  say,
  // people can read so many; what comes faster is gathered
  pace: { atOnce: 10, everyMs: 10_000 },
};

/** For the chat core: how strangers' reports are gathered. */
export const REPORT_DIGESTS: Digests = { stranger: STRANGER };
