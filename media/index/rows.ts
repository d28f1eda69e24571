import type { Cause, RecorderEvent, StreamName } from '../types.js';

/** A camera as the index keeps it; addresses are already opened. */
export interface CameraRow {
  id: string;
  name: string;
  url: string;
  subUrl: string | null;
  transport: 'tcp' | 'udp';
  audio: boolean;
  enabled: boolean;
  /** null = the service's default */
  retentionDays: number | null;
  createdMs: number;
  removedMs: number | null;
}

export interface SegmentRow {
  id: number;
  cameraId: string;
  stream: StreamName;
  startMs: number;
  endMs: number;
  /** relative to the recordings folder, with forward slashes */
  path: string;
  sizeBytes: number;
  codec: string;
  width: number;
  height: number;
  open: boolean;
}

export interface GapRow {
  id: number;
  cameraId: string;
  stream: StreamName;
  startMs: number;
  /** null while it lasts */
  endMs: number | null;
  cause: Cause;
}

export interface DeletionRow {
  atMs: number;
  cameraId: string;
  stream: StreamName;
  startMs: number;
  endMs: number;
  sizeBytes: number;
  reason: 'age' | 'space';
}

export type NewEvent = Omit<RecorderEvent, 'id'>;
