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
  | 'disk'
  /** connected anew because a person changed how this camera is recorded */
  | 'settings';

/**
 * What became of something that was recorded; removed-by-others: its file is gone and it was not us; damaged: its file is
 * there and can't be read there.
 */
export type Loss = 'removed-by-others' | 'damaged';

/** Why something is missing; clock-set: that time never was, the machine's clock was set forward over it. */
export type GapCause = Cause | Loss | 'deleted' | 'clock-set' | 'unknown';

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
  /** what is known of the device: with it a camera that came back under another address is found again */
  identity?: CameraIdentity | null;
}

/** What tells a device from every other. */
export interface CameraIdentity {
  serial: string | null;
  /** "aa:bb:cc:dd:ee:ff" */
  mac: string | null;
  make: string | null;
  model: string | null;
  /** the ONVIF device's own UUID, lower case, which it tells without a password */
  endpoint: string | null;
  /** port of its ONVIF service; null: none is known */
  onvifPort: number | null;
}

/** A device on the own nets. */
export interface FoundDevice {
  /** IPv4 address */
  host: string;
  /** of its ONVIF service, or of RTSP where it has none */
  port: number;
  onvif: boolean;
  /** as it calls itself */
  name: string | null;
  make: string | null;
  model: string | null;
  mac: string | null;
  endpoint: string | null;
  /** cameras of ours that are recorded from this address */
  cameraIds: string[];
}

export interface OnvifLogin {
  host: string;
  /** default 80 */
  port?: number;
  user: string;
  password: string;
}

/** One way to look at a device, best picture first. */
export interface OnvifProfile {
  name: string;
  /** of which eye, for devices with several */
  source: string | null;
  /** "H264", "H265", as the device says it */
  codec: string | null;
  width: number | null;
  height: number | null;
  /** frames per second */
  fps: number | null;
  /** kbit/s */
  bitrateKbps: number | null;
  /** without user and password, at the host that was asked */
  rtspUrl: string;
  snapshotUrl: string | null;
}

/** What an ONVIF device says of itself. */
export type OnvifDescription =
  | {
      ok: true;
      identity: CameraIdentity;
      /** ascending by source, best picture first */
      profiles: OnvifProfile[];
      /** its clock less ours, whole seconds; null: it does not tell */
      timeOffsetS: number | null;
    }
  | { ok: false; cause: 'unreachable' | 'refused' | 'not-onvif'; detail: string };

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
  /** null: nothing is known of the device */
  identity: CameraIdentity | null;
}

export interface RemovedCamera {
  id: string;
  name: string;
  removedMs: number;
}

/** The machine's clock was set: what was `fromMs` became `toMs` at the same moment. */
export interface ClockStep {
  fromMs: number;
  toMs: number;
}

export interface Range {
  startMs: number;
  endMs: number;
}

export interface Coverage {
  cameraId: string;
  stream: StreamName;
  asked: Range;
  /** when this stream was first recorded or first missed, as far as that is on record; null: never */
  begunMs: number | null;
  /** what is there, merged, ascending, clipped to the range asked */
  recorded: Range[];
  /** what is missing within the range, up to now */
  gaps: (Range & { cause: GapCause })[];
  /** when the clock was set, where it touches the range: set forward, a time that never was; set back, one that was twice */
  clockSteps: ClockStep[];
  /** what of the range is held at present, by hold, clipped to the range */
  held: (Range & { id: string; rank: HoldRank })[];
}

/** hold: made by an officer, nothing takes it but its release; keep: made by the system, second rank, own budget and end. */
export type HoldRank = 'hold' | 'keep';

/** Footage that may not be deleted. */
export interface Hold extends Range {
  id: string;
  rank: HoldRank;
  cameraId: string;
  streams: StreamName | 'both';
  /** who made it, as the asker calls people */
  by: string;
  why: string;
  createdMs: number;
  /** ends by itself then; null: when it is released */
  untilMs: number | null;
  released: { atMs: number; by: string; why: string } | null;
}

export interface HoldRequest extends Range {
  /** a–z, 0–9 and -, 8–64; asked again with the same id it is the same hold. Default: a new one */
  id?: string;
  /** default hold */
  rank?: HoldRank;
  cameraId: string;
  /** default both */
  streams?: StreamName | 'both';
  by: string;
  why: string;
  /** a keep must have one */
  untilMs?: number | null;
}

/** One deleted recording, and why. */
export interface Deletion extends Range {
  /** ascending */
  id: number;
  atMs: number;
  cameraId: string;
  stream: StreamName;
  sizeBytes: number;
  /** age: beyond the camera's days; space: the oldest, when the disk was short */
  reason: 'age' | 'space';
}

export interface DeletionQuery extends Partial<Range> {
  cameraId?: string;
  /** those with a greater id */
  after?: number;
  /** 1–1000, default 200 */
  limit?: number;
}

export interface Snapshot {
  jpeg: Uint8Array;
  /** wall clock of the pictured frame */
  frameMs: number;
  width: number;
  height: number;
}

export interface StillsRequest {
  cameraId: string;
  /** 1–24 */
  moments: number[];
  /** keyframe: the nearest frame that stands alone, cheap; exact: the one shown at the moment. Default keyframe */
  frame?: 'keyframe' | 'exact';
  stream?: StreamName;
  /** scaled down to this, never up; default: one picture as it is, several to 640. More than four: 1280 at most */
  width?: number;
}

