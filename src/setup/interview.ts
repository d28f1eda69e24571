import { isSecretSetting, SETTINGS, type SettingName } from '../base/config.js';
import type { Verdict } from './live.js';
import type { Questions } from './questions.js';

/** The settings as they will be: what was there, changed by the answers. Nothing is written before the end. */
export class Interview {
  readonly changes: Record<string, string> = {};

  constructor(
    readonly questions: Questions,
    private readonly before: Readonly<Record<string, string | undefined>>,
  ) {}

  value(name: SettingName): string {
    return this.changes[name] ?? this.before[name]?.trim() ?? '';
  }

  /** Everything, for `makeConfig`. */
  get env(): Record<string, string | undefined> {
    return { ...this.before, ...this.changes };
  }

  set(name: SettingName, value: string): void {
    if (value !== this.value(name)) this.changes[name] = value;
  }

  /**
   * Asks for one setting until it can be used, or the person goes on without. Enter keeps what is there, "-" takes it off.
   * @param about.read what was typed → the value; default as it is
   * @param about.test asks the world; a wrong value is asked for again, of an unknown one the person decides
   * @returns whether it has a value now
   */
  async setting(
    name: SettingName,
    question: string,
    about: { read?: (typed: string) => string; test?: (value: string) => Promise<Verdict> } = {},
  ): Promise<boolean> {
    const { questions } = this;
    const { schema, fallback } = SETTINGS.find((one) => one.name === name)!;
    const secret = isSecretSetting(name);
    for (;;) {
      const now = this.value(name) || fallback;
      const hint =
        now === ''
          ? 'Enter: bỏ qua'
          : `Enter: giữ ${secret ? 'như đang có' : now}${fallback === '' ? '; -: bỏ' : ''}`;
      const typed = await questions.ask(`${question} (${hint}):`, { secret });
      if (typed === '-' && fallback === '') {
        this.set(name, '');
        return false;
      }
      const value = typed === '' ? now : (about.read?.(typed) ?? typed);
      if (value === '') return false;
      const read = schema.safeParse(value);
      if (!read.success) {
        questions.say(`  ✗ Không dùng được: ${read.error.issues[0]?.message ?? 'sai dạng'}.`);
        // what stands there is of no use: the next Enter goes on without it
        if (typed === '') this.set(name, '');
        continue;
      }
      if (about.test !== undefined) {
        questions.say('  … đang thử');
        const verdict = await about.test(value);
        this.show(verdict);
        if (verdict.is === 'wrong') {
          if (typed === '' && !(await questions.confirm('  Nhập mã khác không?', true))) return true;
          continue;
        }
        if (verdict.is === 'unknown' && !(await questions.confirm('  Vẫn dùng?', true))) continue;
      }
      if (value !== fallback || this.value(name) !== '') this.set(name, value);
      return true;
    }
  }

  show({ is, lines: [first, ...more] }: Verdict): void {
    this.questions.say(`  ${{ good: '✓', wrong: '✗', unknown: '!' }[is]} ${first}`);
    for (const line of more) this.questions.say(`    ${line}`);
  }
}
