import path from 'node:path';
import { spins } from '../../media/recording/disk-kind.js';
import { LoginGuard } from '../../media/source/login-guard.js';
import { LOGIN_FILE, loginFile } from '../../media/source/login-memory.js';
import { readBackupStatus } from '../base/backup-status.js';
import { makeLog } from '../base/log.js';
import { makeSeal, type Seal } from '../base/seal.js';
import { type Account, myself } from './accounts.js';
import { judgeBackups } from './backups.js';
import { judgeRunning, tryCameras } from './cameras.js';
import { askSystemd, judgeClock } from './clock.js';
import { broughtMigrations, type DatabaseLook, judgeDatabase, lookAtDatabase } from './databases.js';
import { checkFolder, checkSpeed, judgeSpeed, judgeSyncing, nearestFolder } from './disk.js';
import { checkFfmpeg } from './ffmpeg.js';
import { broken, careful, type Finding, fine, within } from './finding.js';
import { judgeHolds, spoiltHolds } from './holds.js';
import {
  checkNode,
  checkService,
  judgeFileLimit,
  judgeMemory,
  readFileLimit,
  readMemory,
  readUnit,
  unitUser,
} from './machine.js';
import { checkPorts } from './ports.js';
import { checkPublicUrl } from './public-url.js';
import { judgeServices, lookAtServices, type ServicesLook } from './services.js';
import { checkSettings } from './settings.js';
import type { Situation } from './situation.js';
import { checkSpace, dailyBytes, pacesOf } from './space.js';
import { type Answer, checkTelegram } from './telegram.js';
import { checkZalo, judgeHeard } from './zalo.js';

export interface Section {
  title: string;
  findings: Finding[];
}

export interface DoctorOptions {
  situation: Situation;
  /** default: the systemd unit of this machine, if there is one */
  unit?: string | null;
  now?: () => number;
  /** each section in its order, as soon as it and those before are done */
  onSection?: (section: Section) => void;
}

/** Looking through both databases, ms. */
const DATABASE_MS = 12_000;
/** All cameras, ms. */
const CAMERAS_MS = 18_000;
/** Any section, ms: with the disk's before them all is done within thirty seconds. */
const SECTION_MS = 21_000;
const NETWORK_MS = 6000;
const QUIET = makeLog({ name: 'doctor', level: 'silent', dir: null });

/** A value that several checks wait for; a fault of ours in it becomes `instead`. */
const shared = <T, I>(work: Promise<T>, instead: I): Promise<T | I> => work.catch(() => instead);

