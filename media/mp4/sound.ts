/** The sound of a part: what was recorded, laid beside the pictures, or silence. */
import { entryBoxes, isAac } from './codec.js';
import type { TrackRun } from './moof.js';
import type { Track } from './movie.js';
import { AAC_FRAME, SILENCE_RATE, silentEntry, silentFrame } from './silence.js';

/** Where bytes come from: a stretch of the fragment under way (offset from its `moof`), or bytes of ours. */
export type SoundBytes = { at: number; size: number } | { bytes: Buffer };

export interface SoundChunk {
  samples: number;
  bytes: SoundBytes[];
}

export interface Sound {
  /** sample entry */
  entry: Buffer;
  timescale: number;
  sizes: number[];
  durations: number[];
  /**
   * The sound that goes with the pictures up to `untilS` seconds of the part's timeline.
   * @param run recorded samples of the fragment under way
   * @param shiftS what to add to the recording's media time to get the part's time, seconds
   */
  upTo(untilS: number, run: TrackRun | undefined, shiftS: number): SoundChunk | null;
}

/** `track`: the recorded AAC track, or null for silence. */
export function soundOf(track: Track | null): Sound {
  return track && isAac(track.codec) ? new RecordedSound(track) : new Silence();
}

class Silence implements Sound {
  readonly entry = silentEntry();
  readonly timescale = SILENCE_RATE;
  readonly sizes: number[] = [];
  readonly durations: number[] = [];
  private readonly frame = silentFrame(1);

  upTo(untilS: number): SoundChunk | null {
    const samples = Math.ceil((untilS * SILENCE_RATE) / AAC_FRAME) - this.sizes.length;
    if (samples <= 0) return null;
    for (let i = 0; i < samples; i++) {
      this.sizes.push(this.frame.length);
      this.durations.push(AAC_FRAME);
    }
    return { samples, bytes: [{ bytes: Buffer.alloc(this.frame.length * samples, this.frame) }] };
  }
}

class RecordedSound implements Sound {
  readonly entry: Buffer;
  readonly timescale: number;
  readonly sizes: number[] = [];
  readonly durations: number[] = [];
  /** end of the track so far, ticks */
  private end = 0;
  /** one silent frame of the track's own kind; null where we can't make one */
  private readonly silent: Buffer | null;
  private readonly frameTicks: number;

  constructor(track: Track) {
    this.entry = Buffer.from(track.entry.whole);
    this.timescale = track.timescale;
    const esds = entryBoxes(track.entry, 'audio').some((inner) => inner.type === 'esds');
    const channels = track.entry.body.readUInt16BE(16);
    const rate = track.entry.body.readUInt16BE(24);
    this.frameTicks = rate > 0 ? Math.round((AAC_FRAME * track.timescale) / rate) : AAC_FRAME;
    const plain = esds && track.codec === 'mp4a.40.2' && (channels === 1 || channels === 2);
    this.silent = plain ? silentFrame(channels) : null;
  }

  upTo(untilS: number, run: TrackRun | undefined, shiftS: number): SoundChunk | null {
    const chunk: SoundChunk = { samples: 0, bytes: [] };
    const until = Math.round(untilS * this.timescale);
    if (run) this.addRecorded(chunk, run, shiftS);
    // sound may lag behind pictures within a fragment; a second of nothing means there is none
    if (until - this.end > this.timescale) this.addSilence(chunk, until - this.timescale / 2);
    return chunk.samples > 0 ? chunk : null;
  }

  private addRecorded(chunk: SoundChunk, run: TrackRun, shiftS: number): void {
    const shift = shiftS * this.timescale;
    let time = Number(run.startTicks) + shift;
    let stretch = 0;
    let taken = 0;
    for (const [i, size] of run.sizes.entries()) {
      const duration = run.durations[i]! || this.frameTicks;
      while (stretch < run.stretches.length && taken >= run.stretches[stretch]!.size) {
        taken -= run.stretches[stretch]!.size;
        stretch++;
      }
      const at = (run.stretches[stretch]?.at ?? 0) + taken;
      taken += size;
      const early = this.end - time;
      time += duration;
      // belongs before the first picture, or to a time already filled
      if (early > duration / 2) continue;
      if (-early > duration) this.addSilence(chunk, time - duration);
      this.add(chunk, { at, size }, size, duration);
    }
  }

  /** Fills up to `until` ticks: with silent frames, or by holding the last sample. */
  private addSilence(chunk: SoundChunk, until: number): void {
    if (this.silent) {
      const frames = Math.floor((until - this.end) / this.frameTicks);
      for (let i = 0; i < frames; i++)
        this.add(chunk, { bytes: this.silent }, this.silent.length, this.frameTicks);
    } else if (this.durations.length > 0) {
      const hold = Math.max(0, Math.round(until - this.end));
      this.durations[this.durations.length - 1]! += hold;
      this.end += hold;
    }
  }

  private add(chunk: SoundChunk, bytes: SoundBytes, size: number, duration: number): void {
    const last = chunk.bytes.at(-1);
    if (last && 'at' in last && 'at' in bytes && last.at + last.size === bytes.at) last.size += size;
    else chunk.bytes.push('at' in bytes ? { ...bytes } : bytes);
    chunk.samples++;
    this.sizes.push(size);
    this.durations.push(duration);
    this.end += duration;
  }
}
