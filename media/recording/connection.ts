import fs from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../src/base/log.js';
import type { SegmentInfo } from '../clip.js';
import type { Fragment, FragmentSink, StreamInit } from '../fragment.js';
import type { RecorderIndex } from '../index/index.js';
import { hashFile } from '../integrity/hash.js';
import type { Integrity } from '../integrity/integrity.js';
import type { SegmentFacts } from '../integrity/record.js';
import { mediaMs } from '../mp4/prft.js';
import type { Range, RecorderEventKind, StreamName } from '../types.js';
import type { LeftFile } from './agreement.js';
import type { RecordingDisk } from './disk.js';
import { GopMemory } from './gop-memory.js';
import { MediaClock } from './media-clock.js';
import { hourFolder, OPEN_SUFFIX, segmentName } from './names.js';
import { type ByteHash, SegmentFile } from './segment-file.js';

export interface RecordingDoors {
  /** absolute folder of all recordings */
  root: string;
  /** a new file begins at the first keyframe after each multiple of this, ms */
  segmentMs: number;
  disk: RecordingDisk;
  /** hashes what is written; default SHA-256 */
  makeHash?: (() => ByteHash) | undefined;
  index: RecorderIndex;
  /** what is recorded is written down there; absent: nowhere */
  integrity?: Integrity | undefined;
  log: Log;
  tell: (kind: RecorderEventKind, cameraId: string, data: Record<string, unknown>) => void;
  /** a file could not be closed: recovery has work when the disk is well again */
  leftOpen?: (left: LeftFile) => void;
}

/** The newest pictures, in memory. */
export interface LivePictures {
  init: StreamInit;
  /** every fragment since and with the last key one */
  gop: Fragment[];
  /** wall clock of the decode time of the first of them */
  startMs: number;
}

interface OpenSegment {
  file: SegmentFile;
  startTicks: bigint;
  /** ticks */
  end: bigint;
  slot: number;
  /** set when the clock jumped after it: dates by what was known before */
  offset: number | null;
  row: Promise<number | null>;
  /** what `row` resolved with */
  rowId: number | null;
  /** the file's present name, absolute */
  path: string;
}

/** One fragment makes dates earlier by more than this only while pictures come faster than they were taken, ms. */
const SETTLED_MS = 50;

/** What is done with the fragments of one connection: dated, cut into files, the newest GOP remembered. */
export class Connection implements FragmentSink {
  /** aborts when the disk fails: the source must end */
  readonly diskFault = new AbortController();
  diskError: unknown = null;
  firstMs: number | null = null;
  /** pictures that came, and that the disk did not keep */
  readonly losses: Range[] = [];
  private streamInit: StreamInit | null = null;
  private clock: MediaClock | null = null;
  private readonly gop = new GopMemory();
  private current: OpenSegment | null = null;
  /** finished, but their rows are not closed yet */
  private readonly closing = new Map<OpenSegment, Promise<void>>();
  /** the file closed last: most clips are of the last minutes, and its fragments need not be read again */
  private justClosed: { path: string; known: NonNullable<SegmentInfo['known']> } | null = null;
  private cutNext = false;
  private lastOffset = 0;
  private lastEndTicks: bigint | null = null;

  constructor(
    private readonly cameraId: string,
    private readonly stream: StreamName,
    private readonly doors: RecordingDoors,
    /** the first picture is here; its wall clock */
    private readonly onFirst: (startMs: number) => void,
  ) {}

  init(init: StreamInit): void {
    this.closeCurrent();
    this.streamInit = init;
    // Another resolution within one connection changes nothing about its time.
    if (this.clock?.timescale !== init.timescale) this.clock = new MediaClock(init.timescale);
    this.gop.clear();
  }

