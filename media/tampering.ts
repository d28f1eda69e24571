import type { Log } from '../src/base/log.js';
import { mergeRanges, SEAM_MS } from './coverage.js';
import type { Holds } from './holds/holds.js';
import type { RecorderIndex } from './index/index.js';
import type { Integrity } from './integrity/integrity.js';
import { GapBook } from './recording/gap-book.js';
import { type NamedSegment, readSegmentName } from './recording/names.js';
import type { Hold, Loss, Range, RecorderEventKind } from './types.js';

/** A recording as it was: its path relative to the recordings, its dates as they were recorded. */
export interface KnownRecording extends Range {
  path: string;
}

export interface TamperingOptions {
  index: RecorderIndex;
  /** absent: what is found is noted in the index alone */
  integrity?: Integrity | undefined;
  log: Log;
  holds: Pick<Holds, 'agree' | 'fault' | 'heldIn' | 'list'>;
  tell: (kind: RecorderEventKind, cameraId: string | null, data: Record<string, unknown>) => void;
  /** resolves when all that was told is written down */
  settled: () => Promise<void>;
}

type HeldLost = Pick<Hold, 'startMs' | 'endMs' | 'by' | 'why'> & { cameraId: string };

/** What is to be told, in files. */
interface Untold {
  removed: number;
  added: number;
  changed: number;
  /** of those removed and changed: how many were held */
  held: number;
  cameras: string[];
  /** some of the holds that lost something, by their id */
  holds: Record<string, HeldLost>;
}

const NOTHING: Untold = { removed: 0, added: 0, changed: 0, held: 0, cameras: [], holds: {} };
/** Kept until it is told: a death in between makes nobody silent. */
const UNTOLD = 'untold-changes';
const MOST_HOLDS = 10;
/** Dates of a rebuilt index differ by some milliseconds from those it had before. */
const DATED_MS = 1000;

/**
 * What others (or a failing disk) did to the recordings. Whoever finds it, says it here: the lost stretch gets its cause,
 * in the chain of the present day and in the index, and the officers are told once a round, with what was held of it.
 */
export class Tampering {
  private untold: Untold = structuredClone(NOTHING);
  private readonly gaps: GapBook;

  constructor(private readonly options: TamperingOptions) {
    this.gaps = new GapBook(options);
  }

  /** Takes up what was found before the last end and not told. */
  async load(): Promise<void> {
    const { index, log } = this.options;
    try {
      const text = await index.settings.read(UNTOLD);
      if (text) this.untold = { ...structuredClone(NOTHING), ...(JSON.parse(text) as Untold) };
    } catch (error) {
      log.error({ err: error }, 'what was found in the recordings and not told yet can not be read');
    }
  }

  /** Which of these recordings whose files are gone we deleted ourselves. `deleted`: paths that the chain says we did. */
  async notByUs<T extends KnownRecording>(files: readonly T[], deleted: ReadonlySet<string>): Promise<T[]> {
    const others: T[] = [];
    for (const file of files) {
      const named = readSegmentName(file.path);
      if (named === null || deleted.has(file.path)) continue;
      const { startMs, endMs } = file;
      const deletions = await this.options.index.deletions.within(named.cameraId, named.stream, {
        ...{ startMs, endMs: Math.max(endMs, startMs + 1) },
      });
      if (!deletions.some((one) => one.startMs === startMs && one.endMs === endMs)) others.push(file);
    }
    return others;
  }

  /** Files of one stream are gone, and not by us. `unlessKnown`: what has its gap already is not told again. */
  async removed(files: readonly KnownRecording[], unlessKnown = false): Promise<void> {
    const lost = files.map((file) => ({ file, ranges: [{ startMs: file.startMs, endMs: file.endMs }] }));
    const news = await this.note(lost, 'removed-by-others', unlessKnown);
    await this.count('removed', news);
  }

