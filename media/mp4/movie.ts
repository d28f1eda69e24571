/** What a `moov` says: tracks, their codecs, and the defaults their fragments rest on. */
import type { StreamInit } from '../fragment.js';
import { type Box, boxesIn, find, parsing } from './box.js';
import { codecOf } from './codec.js';
import { Mp4Error } from './error.js';

export interface Track {
  id: number;
  kind: 'video' | 'audio' | 'other';
  timescale: number;
  /** the sample entry (avc1, hev1, mp4a …) as it stands in `stsd` */
  entry: Box;
  /** RFC 6381 */
  codec: string;
  width: number;
  height: number;
  defaults: SampleDefaults;
}

/** From `trex`. */
export interface SampleDefaults {
  duration: number;
  size: number;
  flags: number;
}

export interface Movie {
  tracks: Track[];
  video: Track;
  audio: Track | null;
}

/** Parses `ftyp` + `moov`. Throws Mp4Error('not-video') when no track has pictures. */
export function readMovie(bytes: Buffer): Movie {
  return parsing('moov', () => {
    const moov = find(bytes, 'moov');
    if (!moov) throw new Mp4Error('bad-box', 'no moov');
    const defaults = new Map<number, SampleDefaults>();
    for (const trex of boxesIn(find(moov.body, 'mvex')?.body ?? Buffer.alloc(0))) {
      if (trex.type !== 'trex') continue;
      defaults.set(trex.body.readUInt32BE(4), {
        duration: trex.body.readUInt32BE(12),
        size: trex.body.readUInt32BE(16),
        flags: trex.body.readUInt32BE(20),
      });
    }
    const tracks = boxesIn(moov.body)
      .filter((box) => box.type === 'trak')
      .map((trak) => readTrack(trak.body, defaults))
      .filter((track) => track !== null);
    const video = tracks.find((track) => track.kind === 'video');
    if (!video) throw new Mp4Error('not-video', 'no video track');
    return { tracks, video, audio: tracks.find((track) => track.kind === 'audio') ?? null };
  });
}

function readTrack(trak: Buffer, defaults: Map<number, SampleDefaults>): Track | null {
  const tkhd = find(trak, 'tkhd');
  const mdhd = find(trak, 'mdia', 'mdhd');
  const hdlr = find(trak, 'mdia', 'hdlr');
  const stsd = find(trak, 'mdia', 'minf', 'stbl', 'stsd');
  if (!tkhd || !mdhd || !hdlr || !stsd) throw new Mp4Error('bad-box', 'a trak without its boxes');
  const entry = boxesIn(stsd.body.subarray(8))[0];
  if (!entry) return null;
  const id = tkhd.body.readUInt32BE(tkhd.body[0] === 1 ? 20 : 12);
  const timescale = mdhd.body.readUInt32BE(mdhd.body[0] === 1 ? 20 : 12);
  if (timescale === 0) throw new Mp4Error('bad-box', 'a track without timescale');
  const handler = hdlr.body.toString('latin1', 8, 12);
  const kind = handler === 'vide' ? 'video' : handler === 'soun' ? 'audio' : 'other';
  return {
    id,
    kind,
    timescale,
    entry,
    codec: codecOf(entry, kind),
    width: kind === 'video' ? entry.body.readUInt16BE(24) : 0,
    height: kind === 'video' ? entry.body.readUInt16BE(26) : 0,
    defaults: defaults.get(id) ?? { duration: 0, size: 0, flags: 0 },
  };
}

const movies = new WeakMap<StreamInit, Movie>();

/** The parsed `moov` of an init; parsed once. */
export function movieOf(init: StreamInit): Movie {
  let movie = movies.get(init);
  if (!movie) {
    movie = readMovie(init.bytes);
    movies.set(init, movie);
  }
  return movie;
}

/** `bytes`: `ftyp` + `moov`. */
export function readInit(bytes: Buffer): StreamInit {
  const movie = readMovie(bytes);
  const { video, audio } = movie;
  const init: StreamInit = {
    bytes,
    codec: video.codec,
    width: video.width,
    height: video.height,
    timescale: video.timescale,
    videoTrackId: video.id,
    audio: audio && { trackId: audio.id, timescale: audio.timescale, codec: audio.codec },
  };
  movies.set(init, movie);
  return init;
}
