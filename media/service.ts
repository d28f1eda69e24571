import fs from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { systemClock } from '../src/base/clock.js';
import type { Config } from '../src/base/config.js';
import { exists } from '../src/base/durable.js';
import { type Ffmpeg, findFfmpeg } from '../src/base/ffmpeg.js';
import type { Log } from '../src/base/log.js';
import { makeSeal } from '../src/base/seal.js';
import { ownSubnets } from '../src/base/subnets.js';
import { makeApi } from './api.js';
import { ArchiveCheck, type ArchiveCheckOptions } from './archive-check.js';
import { CameraBook } from './camera-book.js';
import { Clips } from './clips.js';
import { ContentCheck, type ContentCheckOptions } from './content-check.js';
import { EventHub } from './events.js';
import { Footage } from './footage.js';
import { holdFiles } from './holds/files.js';
import { Holds } from './holds/holds.js';
import type { IndexFault } from './index/fault.js';
import { RecorderIndex } from './index/index.js';
import { Integrity } from './integrity/integrity.js';
import { KEYS_FILE } from './integrity/keys.js';
import { makeMetrics } from './metrics.js';
import { MovedCameras, type MovedOptions } from './onvif/moved.js';
import { ClockWatch } from './recording/clock-watch.js';
import { type DiskCalls, diskCalls, POWER_CUT_MS, RecordingDisk } from './recording/disk.js';
import { diskKind } from './recording/disk-kind.js';
import { newestFile } from './recording/folders.js';
import { Recorder, type RecorderOptions } from './recording/recorder.js';
import { Retention, type RetentionOptions } from './retention/retention.js';
import { LoginGuard } from './source/login-guard.js';
import { LOGIN_FILE, loginFile } from './source/login-memory.js';
import { Stills } from './stills.js';
import { Tampering } from './tampering.js';
import { clockFile, TrustedClock } from './trusted-clock.js';
import type { Health } from './types.js';

/** The parts of the configuration that concern the recorder. */
export type RecorderConfig = Pick<
  Config,
  | 'dataDir'
  | 'recordingsDir'
  | 'recorderPort'
  | 'recorderToken'
  | 'secretKey'
  | 'retentionDays'
  | 'minFreePercent'
  | 'minFreeBytes'
  | 'ffmpegPath'
> &
  Partial<Pick<Config, 'ownSubnets' | 'diskKind'>>;

export interface ServiceOptions extends Partial<Pick<RecorderOptions, 'limits' | 'wait' | 'makeSource'>> {
  log: Log;
  version?: string;
  /** a new file each …, ms; default a minute */
  segmentMs?: number;
  ffmpeg?: Ffmpeg;
  /** how the recordings' disk is written and synced; default as it is */
  diskCalls?: (root: string) => DiskCalls;
  readDisk?: RetentionOptions['readDisk'];
  tryDisk?: RetentionOptions['tryDisk'];
  /** how devices are looked for, for tests */
  nets?: Partial<Pick<MovedOptions, 'discovery' | 'opens' | 'lostMs' | 'everyMs' | 'lookWait'>>;
  /** how often the archive is gone through, for tests */
  check?: Pick<ArchiveCheckOptions, 'everyMs' | 'againMs'>;
  contentCheck?: Pick<ContentCheckOptions, 'everyMs' | 'beginMs' | 'againMs'>;
  /** the index is broken, deleted or can't be used; told again while that lasts */
  onIndexFault?: (fault: IndexFault, index: RecorderIndex) => void;
  /** finished clips are kept this long, ms */
  keepClipsMs?: number;
}

export interface RecorderService {
  port: number;
  recorder: Recorder;
  retention: Retention;
  /** closes every file, then the API and the index */
  stop(): Promise<void>;
}

/** After these the list of cameras beside the recordings is written anew. */
const BOOK_EVENTS: ReadonlySet<string> = new Set(['camera-changed', 'camera-off', 'camera-moved']);