  /** A file is another than was recorded; `found`: what can be read of it, null: nothing. */
  async changed(file: KnownRecording, found: Range | null, unlessKnown = false): Promise<void> {
    const { startMs, endMs } = file;
    const left = found === null ? [{ startMs, endMs }] : [];
    if (found !== null) left.push({ startMs, endMs: found.startMs }, { startMs: found.endMs, endMs });
    const ranges = left.filter((range) => range.endMs - range.startMs > SEAM_MS);
    const news = await this.note([{ file, ranges }], 'damaged', unlessKnown);
    await this.count('changed', news);
  }

  /** A file that nobody recorded. */
  added(path: string): Promise<void> {
    return this.count('added', [{ path, startMs: 0, endMs: 0 }]);
  }

  /** Gives the lost stretches their cause; those whose loss was not known. All of one stream. */
  private async note(
    lost: readonly { file: KnownRecording; ranges: Range[] }[],
    cause: Loss,
    unlessKnown: boolean,
  ): Promise<KnownRecording[]> {
    const named = lost.length === 0 ? null : readSegmentName(lost[0]!.file.path);
    if (named === null) return [];
    const { cameraId, stream } = named;
    const all = lost.flatMap(({ ranges }) => ranges);
    const hull = {
      startMs: all.reduce((least, one) => Math.min(least, one.startMs), Number.POSITIVE_INFINITY),
      endMs: all.reduce((most, one) => Math.max(most, one.endMs), 0),
    };
    const known =
      all.length === 0
        ? []
        : (await this.options.index.gaps.within(cameraId, stream, hull)).filter((gap) => gap.cause === cause);
    const isKnown = ({ startMs, endMs }: Range) =>
      known.some((gap) => gap.startMs <= startMs + DATED_MS && (gap.endMs ?? 0) >= endMs - DATED_MS);
    for (const range of mergeRanges(all.filter((one) => !isKnown(one))))
      await this.gaps.past(range, { cameraId, stream, cause });
    return lost
      .filter(({ ranges }) => !(unlessKnown && ranges.length > 0 && ranges.every(isKnown)))
      .map(({ file }) => file);
  }

  private async count(
    what: 'removed' | 'added' | 'changed',
    files: readonly KnownRecording[],
  ): Promise<void> {
    if (files.length === 0) return;
    const { holds, index } = this.options;
    if (holds.fault !== null) await holds.agree();
    const { untold } = this;
    for (const file of files) {
      const named = readSegmentName(file.path);
      if (named === null) continue;
      untold[what]++;
      if (!untold.cameras.includes(named.cameraId)) untold.cameras.push(named.cameraId);
      if (what !== 'added' && this.isHeld(named, file)) untold.held++;
    }
    await index.settings.write(UNTOLD, JSON.stringify(untold));
  }

  private isHeld({ cameraId, stream }: NamedSegment, file: Range): boolean {
    const held = this.options.holds.heldIn(cameraId, stream, file);
    for (const { id } of held) {
      const hold = this.options.holds.list().find((one) => one.id === id);
      if (hold === undefined || Object.keys(this.untold.holds).length >= MOST_HOLDS) continue;
      const { startMs, endMs, by, why } = hold;
      this.untold.holds[id] = { cameraId, startMs, endMs, by, why };
    }
    return held.length > 0;
  }

  /** Tells what was found since the last time; nothing when that is nothing. */
  async tell(): Promise<void> {
    const { index, log, tell, settled } = this.options;
    const { cameras, holds, ...counts } = this.untold;
    if (cameras.length === 0) return;
    this.untold = structuredClone(NOTHING);
    const nameOf = async (id: string) => (await index.cameras.find(id).catch(() => null))?.name ?? id;
    const names = [];
    for (const id of cameras) names.push(await nameOf(id));
    const lost = [];
    for (const { cameraId, ...hold } of Object.values(holds))
      lost.push({ camera: await nameOf(cameraId), ...hold });
    log.warn({ ...counts, cameras }, 'recordings were changed by somebody else');
    tell('footage-changed', null, { ...counts, cameras: names, holds: lost });
    await settled();
    if (this.untold.cameras.length === 0) await index.settings.write(UNTOLD, '');
  }
}
