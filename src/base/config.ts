import { isIP, isIPv4 } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { readSubnet } from './subnets.js';
import { makeZaloConfig, ZALO_SETTINGS, type ZaloConfig } from './zalo-settings.js';

/**
 * Every setting, once: name, meaning, default. `.env.example` and the README's table are printed from here.
 * A setting without a value in the environment takes its default.
 */
export interface Setting {
  name: string;
  section: string;
  about: string;
  /** as it would stand in `.env`; '' = not set */
  fallback: string;
  secret?: true;
  schema: z.ZodType<unknown>;
}

const port = z.coerce.number().int().min(0).max(65535);
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const flag = z.enum(['0', '1', '']).transform((value) => value === '1');
const maybe = z.string().transform((value) => (value === '' ? null : value));
const subnets = z.string().superRefine((value, context) => {
  for (const part of value.split(/[\s,]+/).filter((one) => one !== '' && one !== 'auto')) {
    const read = readSubnet(part);
    if (typeof read === 'string') context.addIssue({ code: 'custom', message: read });
  }
});
const proxies = z
  .string()
  .refine(
    (value) =>
      value
        .split(/[\s,]+/)
        .filter((part) => part !== '')
        .every(
          (part) =>
            ['loopback', 'linklocal', 'uniquelocal'].includes(part) ||
            (isIP(part.split('/')[0] ?? '') !== 0 && /^[^/]+(?:\/\d{1,3})?$/.test(part)),
        ),
    'loopback or addresses like 10.8.0.1',
  )
  .transform((value) => (value === '' ? null : value));
const maybeUrl = z.union([z.literal('').transform(() => null), z.url()]);