/** What a camera recorded at a moment. */
export interface Still {
  /** as asked */
  atMs: number;
  /** none: nothing can be shown; more than one where the clock was set back, what was recorded first is first */
  pictures: Snapshot[];
  /** why there is none; null where there is, and where it is still to come */
  cause: GapCause | null;
  /** where there is none: when recordings end before and begin again behind it; null: nowhere */
  beforeMs: number | null;
  afterMs: number | null;
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
  /** which stream it is made of: a chat clip of H.265 comes from the sub stream where that is H.264 and lacks nothing */
  stream: StreamName;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  /** 0–1 */
  progress: number;
  /** what is delivered, once done */
  /** ascending; where the clock was set back, first what was recorded before that, then the same time once more */
  parts: ClipPart[];
  /** missing stretches between start and end of what was asked */
  gaps: (Range & { cause: GapCause })[];
  /** why it failed: no-footage, unknown-camera, invalid, disk-full, failed */
  error: { kind: string; message: string } | null;
}

export type RecorderEventKind =
  | 'camera-recording'
  | 'camera-down'
  | 'camera-off'
  | 'camera-changed'
  | 'camera-moved'
  | 'segment-closed'
  | 'disk-low'
  | 'disk-ok'
  | 'disk-failing'
  | 'disk-full-of-holds'
  | 'holds-fill-disk'
  | 'holds-unreadable'
  | 'holds-readable'
  | 'hold-made'
  | 'hold-released'
  | 'keep-dropped'
  | 'clock-doubted'
  | 'clock-trusted'
  | 'clock-set'
  | 'footage-deleted'
  | 'footage-changed'
  | 'recorder-started'
  | 'index-rebuilt'
  | 'hold-file-mended';

export interface RecorderEvent {
  /** ascending; ask for events after the last one you have seen */
  id: number;
  atMs: number;
  kind: RecorderEventKind;
  cameraId: string | null;
  /** camera-down: {cause, sinceMs, detail}; camera-recording: {sinceMs, downMs}; camera-moved: {from, to} (hosts); segment-closed: {path,startMs,endMs,sizeBytes}; disk-low: {freeBytes,totalBytes}; clock-set: ClockStep; footage-changed (by somebody else): {removed,added,changed (files), cameras (names), held (of the removed and changed ones: files that were held), holds: {camera,startMs,endMs,by,why}[] (of which)}; index-rebuilt: {cameras} (taken back from beside the recordings); holds-unreadable: {detail, freeBytes, totalBytes, fullAtMs: when the disk is full, since nothing is deleted (null: not known), stopped: recording has stopped or is about to}; hold-file-mended: {id, startMs, endMs, released (boolean), aside (name of the spoilt file)}; disk-low also: {deleting: false while the holds can't be read} */
  data: Record<string, unknown>;
}

/** How the holds are. */
export interface HoldsHealth {
  /** false: the folder can't be read, or a file of it whose hold nothing else knows; so nothing is deleted */
  readable: boolean;
  /** English, for engineers: what can't be read; null: all can */
  fault: string | null;
  /** in force now */
  holds: number;
  keeps: number;
  /** recorded and in force, as last measured */
  heldBytes: number;
  keptBytes: number;
  /** at the present pace of recording nothing deletable is left then, and the disk is full; null: not in sight */
  fullAtMs: number | null;
}

export interface Health {
  ok: boolean;
  version: string;
  startedMs: number;
  ffmpeg: { version: string; major: number; kind: string } | null;
  cameras: { total: number; recording: number; down: number; off: number };
  disk: {
    freeBytes: number;
    totalBytes: number;
    low: boolean;
    /** how it is synced (DISK_KIND) */
    kind: 'ssd' | 'hdd';
    /** what a power cut costs at most, ms */
    powerCutMs: number;
    /** how old the oldest data is that is not durable yet, ms */
    unsyncedMs: number;
  };
  holds: HoldsHealth;
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
  /** Cameras that were removed, latest last. */
  removedCameras(): Promise<RemovedCamera[]>;
  addCamera(settings: CameraSettings): Promise<CameraInfo>;
  changeCamera(id: string, change: Partial<Omit<CameraSettings, 'id'>>): Promise<CameraInfo>;
  removeCamera(id: string): Promise<void>;
  probe(address: { url: string; transport?: 'tcp' | 'udp' }): Promise<ProbeResult>;
  /** Looks for devices on the own nets; takes up to 12 s. */
  discover(): Promise<FoundDevice[]>;
  /** Asks an ONVIF device what it is; nothing of the login is kept. Takes up to 12 s. */
  describe(login: OnvifLogin): Promise<OnvifDescription>;
  /** Newest frame. WorldError: not-found (no such camera), no-footage (camera down: no fresh frame), timeout. */
  snapshot(
    id: string,
    options?: { stream?: StreamName; width?: number; signal?: AbortSignal },
  ): Promise<Snapshot>;
  /** Pictures out of the recordings, in the order asked. WorldError: not-found, invalid, timeout, rate-limited, cancelled. */
  stills(request: StillsRequest, signal?: AbortSignal): Promise<Still[]>;
  coverage(id: string, range: Range, stream?: StreamName): Promise<Coverage>;
  /** Of many cameras at once, in the order given. WorldError: not-found (one of them never was). */
  coverages(ids: string[], range: Range, stream?: StreamName): Promise<Coverage[]>;
  /** Holds footage; it is durable when this resolves. WorldError: not-found (no such camera), invalid, disk-full. */
  hold(request: HoldRequest): Promise<Hold>;
  /** Newest first. `active`: only those in force (true) or only past ones (false). */
  holds(query?: { active?: boolean; cameraId?: string }): Promise<Hold[]>;
  /** WorldError: not-found, invalid (no reason, or released before). */
  releaseHold(id: string, release: { by: string; why: string }): Promise<Hold>;
  /** What was deleted and why, by ascending id. A range: recordings that overlap it. */
  deletions(query?: DeletionQuery): Promise<Deletion[]>;
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
