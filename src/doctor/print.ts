import { maskPhones } from '../../handlers/reports/mask-phones.js';
import { redact } from '../base/log.js';
import { sayMoment } from '../base/vietnamese/say.js';
import type { Section } from './doctor.js';
import type { Finding, Mark } from './finding.js';
import type { Situation } from './situation.js';

const SIGNS: Record<Mark, string> = { ok: '✓', warn: '!', bad: '✗' };

/** Makes texts fit to be shown: no secret of this installation, no login in an address, no phone number. */
export function makeClean(secrets: readonly string[]): (text: string) => string {
  const longest = [...secrets].sort((a, b) => b.length - a.length);
  return (text) => {
    let safe = text;
    for (const secret of longest) safe = safe.replaceAll(secret, '[ẩn]');
    return redact(safe);
  };
}

/** Camera names are typed by people: a phone number may stand in one. Paths and figures are ours. */
const shown = (finding: Finding, text: string) => (finding.check === 'camera' ? maskPhones(text) : text);

/** The lines of one section; what several in a row have to be done about stands once, below the last. */
export function printSection({ title, findings }: Section, clean: (text: string) => string): string {
  const lines = findings.flatMap((finding, i) => [
    `  ${SIGNS[finding.mark]} ${shown(finding, finding.says)}`,
    // thirty cameras on one broken line need the same advice once
    ...(finding.todo && finding.todo !== findings[i + 1]?.todo
      ? [`      → ${shown(finding, finding.todo)}`]
      : []),
  ]);
  return clean([title, ...lines, ''].join('\n'));
}

export function printHead({ config, folder, refused }: Situation, nowMs: number): string {
  const mode = refused !== null ? '' : config.demo ? ' · bản dùng thử' : '';
  return `Mắt Thần · khám máy lúc ${sayMoment(nowMs)} (giờ Việt Nam)\nThư mục: ${folder}${mode}\n`;
}

export const countOf = (sections: readonly Section[], mark: Mark) =>
  sections.flatMap((section) => section.findings).filter((finding) => finding.mark === mark).length;

/** The last lines: is all well? */
export function printVerdict(sections: readonly Section[]): string {
  const [bad, warn] = [countOf(sections, 'bad'), countOf(sections, 'warn')];
  if (bad === 0 && warn === 0) return 'Kết luận: mọi thứ đều tốt.';
  if (bad === 0) return `Kết luận: không có gì hỏng; có ${warn} chỗ nên xem (dấu !).`;
  return `Kết luận: có ${bad} chỗ phải sửa (dấu ✗)${warn > 0 ? ` và ${warn} chỗ nên xem (dấu !)` : ''}. Làm theo các dòng có mũi tên →, rồi chạy lại: npm run doctor`;
}

/** All of it for programs, as one JSON text. */
export function printJson(
  situation: Situation,
  sections: readonly Section[],
  nowMs: number,
  clean: (text: string) => string,
): string {
  const told = {
    ok: countOf(sections, 'bad') === 0,
    atMs: nowMs,
    mode: situation.refused !== null ? 'refused' : situation.config.demo ? 'demo' : 'real',
    dataDir: situation.config.dataDir,
    findings: sections.flatMap(({ title, findings }) =>
      findings.map((finding) => ({
        section: title,
        ...finding,
        says: shown(finding, finding.says),
        ...(finding.todo && { todo: shown(finding, finding.todo) }),
      })),
    ),
  };
  return JSON.stringify(told, (_key, value) => (typeof value === 'string' ? clean(value) : value), 2);
}