export const SETTINGS = [
  {
    name: 'DATA_DIR',
    section: 'Where',
    about: 'Folder of databases, reports and recordings',
    fallback: './data',
    schema: z.string().min(1),
  },
  {
    name: 'RECORDINGS_DIR',
    section: 'Where',
    about: 'Folder of recordings, best on a disk of its own; empty: DATA_DIR/recordings',
    fallback: '',
    schema: maybe,
  },
  {
    name: 'HOST',
    section: 'Where',
    about: 'Address the web server binds to; anything but loopback ends the demo',
    fallback: '127.0.0.1',
    schema: z.string().min(1),
  },
  {
    name: 'PORT',
    section: 'Where',
    about: 'Web console, health and metrics',
    fallback: '8600',
    schema: port,
  },
  {
    name: 'RECORDER_PORT',
    section: 'Where',
    about: "The recorder's HTTP API, loopback only",
    fallback: '8601',
    schema: port,
  },
  {
    name: 'PUBLIC_URL',
    section: 'Where',
    about: 'Public HTTPS address of this server; with it large files also go out as expiring links',
    fallback: '',
    schema: maybeUrl,
  },
  {
    name: 'TRUST_PROXY',
    section: 'Where',
    about:
      'Proxies before this server whose X-Forwarded-For is believed: loopback, or addresses with commas; empty: none',
    fallback: '',
    schema: proxies,
  },
  {
    name: 'DEMO',
    section: 'Where',
    about: '1: insist on the demo, 0: never; empty: the demo runs when nothing is set up',
    fallback: '',
    schema: z.enum(['', '0', '1']),
  },
  {
    name: 'COMMUNE_NAME',
    section: 'People',
    about: 'How the unit is called in greetings and thanks',
    fallback: 'Công an xã',
    schema: z.string().min(1),
  },
  {
    name: 'CONSOLE',
    section: 'People',
    about: '1: serve the web console outside the demo too, behind the login link that the bot gives',
    fallback: '0',
    schema: flag,
  },
  {
    name: 'LINK_HOURS',
    section: 'Links',
    about: 'A link to a clip or photos opens for so many hours',
    fallback: '24',
    schema: whole(1, 720),
  },
  {
    name: 'LINK_DEVICE',
    section: 'Links',
    about: 'one: a link sent in private opens only on the first phone or computer that opens it; any: on all',
    fallback: 'one',
    schema: z.enum(['one', 'any']),
  },
  {
    name: 'LINK_PIN',
    section: 'Links',
    about:
      'Digits of a PIN that goes in a message of its own and must be typed to open a link sent in private: 0 (none), 4, 5 or 6',
    fallback: '0',
    schema: z.enum(['0', '4', '5', '6']).transform(Number),
  },
  {
    name: 'TELEGRAM_BOT_TOKEN',
    section: 'Telegram',
    about: 'Token from @BotFather; empty: no Telegram',
    fallback: '',
    secret: true,
    schema: maybe,
  },
  {
    name: 'TELEGRAM_API_ROOT',
    section: 'Telegram',
    about: 'Bot API server: the public one, your own (larger files) or a relay',
    fallback: 'https://api.telegram.org',
    schema: z.url(),
  },
  {
    name: 'TELEGRAM_PROXY',
    section: 'Telegram',
    about: 'http://, https:// or socks5:// proxy to reach Telegram where it is blocked',
    fallback: '',
    secret: true,
    schema: maybe,
  },
  ...ZALO_SETTINGS,
  {
    name: 'TELEGRAM_WEBHOOK',
    section: 'Telegram',
    about:
      'auto: with an https PUBLIC_URL and no proxy Telegram posts messages here, and is asked for them where that fails; off: always ask',
    fallback: 'auto',
    schema: z.enum(['auto', 'off']),
  },
  {
    name: 'CLIP_SECONDS',
    section: 'Footage',
    about: 'Length of a clip when only a moment is named, seconds',
    fallback: '30',
    schema: whole(5, 600),
  },
  {
    name: 'CLIP_MAX_SECONDS',
    section: 'Footage',
    about: 'Longest clip one may ask for, seconds',
    fallback: '1800',
    schema: whole(30, 7200),
  },
  {
    name: 'OUTAGE_SECONDS',
    section: 'Footage',
    about: 'A camera down for longer is told to the officers, seconds',
    fallback: '60',
    schema: whole(5, 3600),
  },
  {
    name: 'RETENTION_DAYS',
    section: 'Footage',
    about: 'Days to keep recordings',
    fallback: '30',
    schema: whole(1, 3650),
  },
  {
    name: 'MIN_FREE_PERCENT',
    section: 'Footage',
    about: 'Oldest recordings go when less of the disk is free, percent',
    fallback: '5',
    schema: z.coerce.number().min(0).max(90),
  },
  {
    name: 'MIN_FREE_GB',
    section: 'Footage',
    about: 'Oldest recordings go when less of the disk is free, gigabytes',
    fallback: '5',
    schema: z.coerce.number().min(0),
  },
  {
    name: 'DISK_KIND',
    section: 'Footage',
    about:
      'Disk of the recordings: ssd (a power cut costs at most 2 s), hdd (spinning: far fewer writes, at most 5 s), auto: as the system says, ssd where it does not',
    fallback: 'auto',
    schema: z.enum(['auto', 'ssd', 'hdd']),
  },
  {
    name: 'OWN_SUBNETS',
    section: 'Footage',
    about:
      "Nets in which cameras are looked for, with commas: auto (this machine's private nets), 10.8.0.0/24 (a VPN); empty: auto",
    fallback: 'auto',
    schema: subnets,
  },
  {
    name: 'FFMPEG_PATH',
    section: 'Footage',
    about: 'ffmpeg to use; empty: the one on PATH (5 or newer), else a packaged one',
    fallback: '',
    schema: maybe,
  },
  {
    name: 'BACKUP_DIR',
    section: 'Backup',
    about: 'Folder on a second disk or stick that a backup goes to each night; empty: no nightly backup',
    fallback: '',
    schema: maybe,
  },
  {
    name: 'BACKUP_KEEP',
    section: 'Backup',
    about: 'So many backups stay in BACKUP_DIR, the oldest go',
    fallback: '14',
    schema: whole(1, 1000),
  },
  {
    name: 'BACKUP_PASSPHRASE',
    section: 'Backup',
    about:
      'Encrypts backups, 10 characters or more; keep it on paper elsewhere: without it nothing comes back',
    fallback: '',
    secret: true,
    schema: z.string(),
  },
  {
    name: 'LOG_LEVEL',
    section: 'Engineers',
    about: 'trace, debug, info, warn, error',
    fallback: 'info',
    schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  },
  {
    name: 'LOG_FILE',
    section: 'Engineers',
    about: 'Where the log goes; empty: DATA_DIR/logs',
    fallback: '',
    schema: maybe,
  },
  {
    name: 'RECORDER_TOKEN',
    section: 'Keys, made at first start: keep them, and keep them secret',
    about: "Bearer token of the recorder's API",
    fallback: '',
    secret: true,
    schema: z.string(),
  },
  {
    name: 'SECRET_KEY',
    section: 'Keys, made at first start: keep them, and keep them secret',
    about: 'Encrypts camera addresses and phone numbers; lost = they must be typed again',
    fallback: '',
    secret: true,
    schema: z.string(),
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof SETTINGS)[number]['name'];
type Values = { [S in (typeof SETTINGS)[number] as S['name']]: z.output<S['schema']> };

export interface Config {
  /** DATA_DIR, absolute; in the demo DATA_DIR/demo */
  dataDir: string;
  recordingsDir: string;
  host: string;
  port: number;
  recorderPort: number;
  publicUrl: string | null;
  trustProxy: string | null;
  links: { hours: number; oneDevice: boolean; pinDigits: number };
  demo: boolean;
  communeName: string;
  console: boolean;
  /** webhookUrl: PUBLIC_URL where Telegram may post to it, else null */
  telegram: { token: string | null; apiRoot: string; proxy: string | null; webhookUrl: string | null };
  zalo: ZaloConfig;
  clipSeconds: number;
  clipMaxSeconds: number;
  outageSeconds: number;
  retentionDays: number;
  minFreePercent: number;
  minFreeBytes: number;
  diskKind: 'auto' | 'ssd' | 'hdd';
  /** as `ownSubnets` reads it */
  ownSubnets: string;
  ffmpegPath: string | null;
  /** dir is absolute; null = no nightly backup */
  backup: { dir: string | null; keep: number };
  logLevel: string;
  logDir: string;
  recorderToken: string;
  secretKey: string;
}

/** Thrown for settings that can't be used; `message` lists each, without the value of a secret. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Reads the raw settings, or throws ConfigError with every fault at once. */
export function readSettings(env: Record<string, string | undefined>): Values {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const setting of SETTINGS) {
    const given = env[setting.name]?.trim() || setting.fallback;
    const result = setting.schema.safeParse(given);
    if (result.success) values[setting.name] = result.data;
    else {
      const shown = 'secret' in setting ? '' : ` (${given})`;
      faults.push(
        `${setting.name}${shown}: ${result.error.issues[0]?.message ?? 'not valid'}. ${setting.about}.`,
      );
    }
  }
  if (faults.length > 0) throw new ConfigError(faults.join('\n'));
  return values as Values;
}

