import fs from 'node:fs/promises';
import { WorldError } from '../../src/base/errors.js';
import type { Ffmpeg } from '../../src/base/ffmpeg.js';
import type { Log } from '../../src/base/log.js';
import type { SegmentInfo } from '../clip.js';
import type { FragmentSource } from '../fragment.js';
import type { CameraRow, GapRow } from '../index/rows.js';
import { AddressError, atHost, parseAddress, partsOf, shownAddress } from '../source/address.js';
import type { SourceHabits } from '../source/arguments.js';
import { FfmpegSource, type SourceLimits } from '../source/ffmpeg.js';
import { LoginGuard } from '../source/login-guard.js';
import type { Tampering } from '../tampering.js';
import type { CameraInfo, CameraSettings, Cause, Range, StreamName } from '../types.js';
import { Agreement } from './agreement.js';
import type { RecordingDoors } from './connection.js';
import { GapBook, type StreamGaps } from './gap-book.js';
import { lastLife } from './last-life.js';
import { CAMERA_ID, readSegmentName } from './names.js';
import type { RecoveryDoors } from './recover.js';
import type { restartWait } from './restart.js';
import { type StreamOptions, StreamRecorder } from './stream.js';

export interface RecorderOptions extends RecordingDoors {
  log: Log;
  ffmpeg: Ffmpeg;
  /** is told of what others did to the recordings; absent: nobody is */
  tampering?: Tampering;
  limits?: Partial<SourceLimits>;
  wait?: typeof restartWait;
  onDiskFault?: () => void;
  /** counts refused passwords; default: one that forgets them with the process */
  guard?: LoginGuard;
  /** the last sign of life where the index knows of none, epoch ms; null: not known */
  lastLifeMs?: number | null;
  /** another kind of source; default an ffmpeg child */
  makeSource?: (camera: CameraRow, stream: StreamName) => FragmentSource;
}

interface Recorded {
  row: CameraRow;
  main: StreamRecorder | null;
  sub: StreamRecorder | null;
  /** while it is off */
  offSinceMs: number;
}

/** What a camera that has left its address looks like: nobody there, or another device. */
const GONE: ReadonlySet<Cause | null> = new Set(['unreachable', 'refused', 'not-found', 'not-video']);

const ALIVE_EVERY_MS = 5000;