/** Runs every check. Nothing that is broken stops the others, nothing is changed on the machine. Never throws. */
export async function examine({ situation, ...options }: DoctorOptions): Promise<Section[]> {
  const { config, folder, installed, hidden } = situation;
  const { now = Date.now, onSection } = options;
  const me: Account = myself();
  const unit = options.unit === undefined ? await readUnit() : options.unit;
  const serviceUser = config.demo ? null : unitUser(unit);

  const services = shared<ServicesLook, ServicesLook>(lookAtServices(config), {
    ...{ parent: null, bot: null, recorder: 'away', health: null, cameras: null },
  });
  const ffmpeg = within(NETWORK_MS * 2, null, (signal) => checkFfmpeg(config.ffmpegPath, signal)).catch(
    () => null,
  );
  const telegram = within(NETWORK_MS * 2, null, (signal) =>
    checkTelegram(config.telegram, config.demo, AbortSignal.any([signal, AbortSignal.timeout(NETWORK_MS)])),
  ).catch(() => null);
  const zalo = within(NETWORK_MS * 2, null, async (signal) =>
    checkZalo(
      {
        ...{ config, hidden, timeoutMs: NETWORK_MS, nowMs: now() },
        running: (await services).bot !== null,
      },
      signal,
    ),
  ).catch(() => null);
  const systemd = askSystemd();
  // the disk is measured alone, before anybody reads from it
  const speed = await within(8000, null, () => checkSpeed(config.recordingsDir)).catch(() => null);
  const recorder = lookAtDatabase('recorder', path.join(config.dataDir, 'recorder.db'), DATABASE_MS);
  const bot = lookAtDatabase('bot', path.join(config.dataDir, 'bot.db'), DATABASE_MS);

  const camerasEnd = AbortSignal.timeout(CAMERAS_MS);
  const count = async () => (await recorder.soon).cameras?.length ?? (await services).cameras?.length ?? 0;
  const sections: [title: string, work: (signal: AbortSignal) => Promise<Finding[]>][] = [
    [
      'Máy',
      async () => {
        const { parent } = await services;
        return [
          checkNode(),
          judgeMemory(await readMemory(), await count(), parent !== null),
          ...judgeFileLimit(await readFileLimit(parent), await count()),
          ...((await ffmpeg)?.findings ?? [lateFinding('ffmpeg', 'ffmpeg')]),
        ];
      },
    ],
    [
      'Ổ đĩa',
      async () => {
        const look = await recorder.done;
        const places = [
          { check: 'data-folder', called: 'Thư mục dữ liệu', folder: config.dataDir },
          {
            ...{ check: 'recordings-folder', called: 'Thư mục ghi hình', folder: config.recordingsDir },
            expectedBytes: look.sizes?.recordedBytes ?? 0,
          },
        ];
        const found = await Promise.all(places.map((place) => checkFolder({ ...place, serviceUser, me })));
        const holds = (await services).health?.holds ?? null;
        const deleting = holds?.readable ?? true;
        found.push(...(await checkSpace(config, look, { heldBytes: holds?.heldBytes ?? 0, deleting })));
        found.push(...judgeHolds(holds, await spoiltHolds(config.recordingsDir)));
        const bytesADay = dailyBytes(pacesOf(look, config.retentionDays));
        if (speed !== null) found.push(judgeSpeed(speed.speed, bytesADay, speed.spinning));
        const spinning = await spins(await nearestFolder(config.recordingsDir));
        found.push(judgeSyncing(config.diskKind, spinning));
        return found;
      },
    ],
    [
      'Đồng hồ',
      async () => {
        const answer: Answer | null = (await telegram)?.answer ?? null;
        return [
          judgeClock({
            nowMs: now(),
            newestMs: (await recorder.soon).newestMs,
            // the header has no fraction: its second is half over on average
            aheadMs: answer?.dateMs == null ? null : answer.askedMs - (answer.dateMs + 500),
            synchronized: await systemd,
          }),
        ];
      },
    ],
    ['Cài đặt', async () => checkSettings(situation, await Promise.all([recorder.soon, bot.soon]))],
    ['Cổng', async () => checkPorts(config, await services)],
    [
      'Dữ liệu',
      async () => {
        if (hidden) return [unseen('databases', 'dữ liệu còn nguyên vẹn không')];
        const looks = await Promise.all([bot.done, recorder.done]);
        const some = looks.some((look) => look.exists);
        return [
          ...looks.map((look) => judgeDatabase(look, broughtMigrations(look.name), some)),
          ...(installed ? [judgeBackups(config, await readBackupStatus(config.dataDir), now())] : []),
        ];
      },
    ],
    [
      'Dịch vụ',
      async () => [
        ...(hidden && (await services).recorder !== 'ours'
          ? [unseen('running', 'Mắt Thần có đang chạy không')]
          : judgeServices(await services, { installed, demo: config.demo, nowMs: now() })),
        await checkService({ folder, demo: config.demo, unit }),
      ],
    ],
    ['Telegram', async () => (await telegram)?.findings ?? [lateFinding('telegram', 'Telegram')]],
    ['Zalo', async () => (await zalo) ?? [lateFinding('zalo', 'Zalo')]],
    [
      'Tên miền',
      async (signal) => {
        const { publicUrl } = config;
        const [{ bot: running }, { zaloHeardMs }] = [await services, await bot.soon];
        const health = running?.zalo.oa ?? null;
        const found = await checkPublicUrl(
          { config, running: running !== null, heardMs: health?.heardMs ?? null, nowMs: now() },
          AbortSignal.any([signal, AbortSignal.timeout(NETWORK_MS)]),
        );
        if (publicUrl === null || config.zalo.appId === null || config.zalo.appSecret === null || hidden)
          return found;
        return [...found, judgeHeard(health, zaloHeardMs, { publicUrl, nowMs: now() })];
      },
    ],
    [
      'Camera',
      async (signal) => {
        const [running, known, names] = [await services, await recorder.soon, (await bot.soon).cameras ?? []];
        if (running.cameras !== null) return noneOr(judgeRunning(running.cameras, names, now()));
        const found = (await ffmpeg)?.found ?? null;
        if (hidden) return [unseen('cameras', 'có những camera nào')];
        return tryAll(situation, known, names, found, AbortSignal.any([signal, camerasEnd]));
      },
    ],
  ];
  const work = sections.map(([title, look]) => examineSection(title, look));
  const done: Section[] = [];
  for (const section of work) {
    done.push(await section);
    onSection?.(done.at(-1)!);
  }
  return done;
}