/** The settings as the services use them; `demo` is decided by `decideMode`. */
export function makeConfig(env: Record<string, string | undefined>, demo: boolean): Config {
  const values = readSettings(env);
  const root = path.resolve(values.DATA_DIR);
  const dataDir = demo ? path.join(root, 'demo') : root;
  return {
    dataDir,
    recordingsDir:
      values.RECORDINGS_DIR === null || demo
        ? path.join(dataDir, 'recordings')
        : path.resolve(values.RECORDINGS_DIR),
    host: values.HOST,
    port: values.PORT,
    recorderPort: values.RECORDER_PORT,
    publicUrl: values.PUBLIC_URL,
    trustProxy: values.TRUST_PROXY,
    links: {
      hours: values.LINK_HOURS,
      oneDevice: values.LINK_DEVICE === 'one',
      pinDigits: values.LINK_PIN,
    },
    demo,
    communeName: values.COMMUNE_NAME.normalize('NFC'),
    console: demo || values.CONSOLE,
    telegram: {
      token: values.TELEGRAM_BOT_TOKEN,
      apiRoot: values.TELEGRAM_API_ROOT,
      proxy: values.TELEGRAM_PROXY,
      // where Telegram is reached by a proxy only, it hardly reaches us
      webhookUrl:
        values.TELEGRAM_WEBHOOK === 'auto' &&
        values.TELEGRAM_PROXY === null &&
        values.PUBLIC_URL?.startsWith('https:')
          ? values.PUBLIC_URL
          : null,
    },
    zalo: makeZaloConfig(values),
    clipSeconds: values.CLIP_SECONDS,
    clipMaxSeconds: values.CLIP_MAX_SECONDS,
    outageSeconds: values.OUTAGE_SECONDS,
    retentionDays: values.RETENTION_DAYS,
    minFreePercent: values.MIN_FREE_PERCENT,
    minFreeBytes: values.MIN_FREE_GB * 1e9,
    diskKind: values.DISK_KIND,
    ownSubnets: values.OWN_SUBNETS,
    ffmpegPath: values.FFMPEG_PATH,
    backup: {
      dir: values.BACKUP_DIR === null ? null : path.resolve(values.BACKUP_DIR),
      keep: values.BACKUP_KEEP,
    },
    logLevel: values.LOG_LEVEL,
    logDir: values.LOG_FILE === null ? path.join(dataDir, 'logs') : path.resolve(values.LOG_FILE),
    recorderToken: values.RECORDER_TOKEN,
    secretKey: values.SECRET_KEY,
  };
}