/** All cameras. Each stream records by itself; a change to one touches no other. */
export class Recorder {
  private readonly cameras = new Map<string, Recorded>();
  private readonly children = new Map<string, number>();
  private readonly guard: LoginGuard;
  /** by address: what its camera was found to need */
  private readonly habits = new Map<string, SourceHabits>();
  private alive: NodeJS.Timeout | undefined;
  private readonly gaps: GapBook;
  private readonly agreement: Agreement;
  private changes: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RecorderOptions) {
    this.guard = options.guard ?? new LoginGuard();
    this.gaps = new GapBook(options);
    this.agreement = new Agreement({ ...options, isOurs: (file) => this.isOpen(file) });
  }

  /** Resolves when index and files agree again. */
  get recovered(): Promise<void> {
    return this.agreement.reached;
  }

  /** Begins recording at once; recovery runs beside it. */
  async start(): Promise<void> {
    const { index, root, lastLifeMs } = this.options;
    const startedMs = Date.now();
    await fs.mkdir(root, { recursive: true });
    const lastRow = await index.segments.newestId();
    const { lifeMs, lostSinceMs } = await lastLife(this.options, lastLifeMs ?? null, startedMs);
    let openGaps: GapRow[] = [];
    if (lostSinceMs === null) await this.gaps.endAll(lifeMs ?? startedMs);
    else openGaps = await index.gaps.open();
    const rows = await index.cameras.list();
    const gaps: StreamGaps[] =
      lifeMs === null ? [] : await Promise.all(rows.map((row) => this.gaps.away(row, lifeMs)));
    for (const [i, row] of rows.entries()) this.begin(row, gaps[i]);
    await this.signOfLife();
    this.alive = setInterval(() => {
      void this.signOfLife();
      void index.look();
      this.closeLeftOpen();
    }, ALIVE_EVERY_MS);
    const onRecovered: RecoveryDoors['onRecovered'] = (cameraId, stream, endMs) => {
      const gap = gaps[rows.findIndex(({ id }) => id === cameraId)]?.[stream];
      if (gap?.cause === 'recorder-down' && Math.abs(endMs - gap.startMs) < 60_000)
        void this.gaps.moveStart(gap, endMs);
    };
    const lost = lostSinceMs === null ? null : { sinceMs: lostSinceMs, lifeMs, startedMs, openGaps };
    this.agreement.begin(lastRow, { lost, lifeMs, onRecovered });
  }

  /** Files that a failing disk kept from being closed are closed when no stream waits for the disk any more. */
  private closeLeftOpen(): void {
    const streams = [...this.cameras.values()].flatMap(({ main, sub }) => [main, sub]);
    if (this.agreement.hasWork && !streams.some((one) => one?.status.cause === 'disk'))
      this.agreement.again();
  }

  private signOfLife(): Promise<void> {
    return this.options.index.settings
      .live(Date.now())
      .catch((error) => this.options.log.error({ err: error }, 'the index takes no sign of life'));
  }

  /** Closes every file; waits for all. */
  async stop(): Promise<void> {
    clearInterval(this.alive);
    const agreed = this.agreement.stop();
    await this.changes.catch(() => {});
    await Promise.all([...this.cameras.values()].flatMap(({ main, sub }) => [main?.stop(), sub?.stop()]));
    await agreed;
    await this.signOfLife();
  }

  private begin(row: CameraRow, gaps: StreamGaps = {}): void {
    const record = (stream: StreamName) => this.streamRecorder(row, stream, gaps[stream] ?? null);
    const recorded: Recorded = {
      row,
      offSinceMs: Date.now(),
      main: row.enabled ? record('main') : null,
      sub: row.enabled && row.subUrl !== null ? record('sub') : null,
    };
    this.cameras.set(row.id, recorded);
    recorded.main?.start();
    recorded.sub?.start();
  }

  private streamRecorder(row: CameraRow, stream: StreamName, gap: StreamOptions['gap']): StreamRecorder {
    const { wait, onDiskFault, makeSource } = this.options;
    const source = () => {
      const now = this.cameras.get(row.id)?.row ?? row;
      return makeSource?.(now, stream) ?? this.ffmpegSource(now, stream);
    };
    return new StreamRecorder(
      {
        ...{ cameraId: row.id, stream, source, gap: gap ?? null },
        ...(wait && { wait }),
        ...(onDiskFault && { onDiskFault }),
        admitted: (signal) =>
          this.guard.whenAdmitted(
            parseAddress(addressOf(this.cameras.get(row.id)?.row ?? row, stream)),
            signal,
          ),
      },
      {
        ...this.options,
        leftOpen: (left) => this.agreement.leftOpen(left),
      },
    );
  }

  private ffmpegSource(row: CameraRow, stream: StreamName): FragmentSource {
    const { ffmpeg, limits } = this.options;
    const address = parseAddress(addressOf(row, stream));
    const habits = this.habits.get(address.shown) ?? { ownTimes: false, patient: false };
    this.habits.set(address.shown, habits);
    return new FfmpegSource({
      ...{ ffmpeg, address, habits, guard: this.guard },
      ...{ transport: row.transport, audio: row.audio, name: row.name },
      ...(limits && { limits }),
      onChild: (pid) => {
        const key = `${row.id} ${stream}`;
        if (pid === null) this.children.delete(key);
        else this.children.set(key, pid);
      },
    });
  }

  /** Process id of the child that records a stream; null when there is none. */
  childOf(cameraId: string, stream: StreamName = 'main'): number | null {
    return this.children.get(`${cameraId} ${stream}`) ?? null;
  }

  /** Adding, changing and removing happen one after the other. */
  private inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.changes.then(change, change);
    this.changes = done.catch(() => {});
    return done;
  }

  /** WorldError('invalid') for an id in use or once used, or an address that can't be one. */
  add(settings: CameraSettings): Promise<CameraInfo> {
    return this.inTurn(async () => {
      const { index, tell } = this.options;
      if (!CAMERA_ID.test(settings.id))
        throw new WorldError('invalid', 'an id is a–z, 0–9 and -, at most 32');
      if ((await index.cameras.find(settings.id)) !== null)
        throw new WorldError('invalid', `the id ${settings.id} is or was in use`);
      const row: CameraRow = {
        id: settings.id,
        name: settings.name.normalize('NFC'),
        url: checked(settings.url),
        subUrl: settings.subUrl ? checked(settings.subUrl) : null,
        transport: settings.transport ?? 'tcp',
        audio: settings.audio ?? false,
        enabled: settings.enabled ?? true,
        retentionDays: settings.retentionDays ?? null,
        createdMs: Date.now(),
        removedMs: null,
        identity: settings.identity ?? null,
      };
      await index.cameras.add(row);
      tell('camera-changed', row.id, { change: 'added' });
      this.begin(row);
      if (!row.enabled) {
        const startMs = row.createdMs;
        await this.gaps.begin({ cameraId: row.id, stream: 'main', startMs, cause: 'switched-off' });
        tell('camera-off', row.id, {});
      }
      return this.info(row.id);
    });
  }

  /** Changes what is given. Only a stream whose source changes, or one that is down and gets its address again, restarts. */
  change(id: string, change: Partial<Omit<CameraSettings, 'id'>>): Promise<CameraInfo> {
    return this.inTurn(async () => {
      const before = this.recorded(id);
      const old = before.row;
      const row: CameraRow = {
        ...old,
        ...(change.name !== undefined && { name: change.name.normalize('NFC') }),
        ...(change.url !== undefined && { url: checked(change.url) }),
        ...(change.subUrl !== undefined && {
          subUrl: change.subUrl === null ? null : checked(change.subUrl),
        }),
        ...(change.transport !== undefined && { transport: change.transport }),
        ...(change.audio !== undefined && { audio: change.audio }),
        ...(change.enabled !== undefined && { enabled: change.enabled }),
        ...(change.retentionDays !== undefined && { retentionDays: change.retentionDays }),
        ...(change.url !== undefined &&
          partsOf(change.url)?.host !== partsOf(old.url)?.host && { identity: null }),
        ...(change.identity !== undefined && { identity: change.identity }),
      };
      await this.options.index.cameras.change(row);
      before.row = row;
      const ways = old.transport !== row.transport || old.audio !== row.audio;
      const again = (stream: StreamRecorder | null, given: unknown) =>
        given !== undefined && stream?.status.state === 'down';
      const mainChanged = ways || old.url !== row.url || again(before.main, change.url);
      const subChanged = ways || old.subUrl !== row.subUrl || again(before.sub, change.subUrl);
      await Promise.all([
        this.setStream(before, 'main', row.enabled, mainChanged),
        this.setStream(before, 'sub', row.enabled && row.subUrl !== null, subChanged),
      ]);
      this.options.tell('camera-changed', id, { change: 'changed' });
      if (old.enabled && !row.enabled) {
        before.offSinceMs = Date.now();
        this.options.tell('camera-off', id, {});
      }
      return this.info(id);
    });
  }

  private async setStream(
    camera: Recorded,
    stream: StreamName,
    wanted: boolean,
    changed: boolean,
  ): Promise<void> {
    const { index } = this.options;
    const present = camera[stream];
    if (present !== null && wanted && !changed) return;
    let gap: StreamOptions['gap'] = null;
    if (present !== null) {
      await present.stop(wanted ? 'settings' : 'switched-off');
      gap = await present.openGapNow();
      camera[stream] = null;
    } else if (wanted) {
      const open = (await index.gaps.open()).find(
        (one) => one.cameraId === camera.row.id && one.stream === stream,
      );
      gap = open ? { ...open, row: open.id } : null;
    }
    if (!wanted) return;
    // A person has seen to it: a password refused before may be tried at once.
    this.guard.forget(parseAddress(addressOf(camera.row, stream)));
    camera[stream] = this.streamRecorder(camera.row, stream, gap);
    camera[stream].start();
  }

  /** Cameras that don't answer any more, or somebody else in their place, for at least so long, ms. */
  lost(forMs: number): CameraRow[] {
    const beforeMs = Date.now() - forMs;
    return [...this.cameras.values()].flatMap(({ row, main }) => {
      const { state, cause, sinceMs } = main?.status ?? { state: 'off', cause: null, sinceMs: 0 };
      return state === 'down' && GONE.has(cause) && sinceMs <= beforeMs ? [row] : [];
    });
  }

  /** Cameras that are being recorded now. */
  recording(): CameraRow[] {
    return [...this.cameras.values()].flatMap(({ row, main }) =>
      main?.status.state === 'recording' ? [row] : [],
    );
  }

  /** The device has another address now: goes on there. False: the camera is no longer at `from`. */
  async move(id: string, from: string, to: string): Promise<boolean> {
    const row = this.cameras.get(id)?.row;
    if (row === undefined || partsOf(row.url)?.host !== from) return false;
    const there = (url: string) => {
      const address = atHost(parseAddress(url), to);
      return address.kind === 'rtsp' ? address.url : url;
    };
    const { subUrl, identity } = row;
    await this.change(id, {
      ...{ url: there(row.url), identity },
      ...(subUrl !== null && partsOf(subUrl)?.host === from && { subUrl: there(subUrl) }),
    });
    this.options.tell('camera-moved', id, { from, to });
    return true;
  }

  /** Stops recording it. Its recordings stay until they are old. */
  remove(id: string): Promise<void> {
    return this.inTurn(async () => {
      const { row, main, sub } = this.recorded(id);
      await Promise.all([main?.stop('switched-off'), sub?.stop('switched-off')]);
      this.cameras.delete(id);
      await this.options.index.cameras.change({ ...row, removedMs: Date.now() });
      this.options.tell('camera-changed', id, { change: 'removed' });
    });
  }

  private recorded(id: string): Recorded {
    const found = this.cameras.get(id);
    if (found === undefined) throw new WorldError('not-found', `there is no camera ${id}`);
    return found;
  }

  /** WorldError('not-found') when there is no such camera. */
  info(id: string): CameraInfo {
    const { row, main, offSinceMs } = this.recorded(id);
    const status = main?.status ?? {
      state: 'off' as const,
      sinceMs: offSinceMs,
      cause: 'switched-off' as const,
    };
    const { codec = null, width = null, height = null } = main?.streamInfo ?? {};
    return {
      id: row.id,
      name: row.name,
      address: shownAddress(row.url),
      subAddress: row.subUrl === null ? null : shownAddress(row.subUrl),
      transport: row.transport,
      audio: row.audio,
      enabled: row.enabled,
      retentionDays: row.retentionDays,
      state: status.state,
      sinceMs: Math.round(status.sinceMs),
      cause: status.cause,
      ...{ codec, width, height },
      newestFrameMs: main?.newestMs == null ? null : Math.round(main.newestMs),
      identity: row.identity,
    };
  }

  all(): CameraInfo[] {
    return [...this.cameras.keys()].map((id) => this.info(id));
  }

  /** The recorder of a stream; null when the camera is off or removed, or has no such stream. */
  stream(id: string, stream: StreamName): StreamRecorder | null {
    return this.cameras.get(id)?.[stream] ?? null;
  }

  /** Files of a stream that the index does not know as closed yet. */
  liveSegments(id: string, stream: StreamName): SegmentInfo[] {
    return this.stream(id, stream)?.liveSegments() ?? [];
  }

  /** Stretches of a stream whose file a bad disk kept from being closed: what of it is kept shows when it is well again. */
  waitingForDisk(id: string, stream: StreamName): Range[] {
    return this.agreement.waiting.filter((left) => left.cameraId === id && left.stream === stream);
  }

  /** Whether a file (absolute) is being written or closed. */
  isOpen(file: string): boolean {
    const named = readSegmentName(file.replaceAll('\\', '/'));
    return (named && this.stream(named.cameraId, named.stream)?.openPaths().includes(file)) ?? false;
  }
}

const addressOf = (row: CameraRow, stream: StreamName) =>
  stream === 'main' ? row.url : (row.subUrl ?? row.url);

function checked(url: string): string {
  try {
    parseAddress(url);
    return url.trim();
  } catch (error) {
    if (error instanceof AddressError) throw new WorldError('invalid', error.message);
    throw error;
  }
}