/** A full or failing disk is told within a minute. */
const RETENTION_EVERY_MS = 30_000;

/**
 * Starts the service: recording first, then the API on loopback. `<dataDir>/recorder.db` must be migrated.
 * Throws when the port is taken, the index can't be opened, or there is no ffmpeg.
 */
export async function startService(
  config: RecorderConfig,
  options: ServiceOptions,
): Promise<RecorderService> {
  const { log } = options;
  const startedMs = Date.now();
  const root = path.resolve(config.recordingsDir);
  await fs.mkdir(config.dataDir, { recursive: true });
  const ffmpeg = options.ffmpeg ?? (await findFfmpeg({ configured: config.ffmpegPath ?? undefined }));
  const index = await RecorderIndex.open(
    path.join(config.dataDir, 'recorder.db'),
    makeSeal(config.secretKey),
  );
  index.whenBroken((fault) => options.onIndexFault?.(fault, index));
  const isNew = await index.events.begin(startedMs);
  const hub = new EventHub(index, log);
  const integrity = new Integrity({
    ...{ root, dataDir: config.dataDir, seal: makeSeal(config.secretKey), log, clock: systemClock },
  });
  await integrity.start();
  const aliveMs = await index.settings.lastLife();
  const trusted = new TrustedClock({
    wall: systemClock.now,
    ...clockFile(path.join(config.dataDir, 'recorder-clock.json')),
    // an index that is lost knows of no recording yet
    lastLife: async () =>
      aliveMs ??
      (await index.segments.newestBefore(startedMs))?.endMs ??
      (await newestFile(root, startedMs))?.startMs ??
      null,
  });
  const away = await trusted.away();
  const holds = new Holds({
    ...{ files: holdFiles(root), index, log, tell: hub.tell, wall: systemClock.now },
    now: () => trusted.now(),
  });
  const tampering = new Tampering({
    ...{ index, integrity, log, holds, tell: hub.tell, settled: () => hub.settled() },
  });
  await tampering.load();
  let agreed = false;
  const retention = new Retention({
    integrity,
    ...{ root, index, holds, trusted, log, clock: systemClock, tell: hub.tell, ready: () => agreed },
    retentionDays: config.retentionDays,
    minFreeBytes: config.minFreeBytes,
    minFreePercent: config.minFreePercent,
    ...(options.readDisk && { readDisk: options.readDisk }),
    ...(options.tryDisk && { tryDisk: options.tryDisk }),
  });
  await fs.mkdir(root, { recursive: true });
  const kind = await diskKind(config.diskKind ?? 'auto', root);
  const disk = new RecordingDisk(kind, (options.diskCalls ?? diskCalls)(root), log);
  const guard = new LoginGuard({
    secret: config.secretKey,
    memory: loginFile(path.join(config.dataDir, LOGIN_FILE), log),
  });
  await guard.load();
  const recorder = new Recorder({
    ...{ root, disk, index, log, ffmpeg, tell: hub.tell, integrity, guard, tampering },
    lastLifeMs: away.lastWallMs,
    segmentMs: options.segmentMs ?? 60_000,
    onDiskFault: () => void retention.run(),
    ...(options.limits && { limits: options.limits }),
    ...(options.wait && { wait: options.wait }),
    ...(options.makeSource && { makeSource: options.makeSource }),
  });
  hub.tell('recorder-started', null, { version: options.version ?? '', ffmpeg: ffmpeg.version });
  const book = new CameraBook(root, index, log);
  const restored = await book.restore();
  if (restored.length > 0) {
    log.warn({ cameras: restored }, 'the index had lost cameras; they are back');
    if (isNew) hub.tell('index-rebuilt', null, { cameras: restored.length });
  }
  await recorder.start();
  await book.keep();
  hub.listen(({ kind }) => {
    if (BOOK_EVENTS.has(kind)) void book.keep();
  });
  const clockWatch = new ClockWatch({
    ...{ index, integrity, log, tell: hub.tell },
    // what is kept of the clock knows of it: the next start does not tell it again
    onStep: () => trusted.look(),
  });
  if (away.step !== null) clockWatch.note(away.step);
  clockWatch.start();
  const subnets = () => ownSubnets(config.ownSubnets ?? 'auto', networkInterfaces());
  const moved = new MovedCameras({ ...options.nets, recorder, guard, subnets, log });
  moved.start();
  const footage = new Footage(root, index, recorder, holds);
  const clips = new Clips({
    ...{ folder: path.join(config.dataDir, 'clips'), footage, recorder, ffmpeg, log },
    ...{ shared: config.dataDir, recordings: root },
    ...(options.keepClipsMs !== undefined && { keepMs: options.keepClipsMs }),
  });
  await clips.start();
  const stills = new Stills(footage, ffmpeg);
  const health = (): Health => {
    const states = recorder.all().map(({ state }) => state);
    const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
    const { freeBytes, totalBytes } = retention.disk ?? { freeBytes: 0, totalBytes: 0 };
    return {
      ok: retention.disk !== null,
      version: options.version ?? '',
      startedMs,
      ffmpeg: { version: ffmpeg.version, major: ffmpeg.major, kind: ffmpeg.kind },
      cameras: {
        total: states.length,
        recording: count('recording'),
        down: count('down', 'starting'),
        off: count('off'),
      },
      disk: {
        ...{ freeBytes, totalBytes, low: retention.low },
        ...{ kind, powerCutMs: POWER_CUT_MS[kind], unsyncedMs: Math.round(disk.unsyncedMs) },
      },
      holds: retention.health(),
    };
  };
  const metrics = makeMetrics(health);
  const app = makeApi({
    ...{ recorder, footage, clips, stills, integrity, hub, ffmpeg, metrics, log, health },
    nets: { subnets, ...options.nets },
    ...{ holds, retention, index },
    token: config.recorderToken,
  });
  const firstRound = retention.run();
  void recorder.recovered.then(() => {
    agreed = true;
    void firstRound.then(() => retention.run());
  });
  const round = setInterval(() => void retention.run(), RETENTION_EVERY_MS);
  const archive = {
    ...{ root, index, log, tampering },
    isOurs: (file: string) => recorder.isOpen(file),
    agreed: () => recorder.recovered,
    // a disk that is not there shows an empty folder: the keys would be missing
    readable: async () => retention.disk !== null && (await exists(path.join(root, KEYS_FILE))),
  };
  const check = new ArchiveCheck({ ...archive, ...options.check });
  check.start();
  const contentCheck = new ContentCheck({
    ...{ ...archive, ...options.contentCheck },
    usedBytes: () => (retention.disk === null ? 0 : retention.disk.totalBytes - retention.disk.freeBytes),
  });
  contentCheck.start();
  const close = async () => {
    clearInterval(round);
    const checked = Promise.all([check.stop(), contentCheck.stop()]);
    await moved.stop();
    await recorder.stop();
    await guard.settled();
    await checked;
    await clips.stop();
    await retention.run();
    await clockWatch.stop();
    await integrity.stop();
    await hub.settled();
    await book.keep();
    metrics.stop();
    await index.close();
  };
  let server: Server;
  try {
    server = await new Promise<Server>((resolve, reject) => {
      const listening = app.listen(config.recorderPort, '127.0.0.1', (error?: Error) =>
        error ? reject(error) : resolve(listening),
      );
    });
  } catch (error) {
    await close();
    throw error;
  }
  await firstRound;
  const { port } = server.address() as AddressInfo;
  log.info({ port, ffmpeg: ffmpeg.version, cameras: recorder.all().length }, 'the recorder records');
  return {
    ...{ port, recorder, retention },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      await recorder.stop();
      server.closeAllConnections();
      await closed;
      await close();
    },
  };
}