export const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));

export type Mode = { mode: 'demo' | 'real' } | { mode: 'refused'; sentence: string };

/**
 * Demo or real? The demo runs only where nothing real could be touched by it.
 * @param installed a real installation's database exists in DATA_DIR
 */
export function decideMode(env: Record<string, string | undefined>, installed: boolean): Mode {
  const values = readSettings(env);
  if (values.DEMO === '0') return { mode: 'real' };
  const hasChannel = [values.TELEGRAM_BOT_TOKEN, values.ZALO_APP_ID, values.ZALO_BOT_TOKEN].some(
    (value) => value !== null,
  );
  const obstacle = installed
    ? 'thư mục DATA_DIR đã có dữ liệu thật'
    : hasChannel
      ? 'đã có token của một kênh chat trong .env'
      : !isLoopback(values.HOST)
        ? `HOST=${values.HOST} mở ra ngoài máy này`
        : null;
  if (obstacle === null) return { mode: 'demo' };
  if (values.DEMO === '1')
    return {
      mode: 'refused',
      sentence: `Không chạy bản dùng thử: ${obstacle}. Bỏ DEMO=1 để chạy thật, hoặc đặt DATA_DIR sang thư mục trống, bỏ token và HOST để dùng thử.`,
    };
  if (!installed && !hasChannel)
    return {
      mode: 'refused',
      sentence: `Không chạy bản dùng thử: ${obstacle}. Hãy chạy npm run setup để nối Telegram hoặc Zalo, đặt DEMO=0 để chạy thật không có kênh chat, hoặc bỏ HOST để dùng thử.`,
    };
  return { mode: 'real' };
}

/** The text of `.env.example`. */
export function printEnvExample(): string {
  const lines = [
    '# Printed from src/base/config.ts by `npm run print`. Copy to .env and change what you need.',
  ];
  let section = '';
  for (const setting of SETTINGS) {
    if (setting.section !== section) {
      section = setting.section;
      lines.push('', `# ${section}`);
    }
    lines.push(
      `# ${setting.about}`,
      `${setting.fallback === '' ? '# ' : ''}${setting.name}=${setting.fallback}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Names of settings whose value must never be printed. */
export const SECRET_SETTINGS: SettingName[] = SETTINGS.filter((setting) => 'secret' in setting).map(
  (setting) => setting.name,
);

export const isSecretSetting = (name: SettingName) => SECRET_SETTINGS.includes(name);
