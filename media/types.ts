/** What the recorder's HTTP API speaks. Times are epoch milliseconds (UTC), ends exclusive. */

export type StreamName = 'main' | 'sub';

/** Why a camera is not being recorded. */
export type Cause =
  | 'unreachable'
  | 'refused'
  | 'not-found'
  | 'not-video'
  | 'silent'
  | 'broken'
  | 'switched-off'
  | 'recorder-down'
  | 'disk';

export interface CameraSettings {
  id: string;
  name: string;
  /** `rtsp://user:password@host:554/path`, `rtsps://…`, `test:street`; never given back whole */
  url: string;
  subUrl?: string | null;
  transport?: 'tcp' | 'udp';
  audio?: boolean;
  enabled?: boolean;
  retentionDays?: number | null;
}

export type CameraState = 'starting' | 'recording' | 'down' | 'off';

export interface CameraInfo {
  id: string;
  name: string;
  /** address without user and password */
  address: string;
  subAddress: string | null;
  transport: 'tcp' | 'udp';
  audio: boolean;
  enabled: boolean;
  retentionDays: number | null;
  state: CameraState;
  /** since when it is in this state */
  sinceMs: number;
  /** why it is down */
  cause: Cause | null;
  /** "avc1.64001f", "hvc1.…" of the main stream; null before the first picture */
  codec: string | null;
  width: number | null;
  height: number | null;
  /** wall clock of the newest frame received */
  newestFrameMs: number | null;
}

export interface Range {
  startMs: number;
  endMs: number;
}

export interface Coverage {
  cameraId: string;
  stream: StreamName;
  asked: Range;
  /** what is there, merged, ascending, clipped to the range asked */
  recorded: Range[];
  /** what is missing within the range, up to now */
  gaps: (Range & { cause: Cause | 'deleted' | 'unknown' })[];
}

export interface Snapshot {
  jpeg: Uint8Array;
  /** wall clock of the pictured frame */
  frameMs: number;
  width: number;
  height: number;
}

/**
 * chat: plays inline in a messenger: H.264 copied, H.265 made into H.264, silent AAC track where there is no sound.
 * original: the recorded stream, copied whatever it is.
 */
export type ClipFormat = 'chat' | 'original';

export interface ClipRequest {
  cameraId: string;
  startMs: number;
  endMs: number;
  stream?: StreamName;
  format?: ClipFormat;
  /** largest file wanted; a larger clip comes in parts cut at keyframes, each playing alone */
  maxBytes?: number;
}

export interface ClipPart {
  /** 0-based */
  index: number;
  /** true wall clock of its first frame; at most one GOP before what was asked */
  startMs: number;
  endMs: number;
  durationMs: number;
  sizeBytes: number;
  width: number;
  height: number;
  codec: string;
}

export interface ClipJob {
  id: string;
  request: ClipRequest;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  /** 0–1 */
  progress: number;
  /** what is delivered, once done */
  parts: ClipPart[];
  /** missing stretches between start and end of what was asked */
  gaps: (Range & { cause: Cause | 'deleted' | 'unknown' })[];
  /** why it failed: no-footage, unknown-camera, invalid, disk-full, failed */
  error: { kind: string; message: string } | null;
}

export type RecorderEventKind =
  | 'camera-recording'
  | 'camera-down'
  | 'camera-off'
  | 'camera-changed'
  | 'segment-closed'
  | 'disk-low'
  | 'disk-ok'
  | 'footage-deleted'
  | 'recorder-started';

export interface RecorderEvent {
  /** ascending; ask for events after the last one you have seen */
  id: number;
  atMs: number;
  kind: RecorderEventKind;
  cameraId: string | null;
  /** camera-down: {cause, sinceMs, detail}; camera-recording: {sinceMs, downMs}; segment-closed: {path,startMs,endMs,sizeBytes}; disk-low: {freeBytes,totalBytes} */
  data: Record<string, unknown>;
}

export interface Health {
  ok: boolean;
  version: string;
  startedMs: number;
  ffmpeg: { version: string; major: number; kind: string } | null;
  cameras: { total: number; recording: number; down: number; off: number };
  disk: { freeBytes: number; totalBytes: number; low: boolean };
}

/** The ends of all chains of a day (README, "Integrity"). */
export interface DayHeads {
  /** `2026-11-21`, Vietnamese date */
  day: string;
  /** the day is over and its heads are written down: they stay as they are */
  closed: boolean;
  /** segments recorded that day */
  segments: number;
  /** one text for the whole day, 64 hex digits; `verify-recordings --head` takes it */
  digest: string;
  chains: {
    cameraId: string;
    stream: StreamName;
    /** records in the chain */
    n: number;
    /** SHA-256 of its last line, hex */
    head: string;
    segments: number;
  }[];
}

/** Result of trying an address before adding it. */
export type ProbeResult =
  | { ok: true; codec: string; width: number; height: number }
  | {
      ok: false;
      cause: 'bad-address' | 'unreachable' | 'refused' | 'not-found' | 'not-video' | 'silent';
      detail: string;
    };

/** The bot's only door to the recorder. Every call throws WorldError('unreachable') when the service is away. */
export interface RecorderClient {
  health(): Promise<Health>;
  cameras(): Promise<CameraInfo[]>;
  camera(id: string): Promise<CameraInfo>;
  addCamera(settings: CameraSettings): Promise<CameraInfo>;
  changeCamera(id: string, change: Partial<Omit<CameraSettings, 'id'>>): Promise<CameraInfo>;
  removeCamera(id: string): Promise<void>;
  probe(address: { url: string; transport?: 'tcp' | 'udp' }): Promise<ProbeResult>;
  /** Newest frame. WorldError: not-found (no such camera), no-footage (camera down: no fresh frame), timeout. */
  snapshot(
    id: string,
    options?: { stream?: StreamName; width?: number; signal?: AbortSignal },
  ): Promise<Snapshot>;
  coverage(id: string, range: Range, stream?: StreamName): Promise<Coverage>;
  /** The ends of the chains of a Vietnamese date, `2026-11-21`. WorldError: invalid. */
  chainHeads(day: string): Promise<DayHeads>;
  /**
   * Makes a clip and waits for it. `onProgress` is called with the job as it changes; aborting cancels the job.
   * WorldError: no-footage, not-found, invalid, disk-full, cancelled.
   */
  clip(
    request: ClipRequest,
    options?: { onProgress?: (job: ClipJob) => void; signal?: AbortSignal },
  ): Promise<ClipJob>;
  /** Puts one part of a finished clip at `path`, a new file: linked there where the recorder shares the disk, else downloaded. */
  savePart(jobId: string, index: number, path: string): Promise<{ sizeBytes: number }>;
  /** Yields events after `afterId`, live, reconnecting by itself until the signal aborts. */
  events(afterId: number, signal: AbortSignal): AsyncIterable<RecorderEvent>;
}