  fragment(fragment: Fragment): void {
    const { streamInit: init, clock } = this;
    if (init === null || clock === null || this.diskError !== null) return;
    const before = clock.offset;
    const jumped = clock.add(fragment);
    if (jumped) {
      if (this.current !== null) this.current.offset = this.lastOffset;
      this.cutNext = true;
      this.doors.log.warn({ camera: this.cameraId, stream: this.stream }, 'clock or media time jumped');
    }
    this.lastOffset = clock.offset ?? this.lastOffset;
    if (fragment.samples > 0) {
      const startMs = this.wallOf(fragment.startTicks);
      this.gop.add(fragment);
      const slot = Math.floor(startMs / this.doors.segmentMs);
      // pictures that come in a heap are dated too late until it is worked off: a file that ended before would overlap the next
      const catchingUp = !jumped && before !== null && this.lastOffset < before - SETTLED_MS;
      const due = this.current === null || this.cutNext || (slot !== this.current.slot && !catchingUp);
      if (fragment.key && due) {
        this.closeCurrent();
        this.open(init, fragment, startMs, slot);
      }
      if (this.current !== null) {
        this.lastEndTicks = fragment.startTicks + BigInt(fragment.durationTicks);
        this.current.end = this.lastEndTicks;
        if (this.firstMs === null) {
          this.firstMs = startMs;
          this.onFirst(startMs);
        }
      }
    }
    this.current?.file.push(fragment);
  }

  private wallOf(ticks: bigint, offset: number | null = null): number {
    return mediaMs(ticks, this.streamInit!.timescale) + (offset ?? this.lastOffset);
  }

  private open(init: StreamInit, fragment: Fragment, startMs: number, slot: number): void {
    const { cameraId, stream, doors } = this;
    const folder = hourFolder(cameraId, stream, startMs);
    const relative = `${folder}/${segmentName(cameraId, stream, startMs)}${OPEN_SUFFIX}`;
    const file = path.join(doors.root, relative);
    const row = doors.index.segments
      .add({
        ...{ cameraId, stream, startMs, endMs: startMs, path: relative, sizeBytes: 0, open: true },
        ...{ codec: init.codec, width: init.width, height: init.height },
      })
      .catch((error) => {
        doors.log.error(
          { err: error, camera: cameraId },
          'the index took no row; the file will be found by its name',
        );
        return null;
      });
    this.current = {
      file: new SegmentFile(file, init, doors.disk, (error) => this.fail(error), doors.makeHash),
      startTicks: fragment.startTicks,
      end: fragment.startTicks,
      slot,
      offset: null,
      row,
      rowId: null,
      path: file,
    };
    const { current } = this;
    void row.then((id) => {
      current.rowId = id;
    });
    this.cutNext = false;
  }

  private fail(error: unknown): void {
    if (this.diskError !== null) return;
    this.diskError = error;
    this.doors.log.error({ err: error, camera: this.cameraId, stream: this.stream }, 'writing failed');
    this.diskFault.abort();
  }

  private closeCurrent(): void {
    const segment = this.current;
    if (segment === null) return;
    this.current = null;
    segment.offset ??= this.lastOffset;
    const done = this.close(segment)
      .catch((error) => {
        this.doors.log.error(
          { err: error, camera: this.cameraId },
          'a file could not be closed; recovery will',
        );
        this.fail(error);
        this.doors.leftOpen?.(this.leftFile(segment));
      })
      .finally(() => this.closing.delete(segment));
    this.closing.set(segment, done);
  }

  private leftFile({ path, startTicks, end, offset, file }: OpenSegment): LeftFile {
    const { cameraId, stream } = this;
    const [startMs, endMs] = [this.wallOf(startTicks, offset), this.wallOf(end, offset)];
    return { path, cameraId, stream, startMs, endMs, durableBytes: file.durableBytes };
  }

