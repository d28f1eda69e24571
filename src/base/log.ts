import fs from 'node:fs';
import path from 'node:path';
import { type Logger, pino } from 'pino';

export type Log = Logger;

const REDACTED = '[ẩn]';

/** Takes user and password out of every address, and bot tokens out of Bot API paths, in any text. */
export function redact(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@"']*(?:@[^\s/@"']*)*@/gi, `$1`)
    .replace(/\b(bot)?\d{6,12}:[A-Za-z0-9_-]{30,}/g, `$1${REDACTED}`)
    .replace(/\b(Bearer|Basic|Digest)\s+[^\s"]+/gi, `$1 ${REDACTED}`);
}

/** Redacts every text inside a value; errors keep name, message, kind and stack. */
function redactDeep(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object' || depth > 6) return value;
  if (value instanceof Error) {
    return {
      name: value.name,
      message: redact(value.message),
      ...('kind' in value ? { kind: value.kind } : {}),
      stack: redact(value.stack ?? ''),
      ...(value.cause === undefined ? {} : { cause: redactDeep(value.cause, depth + 1) }),
    };
  }
  if (Array.isArray(value)) return value.map((item) => redactDeep(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      /password|token|secret|phone|authorization|cookie/i.test(key) ? REDACTED : redactDeep(item, depth + 1),
    ]),
  );
}

export interface LogOptions {
  name: string;
  level: string;
  /** folder of `<name>.log`; null = standard output */
  dir: string | null;
}

/** JSON lines by pino; nothing secret passes, whoever logs it. */
export function makeLog({ name, level, dir }: LogOptions): Log {
  const options = {
    name,
    level,
    base: { name },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (object: Record<string, unknown>) => redactDeep(object) as Record<string, unknown>,
    },
    serializers: { err: (error: unknown) => redactDeep(error) as object },
    hooks: {
      logMethod(this: Logger, args: Parameters<pino.LogFn>, method: pino.LogFn) {
        const safe = args.map((arg) => (typeof arg === 'string' ? redact(arg) : arg));
        method.apply(this, safe as Parameters<pino.LogFn>);
      },
    },
  };
  if (dir === null) return pino(options);
  fs.mkdirSync(dir, { recursive: true });
  return pino(options, pino.destination({ dest: path.join(dir, `${name}.log`), sync: false, mkdir: true }));
}
