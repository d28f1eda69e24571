/**
 * The seam between where fragments come from (an ffmpeg child today, a native RTSP client some day) and what is
 * done with them (dating, cutting, writing, remembering the newest GOP).
 */
import type { Cause } from './types.js';

/** What is needed before any fragment can be decoded: `ftyp` + `moov`. */
export interface StreamInit {
  bytes: Buffer;
  /** RFC 6381: "avc1.64001f", "hvc1.1.6.L93.B0" */
  codec: string;
  width: number;
  height: number;
  /** ticks a second of the video track */
  timescale: number;
  videoTrackId: number;
  audio: { trackId: number; timescale: number; codec: string } | null;
}

/** One `moof` + `mdat`, ≤ 0.5 s of pictures. */
export interface Fragment {
  /** the source's own memory, used again: good until `FragmentSink.fragment` returns, who needs it longer copies it */
  bytes: Buffer;
  /** does its first video sample stand alone? (from `trun` or `tfhd` flags) */
  key: boolean;
  /** decode time of the first video sample, ticks */
  startTicks: bigint;
  durationTicks: number;
  samples: number;
  /** when its last byte arrived, epoch ms */
  arrivedMs: number;
}

export interface FragmentSink {
  init(init: StreamInit): void;
  fragment(fragment: Fragment): void;
}

/** Why a source ended. `detail` is English for engineers, already without user and password. */
export interface SourceEnd {
  cause: Cause;
  detail: string;
}

/** One connection to one stream. Runs until the stream ends or the signal aborts; never throws for the world's faults. */
export interface FragmentSource {
  run(sink: FragmentSink, signal: AbortSignal): Promise<SourceEnd>;
}
