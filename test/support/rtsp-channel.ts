/** One film on a real-time clock, sent to everybody who watches it, with faults on demand. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { ElementaryStream } from './annexb.js';
import type { PreparedStream, StreamSettings } from './frame-clock.js';
import { packetize, type RtpTrack, TONE } from './rtp.js';
import type { Login } from './rtsp-auth.js';

/**
 * none: behaves. stall: connected, answers, but sends no media. no-keyframe: sends everything but keyframes.
 * garbage: random bytes where media should be. refuse: 401 whatever the password. not-found: 404. forbidden: 403.
 * busy: 503, as when a camera's places are taken. mute: takes the connection, never answers. slow: answers after
 * `delayMs`. audio-only: sound, no picture. html: a web page instead of RTSP. hang-up: closes at the first request.
 */
export type Fault =
  | 'none'
  | 'stall'
  | 'no-keyframe'
  | 'garbage'
  | 'refuse'
  | 'not-found'
  | 'forbidden'
  | 'busy'
  | 'mute'
  | { delayMs: number }
  | 'audio-only'
  | 'html'
  | 'hang-up';

export interface RtspStreamOptions {
  /** what it shows; settings are prepared (made or found in the temp folder) */
  source: StreamSettings | PreparedStream;
  /** else the server's */
  login?: Login | null;
  /** a G.711 track as well */
  audio?: boolean;
  fault?: Fault;
  /** the camera sets its clock once: RTP times jump by this at that frame */
  jump?: { atFrame: number; bySeconds: number };
  /** how far the camera's own clock (RTCP) is ahead of the truth, ms */
  clockErrorMs?: number;
}

export interface Viewer {
  socket: Socket;
  path: string | null;
  session: string;
  nonce: string;
  video: RtpTrack | null;
  audio: RtpTrack | null;
  playing: boolean;
}

/** One film on its clock, from the server's start on. */
export class Channel {
  readonly sent = new Map<number, number>();
  readonly viewers = new Set<Viewer>();
  fault: Fault;
  login: Login | null;
  private next = 0;
  private nextSound = 0;
  private nextReport = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    readonly prepared: PreparedStream,
    readonly film: ElementaryStream,
    readonly options: RtspStreamOptions,
    login: Login | null,
    readonly frame0Ms: number,
  ) {
    this.fault = options.fault ?? 'none';
    this.login = login;
    this.wait();
  }

  /** Seconds of media at a moment. */
  mediaSeconds(ms: number): number {
    return (ms - this.frame0Ms) / 1000;
  }

  get frameDue(): number {
    return this.next;
  }

  private dueMs(frame: number): number {
    return this.frame0Ms + (frame * 1000) / this.prepared.fps;
  }

  private wait(): void {
    this.timer = setTimeout(() => this.tick(), Math.max(0, this.dueMs(this.next) - Date.now()));
  }

  private tick(): void {
    const now = Date.now();
    while (this.dueMs(this.next) <= now) this.sendFrame(this.next++);
    for (; this.nextSound * 0.04 <= this.mediaSeconds(now); this.nextSound++)
      this.sendSound(this.nextSound * 0.04);
    if (now >= this.nextReport) {
      this.nextReport = now + 2000;
      this.report();
    }
    this.wait();
  }

  private *receivers(): Iterable<Viewer> {
    if (this.fault === 'stall') return;
    for (const viewer of this.viewers) if (viewer.playing && !viewer.socket.destroyed) yield viewer;
  }

  private sendFrame(frame: number): void {
    const unit = this.film.units[frame % this.film.units.length]!;
    if (this.fault === 'no-keyframe' && unit.key) return;
    for (const viewer of this.receivers()) {
      if (this.fault === 'garbage') {
        viewer.socket.write(randomBytes(1500));
        continue;
      }
      const track = viewer.video;
      if (!track) continue;
      const payloads = unit.nals.flatMap((nal) => packetize(this.prepared.codec, nal));
      const { jump } = this.options;
      const ahead = jump !== undefined && frame >= jump.atFrame ? jump.bySeconds : 0;
      const time = frame / this.prepared.fps + ahead;
      const packets = payloads.map((payload, i) => track.packet(payload, time, i === payloads.length - 1));
      viewer.socket.write(Buffer.concat(packets));
      this.sent.set(frame, Date.now());
    }
  }

  private sendSound(seconds: number): void {
    for (const viewer of this.receivers())
      if (viewer.audio && this.fault !== 'garbage')
        viewer.socket.write(viewer.audio.packet(TONE, seconds, false));
  }

  private report(): void {
    const now = Date.now();
    const cameraMs = now + (this.options.clockErrorMs ?? 0);
    for (const viewer of this.receivers()) {
      if (this.fault === 'garbage') continue;
      for (const track of [viewer.video, viewer.audio])
        if (track) viewer.socket.write(track.senderReport(this.mediaSeconds(now), cameraMs));
    }
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}
