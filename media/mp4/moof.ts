/** What a `moof` says about the samples behind it. */
import { boxesIn, parsing } from './box.js';
import { Mp4Error } from './error.js';
import type { Movie, SampleDefaults } from './movie.js';

const NOT_SYNC = 0x10000;
/** A fragment of half a second has a few hundred samples at most; more is a lie that would eat the memory. */
const MOST_SAMPLES = 100_000;

export interface TrackRun {
  trackId: number;
  /** of the first sample, ticks of the track */
  startTicks: bigint;
  durations: number[];
  sizes: number[];
  /** composition offsets, ticks; null when all are 0 */
  offsets: number[] | null;
  keys: boolean[];
  /** consecutive sample bytes, in order: offset from the first byte of the `moof`, bytes */
  stretches: { at: number; size: number }[];
  durationTicks: number;
  bytes: number;
  /** where in the `moof` the last sample's duration stands; null when it has none of its own */
  lastDurationAt: number | null;
}

/** Samples by track, of every track that has some. `moof` is the whole box. Throws Mp4Error. */
export function readMoof(moof: Buffer, movie: Movie): TrackRun[] {
  return parsing('moof', () => {
    const runs = new Map<number, TrackRun>();
    let previousEnd = 0;
    const outer = boxesIn(moof)[0];
    if (outer?.type !== 'moof') throw new Mp4Error('bad-box', 'no moof');
    for (const traf of boxesIn(outer.body)) {
      if (traf.type !== 'traf') continue;
      const inner = boxesIn(traf.body);
      const tfhd = inner.find((box) => box.type === 'tfhd');
      if (!tfhd) throw new Mp4Error('bad-box', 'traf without tfhd');
      const header = readTfhd(tfhd.body, movie);
      const base = header.baseIsMoof || runs.size === 0 ? 0 : previousEnd;
      const tfdt = inner.find((box) => box.type === 'tfdt')?.body;
      let run = runs.get(header.trackId);
      if (!run) {
        run = {
          trackId: header.trackId,
          startTicks: tfdt ? (tfdt[0] === 1 ? tfdt.readBigUInt64BE(4) : BigInt(tfdt.readUInt32BE(4))) : 0n,
          durations: [],
          sizes: [],
          offsets: null,
          keys: [],
          stretches: [],
          durationTicks: 0,
          bytes: 0,
          lastDurationAt: null,
        };
        runs.set(header.trackId, run);
      }
      let at = base;
      for (const trun of inner) {
        if (trun.type !== 'trun') continue;
        const trunAt = trun.body.byteOffset - moof.byteOffset;
        at = readTrun(trun.body, header.defaults, run, base, at, moof.length, trunAt);
        previousEnd = at;
      }
    }
    return [...runs.values()].filter((run) => run.sizes.length > 0);
  });
}

function readTfhd(tfhd: Buffer, movie: Movie) {
  const flags = tfhd.readUIntBE(1, 3);
  const trackId = tfhd.readUInt32BE(4);
  const track = movie.tracks.find((one) => one.id === trackId);
  if (!track) throw new Mp4Error('bad-box', `fragment of an unknown track ${trackId}`);
  if (flags & 0x1) throw new Mp4Error('unsupported', 'fragments with absolute offsets');
  let at = 8;
  if (flags & 0x2) at += 4;
  const next = () => {
    at += 4;
    return tfhd.readUInt32BE(at - 4);
  };
  const defaults: SampleDefaults = { ...track.defaults };
  if (flags & 0x8) defaults.duration = next();
  if (flags & 0x10) defaults.size = next();
  if (flags & 0x20) defaults.flags = next();
  return { trackId, defaults, baseIsMoof: (flags & 0x20000) !== 0 };
}

/** Adds a `trun`'s samples to `run`; gives the offset behind its last byte. */
function readTrun(
  trun: Buffer,
  defaults: SampleDefaults,
  run: TrackRun,
  base: number,
  follows: number,
  moofSize: number,
  /** of the `trun`'s body in the `moof` */
  trunAt: number,
): number {
  const version = trun[0]!;
  const flags = trun.readUIntBE(1, 3);
  const count = trun.readUInt32BE(4);
  if (run.sizes.length + count > MOST_SAMPLES) throw new Mp4Error('bad-box', `trun claims ${count} samples`);
  let at = 8;
  let start = follows;
  if (flags & 0x1) {
    start = base + trun.readInt32BE(at);
    at += 4;
  }
  if (start < moofSize && count > 0) throw new Mp4Error('bad-box', 'samples inside the moof');
  let firstFlags: number | null = null;
  if (flags & 0x4) {
    firstFlags = trun.readUInt32BE(at);
    at += 4;
  }
  let total = 0;
  for (let i = 0; i < count; i++) {
    let { duration, size, flags: sampleFlags } = defaults;
    run.lastDurationAt = flags & 0x100 ? trunAt + at : null;
    if (flags & 0x100) {
      duration = trun.readUInt32BE(at);
      at += 4;
    }
    if (flags & 0x200) {
      size = trun.readUInt32BE(at);
      at += 4;
    }
    if (flags & 0x400) {
      sampleFlags = trun.readUInt32BE(at);
      at += 4;
    }
    if (i === 0 && firstFlags !== null) sampleFlags = firstFlags;
    let offset = 0;
    if (flags & 0x800) {
      offset = version === 0 ? trun.readUInt32BE(at) : trun.readInt32BE(at);
      at += 4;
    }
    if (offset !== 0 && !run.offsets) run.offsets = run.sizes.map(() => 0);
    run.offsets?.push(offset);
    run.durations.push(duration);
    run.sizes.push(size);
    run.keys.push((sampleFlags & NOT_SYNC) === 0);
    run.durationTicks += duration;
    total += size;
  }
  if (count > 0) {
    const last = run.stretches.at(-1);
    if (last && last.at + last.size === start) last.size += total;
    else run.stretches.push({ at: start, size: total });
  }
  run.bytes += total;
  return start + total;
}
