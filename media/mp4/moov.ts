/** Writes the head of a progressive MP4: `ftyp` and `moov` in front of the pictures, no edit list. */
import { box, fullBox, u16, u32 } from './box.js';

export interface TrackTables {
  kind: 'video' | 'audio';
  /** sample entry */
  entry: Buffer;
  timescale: number;
  width: number;
  height: number;
  sizes: number[];
  durations: number[];
  /** null: every sample is shown when it is decoded */
  offsets: number[] | null;
  /** 1-based numbers of samples that stand alone; null: all do */
  keys: number[] | null;
  /** in order; offset from the first byte of the media data */
  chunks: { at: number; samples: number }[];
}

const MOVIE_TIMESCALE = 1000;
/** Seconds from 1904 to 1970. */
const MP4_EPOCH_S = 2_082_844_800;
const UNITY = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
const LARGEST_U32 = 0xffff_ffff;

/** `ftyp`, `moov` and the header of the `mdat` that follows with `mediaBytes` of media. */
export function fileHead(tracks: TrackTables[], mediaBytes: number, startMs: number): Buffer {
  const brands = tracks.some((track) => track.entry.toString('latin1', 4, 7) === 'avc') ? 'avc1' : 'iso4';
  const ftyp = box(
    'ftyp',
    Buffer.from('isom', 'latin1'),
    u32(512),
    Buffer.from(`isomiso2${brands}mp41`, 'latin1'),
  );
  const large = mediaBytes + 8 > LARGEST_U32;
  const mdat = large
    ? Buffer.concat([u32(1), Buffer.from('mdat'), u64(mediaBytes + 16)])
    : Buffer.concat([u32(mediaBytes + 8), Buffer.from('mdat')]);
  // the size of the moov does not depend on the offsets in it, only on their width
  const wide = mediaBytes > LARGEST_U32 - 256 * 1024 * 1024;
  const size = moov(tracks, 0, wide, startMs).length;
  return Buffer.concat([ftyp, moov(tracks, ftyp.length + size + mdat.length, wide, startMs), mdat]);
}

function moov(tracks: TrackTables[], mediaAt: number, wide: boolean, startMs: number): Buffer {
  const created = Math.floor(startMs / 1000) + MP4_EPOCH_S;
  const length = Math.max(...tracks.map((track) => movieTime(track)));
  const mvhd = fullBox(
    'mvhd',
    0,
    0,
    u32(created, created, MOVIE_TIMESCALE, length, 0x10000),
    u16(0x100, 0),
    Buffer.alloc(8),
    UNITY,
    Buffer.alloc(24),
    u32(tracks.length + 1),
  );
  return box('moov', mvhd, ...tracks.map((track, i) => trak(track, i + 1, mediaAt, wide, created)));
}

const total = (track: TrackTables) => track.durations.reduce((sum, duration) => sum + duration, 0);
const movieTime = (track: TrackTables) => Math.round((total(track) * MOVIE_TIMESCALE) / track.timescale);

function trak(track: TrackTables, id: number, mediaAt: number, wide: boolean, created: number): Buffer {
  const video = track.kind === 'video';
  const tkhd = fullBox(
    'tkhd',
    0,
    3, // enabled, in the movie
    u32(created, created, id, 0, movieTime(track), 0, 0),
    u16(0, video ? 0 : 1, video ? 0 : 0x100, 0),
    UNITY,
    u32(track.width * 65_536, track.height * 65_536),
  );
  const duration = total(track);
  const mdhd =
    duration > LARGEST_U32
      ? fullBox('mdhd', 1, 0, u64(created), u64(created), u32(track.timescale), u64(duration), u16(0x55c4, 0))
      : fullBox('mdhd', 0, 0, u32(created, created, track.timescale, duration), u16(0x55c4, 0));
  const handler = video ? 'vide\0\0\0\0\0\0\0\0\0\0\0\0Video\0' : 'soun\0\0\0\0\0\0\0\0\0\0\0\0Sound\0';
  const hdlr = fullBox('hdlr', 0, 0, u32(0), Buffer.from(handler, 'latin1'));
  const media = video ? fullBox('vmhd', 0, 1, Buffer.alloc(8)) : fullBox('smhd', 0, 0, Buffer.alloc(4));
  const dinf = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  return box('trak', tkhd, box('mdia', mdhd, hdlr, box('minf', media, dinf, stbl(track, mediaAt, wide))));
}

function stbl(track: TrackTables, mediaAt: number, wide: boolean): Buffer {
  const offsets = track.chunks.map((chunk) => chunk.at + mediaAt);
  return box(
    'stbl',
    fullBox('stsd', 0, 0, u32(1), track.entry),
    table('stts', 0, runLengths(track.durations)),
    ...(track.offsets
      ? [table('ctts', track.offsets.some((offset) => offset < 0) ? 1 : 0, runLengths(track.offsets))]
      : []),
    ...(track.keys ? [fullBox('stss', 0, 0, u32(track.keys.length), numbers(track.keys))] : []),
    table('stsc', 0, chunkRuns(track.chunks)),
    sampleSizes(track.sizes),
    wide
      ? fullBox('co64', 0, 0, u32(offsets.length), Buffer.concat(offsets.map(u64)))
      : fullBox('stco', 0, 0, u32(offsets.length), numbers(offsets)),
  );
}

function sampleSizes(sizes: number[]): Buffer {
  const first = sizes[0] ?? 0;
  if (sizes.length > 0 && first > 0 && sizes.every((size) => size === first))
    return fullBox('stsz', 0, 0, u32(first, sizes.length));
  return fullBox('stsz', 0, 0, u32(0, sizes.length), numbers(sizes));
}

/** [how many, value] */
function runLengths(values: number[]): number[][] {
  const runs: number[][] = [];
  for (const value of values) {
    const last = runs.at(-1);
    if (last?.[1] === value) last[0]!++;
    else runs.push([1, value]);
  }
  return runs;
}

/** [first chunk of its kind, samples in each, description 1] */
function chunkRuns(chunks: TrackTables['chunks']): number[][] {
  const runs: number[][] = [];
  for (const [i, { samples }] of chunks.entries())
    if (runs.at(-1)?.[1] !== samples) runs.push([i + 1, samples, 1]);
  return runs;
}

/** A table box: count, then rows of 32-bit numbers. */
function table(type: string, version: number, rows: number[][]): Buffer {
  return fullBox(type, version, 0, u32(rows.length), numbers(rows.flat()));
}

/** 32-bit numbers of a long list (too long for arguments); negative ones as two's complement. */
function numbers(values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
