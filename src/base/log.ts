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
  return dir === null ? pino(options) : pino(options, rollingFile(path.join(dir, `${name}.log`)));
}

const FILE_BYTES = 10_000_000;
const OLD_FILES = 5;

/** A file written line by line, at once; when it is full it becomes `.1`, and the oldest goes. */
function rollingFile(file: string, fileBytes = FILE_BYTES): pino.DestinationStream {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  let handle = fs.openSync(file, 'a');
  let size = fs.fstatSync(handle).size;
  const roll = () => {
    fs.closeSync(handle);
    for (let old = OLD_FILES - 1; old >= 1; old -= 1)
      if (fs.existsSync(`${file}.${old}`)) fs.renameSync(`${file}.${old}`, `${file}.${old + 1}`);
    fs.renameSync(file, `${file}.1`);
    handle = fs.openSync(file, 'a');
    size = 0;
  };
  return {
    write(line) {
      try {
        if (size + line.length > fileBytes) roll();
        size += fs.writeSync(handle, line);
      } catch {
        // a full disk must not end a service; the line is lost, the alarm about the disk goes another way
      }
    },
  };
}