  private async close(segment: OpenSegment): Promise<void> {
    const { cameraId, stream, doors } = this;
    const init = segment.file.init;
    const kept = await segment.file.finish();
    const last = segment.file.fragments.at(-1);
    const keptTicks = last ? last.startTicks + BigInt(last.durationTicks) : segment.startTicks;
    const endMs = Math.round(this.wallOf(keptTicks, segment.offset));
    if (keptTicks < segment.end)
      this.losses.push({ startMs: endMs, endMs: this.wallOf(segment.end, segment.offset) });
    const row = await segment.row;
    if (!kept) {
      await fs.rm(segment.path, { force: true });
      // a failing disk may have it again after the next mount
      await doors.disk.syncName(segment.path);
      if (row !== null) await doors.index.segments.drop([row]);
      return;
    }
    const startMs = Math.round(this.wallOf(segment.startTicks, segment.offset));
    const folder = path.posix.dirname(path.relative(doors.root, segment.path).replaceAll('\\', '/'));
    const finalPath = await freeName(doors.root, `${folder}/${segmentName(cameraId, stream, startMs)}`);
    await fs.rename(segment.path, path.join(doors.root, finalPath));
    segment.path = path.join(doors.root, finalPath);
    await doors.disk.syncName(segment.path);
    const sizeBytes = segment.file.writtenBytes;
    const { codec, width, height } = init;
    const facts = { path: finalPath, startMs, endMs, sizeBytes, codec, width, height };
    await this.recordSegment(segment.file.sha256, facts);
    await doors.index.segments.close(row, { ...facts, cameraId, stream, open: false }).catch((error) => {
      // The file is whole under its name, so the recording goes on; the row comes with the recovery.
      if (doors.index.fault === null) throw error;
      doors.log.error({ err: error, camera: cameraId }, 'the broken index took no closed file');
      doors.leftOpen?.(this.leftFile(segment));
    });
    this.justClosed = { path: segment.path, known: { init, fragments: segment.file.fragments } };
    doors.tell('segment-closed', cameraId, { stream, path: finalPath, startMs, endMs, sizeBytes });
  }

  /** Into the chain before the index: a file whose row is closed has its record. */
  private async recordSegment(
    sha256: string | null,
    facts: Omit<SegmentFacts, 'sha256' | 'how'>,
  ): Promise<void> {
    const { integrity, root } = this.doors;
    if (integrity === undefined) return;
    if (sha256 !== null) await integrity.recordSegment({ ...facts, sha256, how: 'written' });
    else {
      const hashed = await hashFile(path.join(root, facts.path));
      await integrity.recordSegment({ ...facts, ...hashed, how: 'recovered' });
    }
  }

  /** Files that the index does not know as closed yet, with what is written of them. */
  liveSegments(): SegmentInfo[] {
    const open = [...this.closing.keys(), ...(this.current === null ? [] : [this.current])];
    return open.flatMap((segment) => {
      const fragments = segment.file.fragments.slice();
      const last = fragments.at(-1);
      if (last === undefined) return [];
      return [
        {
          path: segment.path,
          rowId: segment.rowId,
          startMs: this.wallOf(segment.startTicks, segment.offset),
          endMs: this.wallOf(last.startTicks + BigInt(last.durationTicks), segment.offset),
          known: { init: segment.file.init, fragments },
        },
      ];
    });
  }

  /** What is known of a closed file without reading it; undefined: read it. */
  knownOf(file: string): SegmentInfo['known'] {
    return this.justClosed?.path === file ? this.justClosed.known : undefined;
  }

  /** Absolute paths that recovery must leave alone. */
  openPaths(): string[] {
    return [...this.closing.keys(), ...(this.current === null ? [] : [this.current])].map(({ path }) => path);
  }

  /** The next time something is written to the open file; null when there is none. */
  nextWrite(): Promise<void> | null {
    return this.current?.file.nextWrite() ?? null;
  }

  /** Wall clock of the end of the newest picture; null before the first. */
  get newestMs(): number | null {
    return this.lastEndTicks === null ? null : this.wallOf(this.lastEndTicks);
  }

  /** The newest GOP; null while there is none. */
  pictures(): LivePictures | null {
    const { startTicks } = this.gop;
    if (this.streamInit === null || startTicks === null) return null;
    return { init: this.streamInit, gop: this.gop.fragments(), startMs: this.wallOf(startTicks) };
  }

  get streamInfo(): Pick<StreamInit, 'codec' | 'width' | 'height'> | null {
    return this.streamInit;
  }

  /** The connection has ended: closes its files. */
  async finish(): Promise<void> {
    this.closeCurrent();
    await Promise.all(this.closing.values());
  }
}

/** A relative path not taken yet: `base.mp4`, or `base-2.mp4` … when a clock set back has made that moment twice. */
export async function freeName(root: string, base: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = `${base}${n === 1 ? '' : `-${n}`}.mp4`;
    try {
      await fs.access(path.join(root, name));
    } catch {
      return name;
    }
  }
}