async function examineSection(
  title: string,
  look: (signal: AbortSignal) => Promise<Finding[]>,
): Promise<Section> {
  const check = 'doctor';
  const late = [lateFinding(check, `Mục ${title}`)];
  const findings = await within(SECTION_MS, late, look).catch((error: unknown) => [
    broken(
      check,
      `Mục ${title} chưa kiểm tra được vì lỗi của chính công cụ khám máy.`,
      'Hãy chạy lại; nếu vẫn vậy, gửi kết quả của npm run -s doctor -- --json cho người làm phần mềm.',
      { error: error instanceof Error ? error.message : String(error) },
    ),
  ]);
  return { title, findings };
}

const lateFinding = (check: string, what: string): Finding =>
  careful(
    check,
    `${what}: chưa kiểm tra xong trong thời gian cho phép.`,
    'Hãy chạy lại npm run doctor khi máy bớt bận.',
  );

const unseen = (check: string, what: string): Finding =>
  careful(
    check,
    `Không xem được ${what}, vì tài khoản này không được phép vào thư mục dữ liệu.`,
    'Hãy chạy lại bằng tài khoản đang chạy Mắt Thần, hoặc: sudo npm run doctor',
  );

const noneOr = (findings: Finding[]): Finding[] =>
  findings.length > 0
    ? findings
    : [careful('cameras', 'Chưa có camera nào.', 'Hãy nhắn cho bot: camera thêm')];

const demoOrNot = (demo: boolean) =>
  demo
    ? 'Chưa có camera nào: bản dùng thử tự tạo 4 camera ở lần chạy đầu.'
    : 'Chưa có camera nào: sau khi chạy npm start, hãy nhắn cho bot: camera thêm';

async function tryAll(
  { config, installed }: Situation,
  look: DatabaseLook,
  names: NonNullable<DatabaseLook['cameras']>,
  ffmpeg: Parameters<typeof tryCameras>[2]['ffmpeg'] | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (look.cameras === null)
    return installed && look.exists
      ? [
          careful(
            'cameras',
            'Không đọc được danh sách camera vì tệp recorder.db có lỗi.',
            'Hãy xem mục Dữ liệu ở trên trước.',
          ),
        ]
      : [fine('cameras', demoOrNot(config.demo))];
  if (ffmpeg === null)
    return [
      careful(
        'cameras',
        `Có ${look.cameras.length} camera nhưng chưa thử được vì không có ffmpeg.`,
        'Hãy cài ffmpeg trước (xem mục Máy).',
      ),
    ];
  let seal: Seal;
  try {
    seal = makeSeal(config.secretKey);
  } catch {
    return [
      careful(
        'cameras',
        `Có ${look.cameras.length} camera nhưng không đọc được địa chỉ vì thiếu khóa.`,
        'Hãy xem dòng về khóa SECRET_KEY ở mục Cài đặt.',
      ),
    ];
  }
  // what the recorder counted is minded, and nothing is written down
  const counted = loginFile(path.join(config.dataDir, LOGIN_FILE), QUIET);
  const guard = new LoginGuard({ secret: config.secretKey, memory: { ...counted, save: async () => {} } });
  await guard.load();
  return noneOr(await tryCameras(look.cameras, names, { ffmpeg, seal, guard, signal }));
}
