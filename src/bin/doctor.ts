import process from 'node:process';
import { examine } from '../doctor/doctor.js';
import { countOf, makeClean, printHead, printJson, printSection, printVerdict } from '../doctor/print.js';
import { readSituation } from '../doctor/situation.js';

/** `npm run doctor`: what is wrong with this machine, and how to mend it. `--json`: the same for programs. */
const HELP = `Khám máy: npm run doctor            in ra từng mục, ✓ tốt · ! nên xem · ✗ phải sửa
          npm run -s doctor -- --json  cùng nội dung, cho chương trình khác đọc
Kết thúc với mã 0 khi không có gì phải sửa, mã 1 khi có.`;

async function main(args: string[]): Promise<number> {
  const strange = args.find((arg) => arg !== '--json');
  if (strange !== undefined) {
    const asked = /^(--help|-h)$/.test(strange);
    process.stdout.write(`${asked ? '' : 'Chỉ có một lựa chọn: --json.\n'}${HELP}\n`);
    return asked ? 0 : 1;
  }
  const json = args.includes('--json');
  const situation = readSituation(process.cwd(), process.env);
  const clean = makeClean(situation.secrets);
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  const nowMs = Date.now();
  if (!json) say(clean(printHead(situation, nowMs)));
  const sections = await examine({
    situation,
    ...(!json && { onSection: (section) => say(printSection(section, clean)) }),
  });
  say(json ? printJson(situation, sections, nowMs, clean) : printVerdict(sections));
  return countOf(sections, 'bad') === 0 ? 0 : 1;
}

// whoever reads may have gone (| head)
process.stdout.on('error', () => process.exit(1));
const code = await main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stdout.write(`${makeClean([])(`✗ Công cụ khám máy gặp lỗi: ${message}`)}\n`);
  return 1;
});
// something that hangs must not keep the person waiting; what was said is out first
process.stdout.write('', () => process.exit(code));
